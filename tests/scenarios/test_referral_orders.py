"""Orders of friends: which one a referral qualifies by, when it is paid, and what is answered."""

from typing import Any

import pytest
import sqlalchemy as sa

from core import db, rawsql
from tests.scenarios.befriending import (
    Make,
    balances,
    buy,
    fixed,
    friend,
    go_to,
    is_now,
    referring,
    refund,
    sides,
    sound,
    state,
    stored,
    told_sides,
)
from tests.world import World


def test_the_minimum_is_net_of_discounts_without_shipping(make_world: Make) -> None:
    # SEMANTICS F45: 60,000 - 20 % = 48,000, 2,000 short of 50,000; shipping does not help.
    world = referring(make_world)
    assert state(friend(world)) == ("identified", None)
    world.set_clock("2026-01-02T12:00:00Z")
    answer = buy(world, "A", 60_000, discount_minor=12_000, shipping_minor=3_000)
    assert state(answer) == ("identified", "BELOW_MIN")
    assert answer["referral"]["missing_minor"] == 2_000
    assert "minimum" in answer["referral"]["message"]["en"]
    assert "sides" not in answer["referral"]
    assert sides(world) == {"advocate": ("waiting", None), "friend": ("waiting", None)}
    # Told again, or read, it says the same; the next order may qualify.
    again = buy(world, "A", 60_000, discount_minor=12_000, shipping_minor=3_000)
    assert again["referral"] == answer["referral"] == world.get("/orders/A")["referral"]
    answer = buy(world, "B", 50_000, placed_at="2026-01-02T06:00:00Z")
    assert state(answer) == ("approved", None)
    assert told_sides(answer) == {"advocate": ("rewarded", 500, 0), "friend": ("rewarded", 300, 0)}
    assert [one["member_ref"] for one in answer["referral"]["sides"]] == ["mina", "ines"]
    assert balances(world) == (500, 300)
    found = stored(world)
    assert (found["order_ref"], found["net_minor"], found["stands"]) == ("B", 50_000, True)
    # Of a referral that is paid further orders say nothing.
    assert buy(world, "C", 90_000)["referral"] is None
    assert balances(world) == (500, 300)
    entry = world.entries("mina")[-1]
    assert entry["source"] == {"type": "referral", "ref": answer["referral"]["id"]}
    assert entry["effective_at"] == "2026-01-02T06:00:00Z"
    sound(world)


def test_a_hold_ends_by_itself_and_the_earliest_order_qualifies(make_world: Make) -> None:
    world = referring(make_world, hold="P14D", qualifies={"min_net_minor": 10_000})
    friend(world)
    world.set_clock("2026-01-10T00:00:00Z")
    answer = buy(world, "B", 20_000, placed_at="2026-01-09T00:00:00Z")
    assert state(answer) == ("on_hold", None)
    # An earlier order arrives late; one below the minimum is passed over, wherever it comes.
    buy(world, "S", 9_999, placed_at="2026-01-03T00:00:00Z")
    assert stored(world)["order_ref"] == "B"
    buy(world, "A", 30_000, placed_at="2026-01-04T00:00:00Z", paid_at="2026-01-05T00:00:00Z")
    found = stored(world)
    assert (found["order_ref"], found["net_minor"]) == ("A", 30_000)
    # It falls, and the other one qualifies at once; the same again when it is paid again.
    body: dict[str, Any] = {"placed_at": "2026-01-04T00:00:00Z", "paid_at": "2026-01-05T00:00:00Z"}
    buy(world, "A", 30_000, status="cancelled", **body)
    assert (stored(world)["order_ref"], is_now(world)) == ("B", ("on_hold", None))
    buy(world, "A", 30_000, **body)
    assert stored(world)["order_ref"] == "A"
    # Paid on the 5th, held for 14 days.
    go_to(world, "2026-01-18T23:59:59Z")
    assert (is_now(world), balances(world)) == (("on_hold", None), (0, 0))
    go_to(world, "2026-01-19T00:00:00Z")
    assert (is_now(world), balances(world)) == (("approved", None), (500, 300))
    assert world.entries("ines")[-1]["effective_at"] == "2026-01-19T00:00:00Z"
    # From here on it is kept to that order.
    buy(world, "Z", 40_000, placed_at="2026-01-02T00:00:00Z")
    assert stored(world)["order_ref"] == "A"
    sound(world)


