"""A small test world: Mina and Jun, who shop; a stranger; and programs that hold them."""

import itertools
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

_numbers = itertools.count(1)

BASE_RULE = {
    "key": "base",
    "trigger": "order",
    "effect": {"do": "points_per_amount", "points": 1, "per_minor": 100},
}


def document(**changes: Any) -> dict[str, Any]:
    """A document in euros with one point per 1.00, changed where a test says so."""
    return {
        "name": "Bloom",
        "timezone": "Asia/Seoul",
        "currency": "EUR",
        "points": [{"key": "points"}],
        "earning": {"rules": [BASE_RULE]},
    } | changes


def rule(key: str, effect: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An order rule."""
    return {"key": key, "trigger": "order", "effect": effect} | more


def per_euro(points: int = 1) -> dict[str, Any]:
    """So many points per 1.00."""
    return {"do": "points_per_amount", "points": points, "per_minor": 100}


def line(ref: str, minor: int, **more: Any) -> dict[str, Any]:
    """A line of one piece."""
    return {"line_ref": ref, "quantity": 1, "unit_price_minor": minor} | more


def order(*lines: dict[str, Any] | int, **more: Any) -> dict[str, Any]:
    """A paid order of Mina's on 1 March 2026; a bare number is a line of that value."""
    items = [
        line(str(number), item) if isinstance(item, int) else item
        for number, item in enumerate(lines, start=1)
    ]
    return {
        "member_ref": "mina",
        "status": "paid",
        "currency": "EUR",
        "placed_at": "2026-03-01T10:00:00Z",
        "lines": items,
    } | more


class World:
    """A program with its key, spoken to over HTTP."""

    def __init__(self, app: Flask, *, mode: Any = "test", **changes: Any) -> None:
        from programs.creation import create

        self.app = app
        with app.app_context():
            made = create(document(**changes), mode=mode)
        self.program_id = made["program_id"]
        self.key = made["secret_key"]
        self.publishable_key = made["publishable_key"]
        self.client: FlaskClient = app.test_client()

    @property
    def is_postgresql(self) -> bool:
        """Whether the program is on PostgreSQL: what says nothing new there may be left out."""
        url: str = self.app.extensions["dangol.settings"].database_url
        return url.startswith("postgresql")

    def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> Any:
        """A request with the program's secret key; the response with `.json` and `.status_code`."""
        sent = {"Authorization": f"Bearer {self.key}"} | (headers or {})
        if body is not None:
            return self.app.test_client().open(f"/v1{path}", method=method, json=body, headers=sent)
        return self.app.test_client().open(f"/v1{path}", method=method, headers=sent)

    def get(self, path: str) -> Any:
        """The JSON of a GET that must succeed."""
        response = self.call("GET", path)
        assert response.status_code == 200, response.get_data(as_text=True)
        return response.json

    def put(self, path: str, body: Any, *, status: int | tuple[int, ...] = (200, 201)) -> Any:
        """The JSON of a PUT with the expected status."""
        response = self.call("PUT", path, body)
        allowed = status if isinstance(status, tuple) else (status,)
        assert response.status_code in allowed, response.get_data(as_text=True)
        return response.json

    def post(
        self, path: str, body: Any = None, *, status: int = 200, key: str | None = None
    ) -> Any:
        """The JSON of a POST with the expected status; `key` is the Idempotency-Key."""
        headers = {"Idempotency-Key": key or f"test-{next(_numbers)}"}
        response = self.call("POST", path, body, headers=headers)
        assert response.status_code == status, response.get_data(as_text=True)
        return response.json

    def member(self, ref: str = "mina", **fields: Any) -> Any:
        """PUT a member who joined on 1 January 2026."""
        return self.put(f"/members/{ref}", {"joined_at": "2026-01-01T00:00:00Z"} | fields)

    def order(self, ref: str, *lines: dict[str, Any] | int, **more: Any) -> Any:
        """PUT an order (see `order`); returns the answer."""
        return self.put(f"/orders/{ref}", order(*lines, **more))

    def earned(self, ref: str, *lines: dict[str, Any] | int, **more: Any) -> int:
        """PUT an order; returns the points of the default kind that stand for it."""
        return points(self.order(ref, *lines, **more))

    def balance(self, ref: str = "mina", points_key: str = "points") -> int:
        """The member's available points."""
        data = self.get(f"/members/{ref}/balances")["data"]
        found: int = next(one["available"] for one in data if one["points_key"] == points_key)
        return found

    def publish(self, **changes: Any) -> Any:
        """Publish the standard document with changes."""
        self.put("/program/draft", document(**changes))
        return self.post("/program/draft/publish", {"note": "test"})

    def verify(self) -> dict[str, Any]:
        """The report of `flask ledger verify` on this program."""
        from core import db, ids
        from server.verify import whole

        with self.app.app_context():
            program_id = ids.read_id("prg", self.program_id)
            return db.reading(lambda connection: whole.run(connection, program_id))

    def set_clock(self, instant: str) -> None:
        """Stand the program's own clock still at an instant."""
        import sqlalchemy as sa

        from core import clock, db, ids
        from programs.models import Program

        statement = (
            sa.update(Program)
            .where(Program.program_id == ids.read_id("prg", self.program_id))
            .values(clock_at=clock.parse_instant(instant))
        )
        with self.app.app_context():
            db.in_transaction(lambda connection: connection.execute(statement))

    def quote(
        self, *lines: dict[str, Any] | int, at: str = "2026-03-01T10:00:00Z", **more: Any
    ) -> Any:
        """Quote for Mina what `order` would tell with the same arguments."""
        cart = order(*lines, **more)
        member_ref = cart.pop("member_ref")
        for name in ("status", "placed_at"):
            cart.pop(name)
        return self.post("/quotes", {"member_ref": member_ref, "cart": cart, "at": at})

    def tier(self, ref: str = "mina") -> Any:
        """The member's tier as of the program's clock."""
        return self.get(f"/members/{ref}/tier")

    def entries(self, ref: str = "mina") -> list[Any]:
        """The member's entries, oldest first."""
        found: list[Any] = self.get(f"/members/{ref}/entries?limit=100")["data"]
        return found[::-1]

    def outcomes(self, answer: Any) -> dict[str, Any]:
        """The outcomes of the rules in an answer's decision, by rule."""
        decision = self.get(f"/decisions/{answer['decision_id']}")
        return {one["rule"]: one for one in decision["outcomes"]}


def points(answer: Any, points_key: str = "points") -> int:
    """The points of one kind in `earned`."""
    return sum(one["points"] for one in answer["earned"] if one["points_key"] == points_key)


def reversed_points(answer: Any, points_key: str = "points") -> int:
    """The points of one kind in `reversed`."""
    return sum(one["points"] for one in answer["reversed"] if one["points_key"] == points_key)
