"""What the tests of redemptions share: a catalogue, and a till that speaks over HTTP."""

import itertools
from typing import Any

import sqlalchemy as sa

from core import db, ids, jsontext
from core.outbox import OutboxMessage
from tests.scenarios.ledgers import MakeWorld, balance, give, opened
from tests.world import World, line

_numbers = itertools.count(1)

NOON = "2026-03-01T12:00:00Z"
#: Half an hour later: as long as something is held where nothing is said.
LATER = "2026-03-01T12:30:00Z"

#: 5.00 off for 100 points, and the same for nothing.
FIVE: dict[str, Any] = {
    "key": "five",
    "kind": "discount_amount",
    "value": {"minor": 500},
    "cost_points": 100,
    "estimated_cost_minor": 400,
}


def reward(key: str, **changes: Any) -> dict[str, Any]:
    """Another reward like `FIVE`."""
    return FIVE | {"key": key} | changes


FREE = reward("free", cost_points=0, estimated_cost_minor=0)
#: A cart of 40.00.
CART: dict[str, Any] = {"currency": "EUR", "lines": [line("1", 4000)]}


class Till:
    """Where a world's rewards are held, captured and given up."""

    def __init__(self, world: World) -> None:
        self.world = world

    def ask(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """A POST; the response, whatever it says."""
        headers = {"Idempotency-Key": key or f"till-{next(_numbers)}"}
        return self.world.call("POST", path, body, headers=headers)

    def hold(self, what: str | int, ref: str = "mina", **more: Any) -> Any:
        """Hold a reward, or so many points that pay; the redemption."""
        return self.world.post("/redemptions", self.body(what, ref, **more), status=201)[
            "redemption"
        ]

    def body(self, what: str | int, ref: str = "mina", **more: Any) -> dict[str, Any]:
        """The body of a hold."""
        wanted = (
            {"reward": what} if isinstance(what, str) else {"pay_with_points": {"points": what}}
        )
        return {"member_ref": ref} | wanted | more

    def refused(self, what: str | int, ref: str = "mina", **more: Any) -> Any:
        """The problem of a hold that must be refused; nothing has changed by it."""
        before = self.world.get(f"/members/{ref}/balances")
        response = self.ask("/redemptions", self.body(what, ref, **more))
        assert response.status_code >= 400, response.json
        assert self.world.get(f"/members/{ref}/balances") == before
        return response.json

    def end(self, how: str, redemption_id: str, body: Any = None) -> Any:
        """Capture, release or reverse; the response."""
        if body is None:
            body = {"capture": {}, "reverse": {"reason": "broken"}}.get(how)
        return self.ask(f"/redemptions/{redemption_id}/{how}", body)

    def done(self, how: str, redemption_id: str, body: Any = None) -> Any:
        """The same where it must succeed; the redemption."""
        response = self.end(how, redemption_id, body)
        assert response.status_code == 200, response.json
        return response.json["redemption"]

    def state(self, redemption_id: str) -> str:
        """The state of a redemption as it is read."""
        return str(self.world.get(f"/redemptions/{redemption_id}")["state"])

    def stock(self, key: str) -> tuple[int | None, int, int | None]:
        """Total, used and left of a reward."""
        found = self.world.get(f"/rewards/{key}/stock")
        return found["total"], found["used"], found["left"]

    def move(self, key: str, change: int) -> Any:
        """Move stock; the response."""
        return self.ask(f"/rewards/{key}/stock", {"change": change, "reason": "counted"})


def opened_till(make_world: MakeWorld) -> Till:
    """A program whose clock stands at noon, where Mina has 1,000 points and Jun has 100."""
    world = opened(make_world, NOON, rewards=[FIVE, FREE], pay_with_points={"min_points": 50})
    give(world, 1000, None)
    give(world, 100, None, "jun")
    return Till(world)


def numbers(world: World, ref: str = "mina") -> tuple[int, int]:
    """What is available and held."""
    found = balance(world, ref)
    return found["available"], found["held"]


def messages(world: World) -> list[tuple[str, dict[str, Any]]]:
    """What the world is told of redemptions, in the order in which it is written."""

    def read(connection: sa.Connection) -> list[Any]:
        statement = (
            sa.select(OutboxMessage.type, OutboxMessage.payload)
            .where(
                OutboxMessage.program_id == ids.read_id("prg", world.program_id),
                OutboxMessage.type.like("redemption.%"),
            )
            .order_by(OutboxMessage.id)
        )
        return list(connection.execute(statement).all())

    with world.app.app_context():
        return [(row[0], jsontext.parse(row[1])) for row in db.reading(read)]
