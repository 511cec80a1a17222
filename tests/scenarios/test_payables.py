"""Cash that is owed: by rules of every trigger, following refunds, exported once."""

import csv
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from core import db, ids
from rewards.payables import EXPORTS, PAYABLES
from server.verify import whole
from tests.concurrency.parallel import at_once
from tests.world import World, rule

Make = Callable[..., World]


def owes(**amount: int) -> dict[str, Any]:
    return {"do": "payable", **amount}


def visit(world: World, ref: str, **more: Any) -> Any:
    told = {"member_ref": "mina", "kind": "visit", "occurred_at": "2026-03-01T10:00:00Z"}
    return world.put(f"/activities/{ref}", told | more)


def owed(world: World, ref: str = "mina") -> tuple[int, int]:
    found = world.get(f"/members/{ref}/payables")
    return found["owed_minor"], found["exported_minor"]


def export(world: World, **body: Any) -> Any:
    return world.post("/payables/exports", body, status=201)["export"]


@pytest.fixture
def shop(make_world: Make) -> World:
    """Cashback of 5 %, 10.00 for large orders in three ways, 3.00 for two visits a day, 2.00 for
    signing up, on 1 March 2026."""
    large = {"when": {"fact": "order.net_minor", "op": ">=", "value": 10_000}}
    daily = {"limits": [{"per": "member", "period": "day", "times": 2}]}
    world = make_world(
        earning={
            "rules": [
                rule("back", owes(percent_bp=500)),
                rule("checked", owes(minor=1000), **large),
                rule("kept", owes(minor=1000), **large, on_refund="keep"),
                rule("shared", owes(minor=1000), **large, on_refund="prorate"),
                rule("visit", owes(minor=300), **daily) | {"trigger": "activity:visit"},
                rule("welcome", owes(minor=200)) | {"trigger": "signup"},
            ]
        }
    )
    world.set_clock("2026-03-01T12:00:00Z")
    return world


def test_cash_follows_an_order_through_refunds_cancels_and_back(shop: World) -> None:
    assert shop.member()["payables"] == [{"rule": "welcome", "minor": 200}]
    # 5 % of 100.19 are 5.0095: the part below a cent is owed to nobody; shipping is no part.
    told = shop.order("A-1", 10_019, shipping_minor=500)
    assert told["payables"] == [
        {"rule": "back", "minor": 500},
        {"rule": "checked", "minor": 1000},
        {"rule": "kept", "minor": 1000},
        {"rule": "shared", "minor": 1000},
    ]
    assert shop.order("A-1", 10_019, shipping_minor=500)["payables"] == told["payables"]
    assert shop.get("/orders/A-1")["payables"] == told["payables"]
    assert owed(shop) == (200 + 3500, 0)
    # 30.19 back: 70.00 is left, 3.50 of it; below 100.00; 1000 × 7000 ÷ 10019 = 698.67.
    refund = {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 3019}
    left = shop.put("/orders/A-1/refunds/R-1", refund)["payables"]
    assert left == [
        {"rule": "back", "minor": 350},
        {"rule": "kept", "minor": 1000},
        {"rule": "shared", "minor": 698},
    ]
    assert owed(shop) == (200 + 2048, 0)
    gone = shop.order("A-1", 10_019, shipping_minor=500, status="cancelled")
    assert (gone["payables"], owed(shop)) == ([], (200, 0))
    back = shop.order("A-1", 10_019, shipping_minor=500, revision=3)
    assert (back["payables"], owed(shop)) == (left, (200 + 2048, 0))
    shop.member("jun")
    moved = shop.order("A-1", 10_019, shipping_minor=500, member_ref="jun")
    assert moved["payables"] == left
    assert (owed(shop), owed(shop, "jun")) == ((200, 0), (200 + 2048, 0))
    rows = shop.get("/payables?source=order:A-1&member=jun")["data"]
    assert [(one["rule"], one["minor"]) for one in rows] == [
        ("shared", 698),
        ("kept", 1000),
        ("back", 350),
    ]
    assert {one["state"] for one in rows} == {"owed"} and rows[0]["export_id"] is None
    [decision] = {one["decision_id"] for one in rows}
    told = shop.get(f"/decisions/{decision}")
    assert told["payables"] == {"back": 350, "kept": 1000, "shared": 698}
    assert "€3.50 in cash" in str(told["summary"]["en"])
    assert shop.call("GET", "/payables?source=A-1").status_code == 422
    assert shop.verify()["mismatches"] == []


