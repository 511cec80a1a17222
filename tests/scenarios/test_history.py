"""Orders moved in from elsewhere count, but earn nothing."""

from collections.abc import Callable

import sqlalchemy as sa

from tests.world import World, line, order, per_euro, points, rule

Make = Callable[..., World]
OLD = "2025-12-01T10:00:00Z"
FIRST = {"fact": "order.is_first", "op": "=", "value": True}


def _world(make_world: Make) -> World:
    world = make_world(
        earning={
            "rules": [
                rule("base", per_euro()),
                rule("first", {"do": "add_points", "points": 500}, when=FIRST),
            ]
        },
        tiers={"levels": [{"key": "gold", "enter_at": 10000, "multiplier_bp": 20000}]},
    )
    world.member()
    return world


def _announced(world: World) -> list[str]:
    """Types of the messages set aside for the outside, but for the members' own."""
    from core import db, ids
    from core.outbox import OutboxMessage

    statement = sa.select(OutboxMessage.type).where(
        OutboxMessage.program_id == ids.read_id("prg", world.program_id),
        OutboxMessage.type != "member.created",
    )
    with world.app.app_context():
        return db.reading(lambda connection: list(connection.execute(statement).scalars()))


def test_a_history_order_counts_for_the_tier_but_earns_nothing(make_world: Make) -> None:
    world = _world(make_world)
    told = world.order("H-1", 10000, is_history=True, placed_at=OLD)
    assert told["earned"] == []
    assert told["order"]["is_history"] is True
    assert told["tier"]["key"] == "gold"
    assert told["order"]["spend_minor"] == 10000
    assert world.balance() == 0
    assert _announced(world) == []


def test_a_history_order_takes_the_first_purchase(make_world: Make) -> None:
    world = _world(make_world)
    world.order("H-1", 100, is_history=True, placed_at=OLD)
    assert world.earned("A-1", 1000) == 10
    world.order("H-1", 100, is_history=True, placed_at=OLD, status="cancelled")
    assert world.earned("A-2", 1000) == 510


def test_a_history_order_refunded_counts_less_and_reverses_nothing(make_world: Make) -> None:
    world = _world(make_world)
    world.order("H-1", 10000, is_history=True, placed_at=OLD)
    back = world.order("H-1", line("1", 10000, refunded_minor=1), is_history=True, placed_at=OLD)
    assert (back["reversed"], back["tier"]["key"]) == ([], None)
    assert world.entries() == []


def test_whether_it_is_history_is_fixed_at_first_sight(make_world: Make) -> None:
    world = _world(make_world)
    world.order("H-1", 1000, is_history=True, placed_at=OLD)
    told = world.order("H-1", 2000, placed_at=OLD)
    assert (told["earned"], told["order"]["is_history"]) == ([], True)
    world.order("A-1", 1000)
    later = world.order("A-1", 1000, is_history=True)
    assert points(later) == 10


def test_a_history_order_told_without_the_word_stays_quiet(make_world: Make) -> None:
    world = _world(make_world)
    world.order("H-1", 10000, is_history=True, placed_at=OLD)
    world.order("H-1", 10000, status="cancelled", placed_at=OLD)
    assert _announced(world) == []


def test_an_order_that_earned_is_heard_of_though_called_history_later(make_world: Make) -> None:
    world = _world(make_world)
    world.order("A-1", 1000)
    world.order("A-1", 1000, status="cancelled", is_history=True)
    assert sorted(_announced(world)) == ["points.earned", "points.reversed"]


def test_history_needs_the_scope_to_import(make_world: Make) -> None:
    world = _world(make_world)
    made = world.post("/keys", {"name": "orders", "scopes": ["orders", "read"]}, status=201)
    headers = {"Authorization": f"Bearer {made['key']}"}
    body = order(1000, is_history=True)
    assert world.call("PUT", "/orders/H-1", body, headers=headers).status_code == 403
    batch = {"orders": [body | {"order_ref": "H-1"}]}
    assert world.call("POST", "/orders/batch", batch, headers=headers).status_code == 403
    assert world.call("PUT", "/orders/A-1", order(1000), headers=headers).status_code == 201


def test_a_history_order_of_another_member_moves_what_it_counts(make_world: Make) -> None:
    world = _world(make_world)
    world.member("jun")
    world.order("H-1", 10000, is_history=True, placed_at=OLD)
    world.order("H-1", 10000, is_history=True, placed_at=OLD, member_ref="jun")
    assert (world.tier()["key"], world.tier("jun")["key"]) == (None, "gold")
    assert (world.balance(), world.balance("jun")) == (0, 0)