def test_an_order_told_late_ends_as_if_it_had_been_told_in_time(make_world: Make) -> None:
    world = referring(make_world, hold="P14D", credit_window="P30D")
    friend(world)
    friend(world, "noa")
    go_to(world, "2026-01-31T00:00:00Z")
    assert (is_now(world), is_now(world, "noa")) == (("expired", "CREDIT_WINDOW"),) * 2
    world.set_clock("2026-03-01T00:00:00Z")
    # Placed an instant before the window ended, and at its end.
    answer = buy(world, "late", 60_000, placed_at="2026-01-30T23:59:59Z")
    assert state(answer) == ("approved", None)
    assert stored(world)["approved_at"] - stored(world)["qualified_at"] == 14 * 86_400_000_000
    answer = buy(world, "later", 60_000, by="noa", placed_at="2026-01-31T00:00:00Z")
    assert answer["referral"] is None
    assert is_now(world, "noa") == ("expired", "CREDIT_WINDOW")
    # Refunded within the hold, which is told after it: never paid.
    late: dict[str, Any] = {"by": "noa", "placed_at": "2026-01-15T00:00:00Z"}
    answer = buy(world, "back", 60_000, **late, lines=[_back(60_000, 20_000)])
    assert state(answer) == ("rejected", "REFUND_BELOW_MIN")
    assert answer["referral"]["missing_minor"] == 10_000
    assert balances(world, "mina", "ines", "noa") == (500, 300, 0)
    sound(world)


def _back(minor: int, refunded: int) -> dict[str, Any]:
    return {
        "line_ref": "1",
        "quantity": 1,
        "unit_price_minor": minor,
        "refunded_minor": refunded,
    }


def test_an_order_that_fell_before_anybody_was_brought_says_nothing(make_world: Make) -> None:
    world = referring(make_world, hold="P1D")
    now = "2026-01-01T00:00:00Z"
    for ref, status in (("ines", "paid"), ("noa", "cancelled")):
        world.member(ref)
        buy(world, f"old-{ref}", 60_000, by=ref, placed_at=now)
        if status == "paid":
            refund(world, "old-ines", 60_000, now)
        else:
            body = {"placed_at": now, "paid_at": now, "status": status, "cancelled_at": now}
            buy(world, "old-noa", 60_000, by=ref, **body)
        assert state(friend(world, ref)) == ("identified", None), ref
        # One below the minimum is what it says then.
        assert state(buy(world, f"s-{ref}", 1_000, by=ref, placed_at=now))[1] == "BELOW_MIN"
        # One that qualified falls as ever, be it at once.
        assert state(buy(world, f"new-{ref}", 60_000, by=ref, placed_at=now))[0] == "on_hold"
        assert state(refund(world, f"new-{ref}", 60_000, now)) == ("rejected", "REFUND_BELOW_MIN")


def test_conditions_fulfilment_and_signups_qualify(make_world: Make) -> None:
    when = {"fact": "order.skus", "op": "contains", "value": "MUG"}
    world = referring(
        make_world, qualifies={"when": when}, hold_from="fulfilled", hold="P1D", friend_at="signup"
    )
    answer = friend(world)
    # The friend is paid at once, the advocate for the order; told again, nothing has changed.
    assert told_sides(answer) == {"friend": ("rewarded", 300, 0)}
    assert told_sides(friend(world)) == {}
    assert balances(world) == (0, 300)
    world.set_clock("2026-01-03T00:00:00Z")
    assert state(buy(world, "A", 60_000)) == ("identified", "CONDITION_NOT_MET")
    mug: dict[str, Any] = {
        "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 900, "sku": "MUG"}]
    }
    answer = buy(world, "A", **mug)
    assert state(answer) == ("on_hold", None)
    go_to(world, "2026-02-01T00:00:00Z")
    assert is_now(world) == ("on_hold", None)
    answer = buy(world, "A", **mug, status="fulfilled", fulfilled_at="2026-01-31T12:00:00Z")
    assert state(answer) == ("on_hold", None)
    go_to(world, "2026-02-01T12:00:00Z")
    assert balances(world) == (500, 300)
    # It falls after all: what the friend got for signing up stays.
    answer = buy(world, "A", **mug, status="cancelled")
    assert told_sides(answer) == {"advocate": ("clawed_back", 0, 500)}
    assert balances(world) == (0, 300)
    signups = referring(make_world, qualifies={"trigger": "signup"}, hold="P1D")
    assert state(friend(signups)) == ("on_hold", None)
    go_to(signups, "2026-01-02T00:00:00Z")
    assert balances(signups) == (500, 300)
    sound(world)
    sound(signups)


