"""Webhooks that are really sent, to receivers on this machine."""

import dataclasses
import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
import standardwebhooks
from flask import Flask

from core import clock, db, ids, outbox
from core.writing import Writes
from tests.webhooks.receiver import Receiver
from tests.world import World
from webhooks import deliveries
from webhooks.models import WebhookDelivery, WebhookEndpoint
from webhooks.sending import Outgoing

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


def verified(secret: str, got: tuple[dict[str, str], bytes]) -> Any:
    """The message that a receiver got, once the reference library has verified it."""
    headers, body = got
    return standardwebhooks.Webhook(secret).verify(body, headers)


class Hooks:
    """A program, its endpoints, and a worker that runs when it is told to."""

    def __init__(self, world: World) -> None:
        self.world, self.app = world, world.app
        found = ids.read_id("prg", world.program_id)
        assert found is not None
        self.program_id = found

    def endpoint(self, url: str, *types: str, **more: Any) -> Any:
        body = {"url": url, "types": list(types) or ["*"], **more}
        return self.world.post("/webhook-endpoints", body, status=201)

    def tell(
        self, type: str = "program.published", member_id: bytes | None = None, **payload: Any
    ) -> None:
        """Write a message as a unit of work would."""

        def work(connection: sa.Connection) -> None:
            writes = Writes()
            outbox.add(
                writes,
                self.program_id,
                type=type,
                payload=payload,
                now=clock.parse_instant("2026-03-01T10:00:00Z"),
                member_id=member_id,
            )
            writes.run(connection)

        with self.app.app_context():
            db.in_transaction(work)

    def set_others_aside(self) -> None:
        """What tests before left to be sent is nobody's any more: most of their receivers never
        were, and looking for one takes seconds where no name is found."""
        told = (
            sa.update(outbox.OutboxMessage)
            .where(outbox.OutboxMessage.dispatched_at.is_(None))
            .where(outbox.OutboxMessage.program_id != self.program_id)
            .values(dispatched_at=0)
        )
        due = (
            sa.update(WebhookDelivery)
            .where(WebhookDelivery.state == "pending")
            .where(WebhookDelivery.program_id != self.program_id)
            .values(state="failed", next_at=None)
        )
        for statement in (told, due):
            self._run(statement)

    def dispatch(self) -> int:
        with self.app.app_context():
            return deliveries.dispatch_due(clock.system_now())

    def deliver(self, *, seconds: int = 0) -> None:
        """Send until nothing is due, by a clock that is `seconds` ahead."""
        with self.app.app_context():
            while deliveries.deliver_due(
                clock.Instant(clock.system_now() + seconds * clock.SECOND)
            ):
                pass

    def run(self) -> None:
        """What a worker does with what is due."""
        while self.dispatch():
            pass
        self.deliver()

    def set_delivery(self, **values: Any) -> None:
        """Change every delivery of the program."""
        self._change(
            sa.update(WebhookDelivery).where(WebhookDelivery.program_id == self.program_id), values
        )

    def set_endpoint(self, shown: Any, **values: Any) -> None:
        self._change(
            sa.update(WebhookEndpoint).where(
                WebhookEndpoint.program_id == self.program_id,
                WebhookEndpoint.id == ids.read_id("whe", shown["id"]),
            ),
            values,
        )

    def _change(self, statement: sa.Update, values: dict[str, Any]) -> None:
        self._run(statement.values(**values))

    def _run(self, statement: sa.Update) -> None:
        with self.app.app_context():
            db.in_transaction(lambda connection: connection.execute(statement))

    def make_due(self) -> None:
        """Let every retry be due now."""
        self.set_delivery(next_at=0)

    def log(self, query: str = "") -> list[Any]:
        found: list[Any] = self.world.get(f"/webhook-deliveries{query}")["data"]
        return found

    def one(self) -> Any:
        """The only delivery."""
        [found] = self.log()
        return found

    def get(self, endpoint: Any) -> Any:
        return self.world.get(f"/webhook-endpoints/{endpoint['id']}")


@pytest.fixture
def outgoing(app: Flask) -> Iterator[Callable[..., None]]:
    """Loopback is allowed; call it to change more of how the application calls out."""
    before = app.extensions["dangol.outgoing"]

    def change(**values: Any) -> None:
        # Made anew: a context that is remembered belongs to the one before.
        fields = {
            field.name: getattr(app.extensions["dangol.outgoing"], field.name)
            for field in dataclasses.fields(Outgoing)
        }
        app.extensions["dangol.outgoing"] = Outgoing(**(fields | values))

    change(allowed=LOOPBACK, timeout=5)
    yield change
    app.extensions["dangol.outgoing"] = before


@pytest.fixture
def hooks(make_world: Callable[..., World], outgoing: Callable[..., None]) -> Iterator[Hooks]:
    """A program without any message: what creating it told is gone already."""
    made = Hooks(make_world())
    made.set_others_aside()
    made.run()
    yield made
    for endpoint in made.world.get("/webhook-endpoints?limit=100")["data"]:
        made.world.call("DELETE", f"/webhook-endpoints/{endpoint['id']}")


@pytest.fixture
def make_receiver() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(*args: Any) -> Receiver:
        made.append(Receiver(*args))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def receiver(make_receiver: Callable[..., Receiver]) -> Receiver:
    return make_receiver()