def test_limits_hold_cash_back_and_what_is_withdrawn_gives_its_place(shop: World) -> None:
    shop.member()
    assert visit(shop, "V-1")["payables"] == [{"rule": "visit", "minor": 300}]
    assert visit(shop, "V-1")["payables"] == [{"rule": "visit", "minor": 300}]
    assert visit(shop, "V-2")["payables"] == [{"rule": "visit", "minor": 300}]
    third = visit(shop, "V-3")
    assert third["payables"] == []
    [outcome] = shop.get(f"/decisions/{third['activity']['decision_id']}")["outcomes"]
    assert (outcome["rule"], outcome["reason"]) == ("visit", "limit_reached")
    assert owed(shop) == (200 + 600, 0)
    assert visit(shop, "V-1", status="withdrawn")["payables"] == []
    assert visit(shop, "V-4")["payables"] == [{"rule": "visit", "minor": 300}]
    assert shop.get("/activities/V-4")["payables"] == [{"rule": "visit", "minor": 300}]
    assert owed(shop) == (200 + 600, 0)
    why = shop.get("/members/mina/why?source=activity:V-4")
    said = str(why)
    assert "€3.00 in cash" in said and "현금 €3.00" in said
    assert shop.verify()["mismatches"] == []


def test_an_export_takes_each_member_s_sum_once_and_what_is_owed_back_waits(shop: World) -> None:
    for ref in ("mina", "=jun", "bo"):
        shop.member(ref)
    shop.order("A-1", 8_000)
    shop.order("B-1", 4_000, member_ref="=jun")
    first = export(shop, until="2026-03-01T11:00:00Z")
    # Signing up is owed since noon, after the instant: 5 % of 80.00 and of 40.00 alone.
    assert (first["count"], first["total_minor"], first["until"]) == (
        2,
        400 + 200,
        "2026-03-01T11:00:00Z",
    )
    shop.order("A-1", 8_000, status="cancelled")
    second = export(shop)
    # Mina owes 4.00 back and is owed 2.00: nothing goes to her.
    assert (second["count"], second["total_minor"]) == (2, 400)
    assert (owed(shop), owed(shop, "=jun"), owed(shop, "bo")) == ((-200, 400), (0, 400), (0, 200))
    third = export(shop)
    assert (third["count"], third["total_minor"]) == (0, 0)
    shop.order("A-1", 8_000, revision=9)
    fourth = export(shop)
    assert (fourth["count"], fourth["total_minor"], owed(shop)) == (1, 200, (0, 600))
    assert [one["id"] for one in shop.get("/payables/exports")["data"]] == [
        one["id"] for one in (fourth, third, second, first)
    ]
    told = shop.get(f"/payables/exports/{first['id']}")
    assert sorted((one["member_ref"], one["minor"]) for one in told["lines"]) == [
        ("=jun", 200),
        ("mina", 400),
    ]
    assert {one["last_at"] for one in told["lines"]} == {"2026-03-01T10:00:00Z"}
    listed = shop.get("/payables?state=exported&member=mina")["data"]
    assert {one["export_id"] for one in listed} == {first["id"], fourth["id"]}
    response = shop.call("GET", f"/payables/exports/{first['id']}?format=csv")
    rows = list(csv.DictReader(io.StringIO(response.get_data(as_text=True).removeprefix("\ufeff"))))
    assert sorted((row["member_ref"], row["minor"], row["currency"]) for row in rows) == [
        ("'=jun", "200", "EUR"),
        ("mina", "400", "EUR"),
    ]
    shown = [one["payables"] for one in told["lines"]]
    assert [row["payables"].split(" ") for row in rows] == shown
    assert shop.call("GET", "/payables/exports/pex_0").status_code == 404
    assert shop.get("/reports/liability")["totals"]["payables_minor"] == 0
    assert shop.verify()["mismatches"] == []


def test_exports_at_once_take_everything_once(shop: World) -> None:
    refs = [f"m-{number}" for number in range(6)]
    for number, ref in enumerate(refs):
        shop.member(ref)
        shop.order(f"O-{number}", 2_000, member_ref=ref)

    def work(number: int) -> Callable[[], Any]:
        if number % 2:
            return lambda: shop.order(f"N-{number}", 2_000, member_ref=refs[number])
        return lambda: export(shop)

    at_once([work(number) for number in range(6)])
    last = export(shop)
    exports = shop.get("/payables/exports")["data"]
    # 2.00 for each of six members and 1.00 for each of nine orders.
    assert sum(one["total_minor"] for one in exports) == 6 * 200 + 9 * 100
    assert sum(owed(shop, ref)[1] for ref in refs) == 2100
    assert export(shop)["total_minor"] == 0 and last["total_minor"] <= 300
    assert shop.verify()["mismatches"] == []