def test_whoever_does_not_take_part_gets_no_points(make_world: Make) -> None:
    world = referring(make_world)
    world.member("jun", is_enrolled=False)
    friend(world, by="jun")
    world.set_clock("2026-01-03T00:00:00Z")
    answer = buy(world, "A", 60_000)
    assert told_sides(answer) == {"advocate": ("rewarded", 0, 0), "friend": ("rewarded", 300, 0)}
    assert balances(world, "jun", "ines") == (0, 300)
    sound(world)


def test_an_order_that_moves_takes_the_referral_of_its_first_member_along(
    make_world: Make,
) -> None:
    world = referring(make_world, advocate=[fixed(500)])
    friend(world)
    friend(world, "noa", by="jun")
    world.set_clock("2026-01-03T00:00:00Z")
    buy(world, "A", 60_000)
    assert balances(world, "mina", "jun", "ines", "noa") == (500, 0, 300, 0)
    answer = buy(world, "A", 60_000, by="noa")
    assert state(answer) == ("approved", None)
    assert balances(world, "mina", "jun", "ines", "noa") == (0, 500, 0, 300)
    assert sides(world)["advocate"] == ("clawed_back", "ORDER_CANCELLED")
    # Batches tell what concerns a referral by itself, and the rest together.
    friend(world, "kai", by="mina")
    orders = [
        {
            "order_ref": ref,
            "member_ref": by,
            "status": "paid",
            "currency": "EUR",
            "placed_at": "2026-01-03T00:00:00Z",
            "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 70_000}],
        }
        for ref, by in (("k", "kai"), ("m", "mina"), ("n", "noa"))
    ]
    results = world.post("/orders/batch", {"orders": orders})["results"]
    assert [one["status"] for one in results] == [201, 201, 201]
    assert results[0]["referral"]["state"] == "approved"
    assert results[1]["referral"] is results[2]["referral"] is None
    assert balances(world, "mina", "kai") == (500, 300)
    sound(world)


def _reviewed(make_world: Make, action: str, **more: Any) -> World:
    """An advocate and a friend of one name, which is enough to be looked at for a week."""
    review = {"review_at_bp": 3_000, "timeout": "P7D", "timeout_action": action}
    world = referring(make_world, review=review, **more)
    world.member("mina", name="Kim Minji")
    friend(world, name="Kim Minji")
    return world


