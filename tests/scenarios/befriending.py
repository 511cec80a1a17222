"""Friends who come by a code and buy: orders, refunds, and what both sides have of it."""

from collections.abc import Callable
from typing import Any

from tests.scenarios.attributing import code_of, offer, shop, sign_up
from tests.world import World, line

Make = Callable[..., World]
#: Ten points of a hundred minor units, of what earns of the friend's order.
TENTH = {"do": "points_per_amount", "points": 1, "per_minor": 10}
FIXED = {"do": "add_points", "points": 500}


def fixed(points: int) -> dict[str, Any]:
    """So many points."""
    return {"do": "add_points", "points": points}


def referring(make_world: Make, **more: Any) -> World:
    """A program whose orders earn nothing, with one offer: a minimum of 500.00 and no hold."""
    qualifies = {"qualifies": {"min_net_minor": 50_000}}
    world = make_world(earning={"rules": []}, referral_offers=[offer(**(qualifies | more))])
    world.set_clock("2026-01-01T00:00:00Z")
    world.member("mina")
    world.member("jun")
    return world


def friend(world: World, ref: str = "ines", by: str = "mina", **fields: Any) -> Any:
    """Somebody who signs up with an advocate's code."""
    return sign_up(world, ref, {"code": code_of(world, by)}, **fields)


def buy(world: World, order_ref: str, *minors: int, by: str = "ines", **more: Any) -> Any:
    """PUT an order of a friend, a line for each amount; it was placed on 2 January."""
    body = {
        "member_ref": by,
        "status": "paid",
        "currency": "EUR",
        "placed_at": "2026-01-02T00:00:00Z",
        "lines": [line(str(number), minor) for number, minor in enumerate(minors, start=1)],
    }
    return world.put(f"/orders/{order_ref}", body | more)


def refund(
    world: World, order_ref: str, minor: int, at: str, *, ref: str = "r1", **more: Any
) -> Any:
    """PUT a refund in money; `dry=True` only asks."""
    query = "?dry_run=true" if more.pop("dry", False) else ""
    body = {"refunded_at": at, "amount_minor": minor} | more
    # 202: it is told before its order.
    path = f"/orders/{order_ref}/refunds/{ref}{query}"
    return world.put(path, body, status=(200, 201, 202))


def go_to(world: World, instant: str) -> None:
    """Move the clock, through everything that falls due."""
    world.post("/test-clock", {"now": instant})


def state(answer: Any) -> tuple[str, str | None]:
    """State and reason of an answer's referral."""
    return answer["referral"]["state"], answer["referral"].get("reason")


def stored(world: World, friend_ref: str = "ines") -> dict[str, Any]:
    """The referral of a friend as it is stored, with its sides by name."""
    import sqlalchemy as sa

    from core import db, ids
    from members.members import MEMBERS
    from referrals.carried import REFERRALS, SIDES

    program_id = ids.read_id("prg", world.program_id)

    def read(connection: sa.Connection) -> dict[str, Any]:
        row = (
            connection.execute(
                sa.select(REFERRALS)
                .join(MEMBERS, MEMBERS.c.id == REFERRALS.c.friend_id)
                .where(MEMBERS.c.program_id == program_id, MEMBERS.c.member_ref == friend_ref)
            )
            .mappings()
            .one()
        )
        sides = connection.execute(sa.select(SIDES).where(SIDES.c.referral_id == row["id"]))
        return dict(row) | {"sides": {one["side"]: dict(one) for one in sides.mappings()}}

    with world.app.app_context():
        return db.reading(read)


def is_now(world: World, friend_ref: str = "ines") -> tuple[str, str | None]:
    """State and reason of a friend's referral as it is stored."""
    found = stored(world, friend_ref)
    return found["state"], found["reason"]


def sides(world: World, friend_ref: str = "ines") -> dict[str, tuple[str, str | None]]:
    """State and reason of each side as it is stored."""
    found = stored(world, friend_ref)["sides"]
    return {name: (one["state"], one["reason"]) for name, one in found.items()}


def told_sides(answer: Any) -> dict[str, tuple[str, int, int]]:
    """State, points that stand and points taken back of each side in an answer."""
    return {
        one["side"]: (
            one["state"],
            sum(award["points"] for award in one["earned"]),
            sum(taken["points"] for taken in one["reversed"]),
        )
        for one in answer["referral"].get("sides", ())
    }


def balances(world: World, *refs: str) -> tuple[int, ...]:
    """Available points, Mina's and Ines's unless others are named."""
    return tuple(world.balance(ref) for ref in refs or ("mina", "ines"))


def sound(world: World) -> None:
    """The books are right."""
    found = world.verify()["mismatches"]
    assert found == [], found


__all__ = ["FIXED", "TENTH", "shop"]