def test_members_who_are_merged_or_erased(shop: World) -> None:
    for ref in ("mina", "jun", "bo"):
        shop.member(ref)
    shop.order("A-1", 2_000)
    shop.order("B-1", 2_000, member_ref="bo")
    made = export(shop, until="2026-03-01T11:00:00Z")
    assert (made["count"], made["total_minor"]) == (2, 200)
    shop.order("A-2", 4_000)
    shop.post("/members/mina/merge", {"into_member_ref": "jun"})
    # Jun's own 2.00, Mina's 2.00 and 2.00; the 1.00 that was exported is not owed again.
    assert owed(shop, "jun") == (600, 100)
    assert shop.order("A-1", 2_000, member_ref="jun", revision=2)["payables"] == [
        {"rule": "back", "minor": 100}
    ]
    assert owed(shop, "jun") == (600, 100)
    lines = shop.get(f"/payables/exports/{made['id']}")["lines"]
    assert {one["member_ref"] for one in lines} == {"mina", "bo"}
    assert shop.get("/reports/liability")["totals"]["payables_minor"] == 600 + 200
    shop.call("DELETE", "/members/bo")
    assert shop.get("/reports/liability")["totals"]["payables_minor"] == 600
    assert (export(shop)["total_minor"], shop.get("/payables?state=owed")["data"]) != (0, [])
    rows = shop.get("/payables?source=order:B-1")["data"]
    assert [(one["member_ref"], one["minor"]) for one in rows] == [(None, 100)]
    # What comes back of an order of nobody's is owed by nobody.
    shop.put(
        "/orders/B-1/refunds/R-1", {"refunded_at": "2026-03-01T11:00:00Z", "amount_minor": 500}
    )
    assert len(shop.get("/payables?source=order:B-1")["data"]) == 1
    assert shop.verify()["mismatches"] == []


def test_the_proof_names_what_was_altered(shop: World) -> None:
    shop.member()
    shop.order("A-1", 8_000)
    export(shop)
    shop.order("A-2", 2_000)
    assert shop.verify()["mismatches"] == []
    program_id = ids.read_id("prg", shop.program_id)
    owed_now = sa.and_(PAYABLES.c.program_id == program_id, PAYABLES.c.exported_by.is_(None))
    paid = sa.and_(PAYABLES.c.program_id == program_id, PAYABLES.c.exported_by.is_not(None))
    of_export = EXPORTS.c.program_id == program_id
    alterations: list[tuple[str, sa.Update]] = [
        ("payables", sa.update(PAYABLES).where(owed_now).values(minor=99)),
        ("payables", sa.update(PAYABLES).where(owed_now).values(rule="other")),
        ("payables", sa.update(PAYABLES).where(owed_now).values(source_id=bytes(16))),
        ("payables", sa.update(PAYABLES).where(owed_now).values(currency="USD")),
        ("payables", sa.update(PAYABLES).where(owed_now).values(decision_id=None)),
        ("payables", sa.update(PAYABLES).where(owed_now).values(recorded_at=1)),
        ("payables", sa.update(PAYABLES).where(paid).values(payee_id=None)),
        (
            "payable_exports",
            sa.update(PAYABLES).where(paid).values(exported_by=None, payee_id=None),
        ),
        ("payable_exports", sa.update(EXPORTS).where(of_export).values(count=7)),
        ("payable_exports", sa.update(EXPORTS).where(of_export).values(total_minor=1)),
    ]

    def found(connection: sa.Connection, change: sa.Update) -> list[str]:
        saved = connection.begin_nested()
        connection.execute(change)
        told: list[str] = whole.run(connection, program_id)["mismatches"]
        saved.rollback()
        return told

    with shop.app.app_context():
        for table, change in alterations:
            told = db.in_transaction(partial(found, change=change))
            assert any(one.startswith(f"{table} ") for one in told), (str(change), told)


def test_what_was_taken_back_nets_whatever_an_export_goes_up_to(shop: World) -> None:
    shop.member()
    shop.order("A-1", 8_000)
    shop.set_clock("2026-03-05T12:00:00Z")
    shop.order("A-1", 8_000, status="cancelled", cancelled_at="2026-03-05T12:00:00Z")
    rows = shop.get("/payables?source=order:A-1")["data"]
    assert sorted((one["minor"], one["effective_at"]) for one in rows) == [
        (-400, "2026-03-05T12:00:00Z"),
        (400, "2026-03-01T10:00:00Z"),
    ]
    # On 4 March 4.00 were owed; by now nothing is, but for 2.00 since noon of the first.
    early = export(shop, until="2026-03-01T11:00:00Z")
    assert (early["count"], early["total_minor"]) == (0, 0)
    # 5 % of 80.00, and of 60.00 less.
    shop.order("A-2", 8_000)
    part = {"refunded_at": "2026-03-05T11:00:00Z", "amount_minor": 6_000}
    shop.put("/orders/A-2/refunds/R-1", part)
    then = export(shop, until="2026-03-01T11:00:00Z")
    assert (then["count"], then["total_minor"], owed(shop)) == (1, 100, (200, 100))
    assert export(shop)["total_minor"] == 200
    assert shop.verify()["mismatches"] == []