def test_a_review_ends_by_itself_and_an_order_falls_in_it(make_world: Make) -> None:
    world = _reviewed(make_world, "approve", hold="P1D")
    friend(world, "noa", name="Kim Minji")
    world.set_clock("2026-01-02T00:00:00Z")
    for ref in ("ines", "noa"):
        assert state(buy(world, ref, 60_000, by=ref)) == ("on_hold", None)
    go_to(world, "2026-01-03T00:00:00Z")
    assert is_now(world) == ("in_review", None)
    answer = buy(world, "noa", 60_000, by="noa", status="cancelled")
    assert state(answer) == ("rejected", "ORDER_CANCELLED")
    go_to(world, "2026-01-09T23:59:59Z")
    assert balances(world) == (0, 0)
    go_to(world, "2026-01-10T00:00:00Z")
    assert (is_now(world), balances(world)) == (("approved", None), (500, 300))
    # Paid again, it is looked at again, for as long.
    assert state(buy(world, "noa", 60_000, by="noa")) == ("in_review", None)
    go_to(world, "2026-01-17T00:00:00Z")
    assert balances(world, "mina", "noa") == (1_000, 300)
    sound(world)
    refusing = _reviewed(make_world, "reject", friend_at="signup")
    # Who is paid at once is looked at at once.
    assert (is_now(refusing), balances(refusing)) == (("in_review", None), (0, 0))
    go_to(refusing, "2026-01-07T23:00:00Z")
    # An order says where it stands, in the words of whatever was noted.
    for _ in range(2):
        answer = buy(refusing, "A", 60_000)
        assert state(answer) == ("in_review", None)
        assert answer["referral"]["message"]["en"] == "Your invitation is noted."
    go_to(refusing, "2026-01-08T00:00:00Z")
    assert (is_now(refusing), balances(refusing)) == (("rejected", "MANUAL"), (0, 0))
    # Nothing that comes later changes what was refused.
    assert buy(refusing, "B", 60_000)["referral"] is None
    sound(refusing)


def test_a_telling_settles_what_is_overdue_first(make_world: Make) -> None:
    world = referring(make_world, advocate=[fixed(500)], hold="P14D")
    friend(world)
    world.set_clock("2026-01-02T00:00:00Z")
    buy(world, "A", 60_000)
    # The worker was away when the hold ended; then the order is cancelled, nobody says when.
    world.set_clock("2026-02-01T00:00:00Z")
    answer = buy(world, "A", 60_000, status="cancelled")
    assert state(answer) == ("approved", None)
    assert told_sides(answer) == {
        "advocate": ("clawed_back", 0, 500),
        "friend": ("clawed_back", 0, 300),
    }
    kinds = [entry["kind"] for entry in world.entries("mina")]
    assert kinds == ["earn", "claw_back"]
    assert world.entries("mina")[0]["effective_at"] == "2026-01-16T00:00:00Z"
    sound(world)


def test_a_second_level_is_paid_to_whoever_brought_the_advocate(make_world: Make) -> None:
    # SEMANTICS F53 as well: the advocate is erased in the hold, the friend is paid all the same.
    world = referring(make_world, second_level=[fixed(50)], hold="P1D")
    friend(world, "noa")
    friend(world, "ines", by="noa")
    world.set_clock("2026-01-02T00:00:00Z")
    for ref in ("noa", "ines"):
        buy(world, ref, 60_000, by=ref)
    go_to(world, "2026-01-03T00:00:00Z")
    assert balances(world, "mina", "noa", "ines") == (550, 800, 300)
    assert sides(world, "noa").keys() == {"advocate", "friend"}
    answer = buy(world, "ines", 60_000, status="cancelled")
    assert told_sides(answer)["second"] == ("clawed_back", 0, 50)
    friend(world, "kai", by="noa")
    buy(world, "kai", 60_000, by="kai", placed_at="2026-01-03T00:00:00Z")
    world.call("DELETE", "/members/noa")
    go_to(world, "2026-01-05T00:00:00Z")
    assert sides(world, "kai") == {
        "advocate": ("lost", "ERASED"),
        "friend": ("rewarded", None),
        "second": ("rewarded", None),
    }
    assert balances(world, "mina", "kai") == (550, 300)
    sound(world)


def test_a_purchase_of_before_ends_the_same_however_late_it_is_told(make_world: Make) -> None:
    # SEMANTICS F42 in any order of telling: ended are those who had bought, before anybody is paid
    # or after; what they got for signing up goes as well.
    world = referring(make_world, hold="P14D", friend_at="signup")
    refs = ("ines", "noa", "kai", "nel", "lea")
    for ref in refs:
        friend(world, ref, email=f"{ref}@example.com")
    assert balances(world, *refs) == (300,) * 5

    def before(ref: str, **more: Any) -> Any:
        said: dict[str, Any] = {"by": ref, "placed_at": "2025-12-01T00:00:00Z"}
        return buy(world, f"before-{ref}", 1_000, **(said | more))

    world.set_clock("2026-01-10T00:00:00Z")
    before("ines")
    for ref in refs:
        buy(world, f"after-{ref}", 60_000, by=ref)
    before("noa")
    # A guest's order with their contact is theirs.
    before("lea", by=None, contact={"email": "Lea@example.com"})
    go_to(world, "2026-01-20T00:00:00Z")
    late = ("rejected", "EXISTING_CUSTOMER")
    assert [is_now(world, ref) for ref in refs] == [late, late, *[("approved", None)] * 2, late]
    assert balances(world, "mina", *refs) == (1_000, 0, 0, 300, 300, 0)
    assert told_sides(before("kai")) == {
        "advocate": ("clawed_back", 0, 500),
        "friend": ("clawed_back", 0, 300),
    }
    # What was never paid was no purchase.
    before("nel", status="cancelled")
    before("nel", status="pending")
    assert [is_now(world, ref) for ref in ("kai", "nel")] == [late, ("approved", None)]
    # Nothing that follows changes what was refused.
    assert buy(world, "after-kai", 60_000, by="kai", status="cancelled")["referral"] is None
    assert balances(world, "mina", *refs) == (500, 0, 0, 0, 300, 0)
    sound(world)
    # Without a hold, in the unit that would have paid.
    at_once = referring(make_world, new_member={"lookback": "P1Y"})
    for ref, year in (("ines", 2025), ("noa", 2024)):
        friend(at_once, ref)
        buy(at_once, f"before-{ref}", 1_000, by=ref, placed_at=f"{year}-12-01T00:00:00Z")
    at_once.set_clock("2026-01-02T00:00:00Z")
    assert state(buy(at_once, "A", 60_000)) == late
    # A year and a month before is longer ago than the offer looks back, also after the payment.
    assert state(buy(at_once, "B", 60_000, by="noa")) == ("approved", None)
    buy(at_once, "C", 1_000, by="noa", placed_at="2024-12-02T00:00:00Z")
    assert balances(at_once, "mina", "ines", "noa") == (500, 0, 300)
    sound(at_once)


def test_what_a_referral_costs_an_order(make_world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    # Orders that concern no referral read nothing more; one that pays both sides reads four times
    # more: the advocate behind their lock, the referral, what is known of both, how both stood. A
    # friend with contacts is looked for by these once.
    asked: list[str] = []
    run = rawsql.run

    def counted(connection: sa.Connection, sql: str, *values: Any, **more: Any) -> Any:
        asked.append(sql)
        return run(connection, sql, *values, **more)

    def seen(_: Any, __: Any, sql: str, *___: Any) -> None:
        asked.append(sql)

    def reads(world: World, order_ref: str, by: str) -> int:
        asked.clear()
        buy(world, order_ref, 60_000, by=by)
        return sum("SELECT" in sql and "INSERT" not in sql for sql in asked)

    without = make_world(earning={"rules": []})
    world = referring(make_world)
    for ref, fields in (("ines", {}), ("noa", {}), ("kai", {"email": "kai@example.com"})):
        friend(world, ref, **fields)
    for one in (without, world):
        one.set_clock("2026-01-03T00:00:00Z")
        one.member("mina")
        buy(one, "first", 60_000, by="mina")
    buy(world, "ines", 60_000, by="ines")
    with world.app.app_context():
        engine = db.db.engine
    monkeypatch.setattr(rawsql, "run", counted)
    sa.event.listen(engine, "before_cursor_execute", seen)
    try:
        plain = reads(without, "second", "mina")
        assert reads(world, "second", "mina") == plain
        # Nor does a friend's second order, once they are paid for.
        assert reads(world, "third", "ines") == plain
        assert reads(world, "noa", "noa") == plain + 4
        assert reads(world, "kai", "kai") == plain + 5
    finally:
        sa.event.remove(engine, "before_cursor_execute", seen)
    assert is_now(world, "kai") == is_now(world, "noa") == ("approved", None)
