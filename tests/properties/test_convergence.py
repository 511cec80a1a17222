"""Whatever arrives, in any order and however often, ends as if only the newest had been told."""

from typing import Any

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import ids
from loyalty.ledger import awards, holds
from loyalty.ledger.awards import Award
from loyalty.ledger.book import Book
from loyalty.ledger.entries import Cause, entry_hash
from loyalty.ledger.rows import HeldLot
from programs.compiled import compile_document
from programs.terms import NO_TERMS
from tests.properties import worlds
from tests.world import World, document, points

MEMBER = ids.new_id()
PROGRAM = ids.new_id()
AWARD = Award(PROGRAM, MEMBER, "points", NO_TERMS)
CAUSE = Cause("order", "A-1", None, None, 1, 1)
COMPILED = compile_document(PROGRAM, 1, document(earning={"rules": []}))


def bring(book: Book, deserved: int) -> list[dict[str, Any]]:
    return awards.bring_to(book, deserved, AWARD, cause=CAUSE, reversal_at=2)


def lots_of(book: Book) -> list[HeldLot]:
    return awards.lots_of(book, AWARD)


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(st.integers(0, 1000), min_size=1, max_size=12))
def test_points_end_at_what_the_newest_deserves_by_any_way(steps: list[int]) -> None:
    book = Book(COMPILED)
    for deserved in steps:
        bring(book, deserved)
        lots = lots_of(book)
        holding = book.holding(MEMBER, "points")
        assert holding.available == sum(lot.standing for lot in lots) == deserved
        assert sum(lot.remaining for lot in lots) == deserved
        assert holding.lifetime_earned == deserved
        assert bring(book, deserved) == []
    # What was taken is given back to its lots: only more than ever makes new ones.
    assert sum(lot.points for lot in lots_of(book)) == max(steps)


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.integers(0, 1000), min_size=1, max_size=12))
def test_entries_are_a_chain_that_adds_up_to_the_account(steps: list[int]) -> None:
    book = Book(COMPILED)
    for deserved in steps:
        bring(book, deserved)
    head, balance = bytes(32), 0
    for number, entry in enumerate(book.entries, start=1):
        sign = -1 if entry["kind"] == "claw_back" else 1
        balance += sign * entry["points"]
        head = entry_hash(head, entry)
        assert entry["points"] > 0
        assert (entry["seq"], entry["available_after"], entry["hash"]) == (number, balance, head)
    assert (balance, head) == (steps[-1], book.holding(MEMBER, "points").head)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.integers(0, 1000), min_size=1, max_size=8),
    spent=st.integers(0, 1000),
)
def test_what_was_spent_is_written_off_and_never_taken_twice(steps: list[int], spent: int) -> None:
    book = Book(COMPILED)
    bring(book, 1000)
    [lot] = lots_of(book)
    holding = book.holding(MEMBER, "points")
    if spent:
        held = holds.hold(book, holding, spent, expires_at=None, now=2, actor=None)
        holds.end(book, held, "captured", at=2, now=2, actor=None)
    for deserved in steps:
        bring(book, deserved)
        assert lot.standing == deserved
        assert holding.available == lot.remaining
        assert lot.remaining == max(0, min(1000 - spent, lot.points - lot.reversed - spent))
        assert 0 <= lot.written_off <= spent
        # What can still be taken is taken first; the rest is written off.
        assert lot.reversed + lot.written_off == 1000 - deserved


@st.composite
def snapshots(draw: st.DrawFn) -> list[dict[str, Any]]:
    """How one order looked, revision by revision."""
    whole = draw(worlds.orders())
    made = []
    for revision in range(1, draw(st.integers(2, 4)) + 1):
        body = draw(st.one_of(st.just(whole), worlds.refunded(whole), worlds.orders()))
        status = draw(st.sampled_from(["paid", "paid", "fulfilled", "cancelled", "pending"]))
        made.append(body | {"revision": revision, "status": status})
    return made


def seen(world: World, ref: str, order_ref: str) -> dict[str, Any]:
    """What a storefront can see of the outcome."""
    order = world.get(f"/orders/{order_ref}")
    of_order = ("status", "revision", "net_minor", "refunded_minor", "spend_minor", "lines")
    balances = world.get(f"/members/{ref}/balances")["data"]
    return {
        "earned": {kind: points(order, kind) for kind in worlds.KINDS},
        "order": {name: order["order"][name] for name in (*of_order, "qualifying_points")},
        "balances": [
            {name: one[name] for name in ("points_key", "available", "lifetime_earned")}
            for one in balances
        ],
        "tier": world.get(f"/members/{ref}")["tier"],
    }


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    data=st.data(),
    document=worlds.documents(),
    told=snapshots(),
    others=st.lists(worlds.orders(), min_size=1, max_size=2),
)
def test_any_permutation_with_duplicates_ends_in_the_newest_snapshot(
    app: Flask,
    data: Any,
    document: dict[str, Any],
    told: list[dict[str, Any]],
    others: list[dict[str, Any]],
) -> None:
    world = World(app, **document)
    days = ["2026-02-01T10:00:00Z", "2026-04-01T10:00:00Z"]
    for ref in ("mina", "jun"):
        world.member(ref)
        for number, other in enumerate(others):
            # One before the order in question, one after it.
            body = other | {"member_ref": ref, "placed_at": days[number]}
            world.put(f"/orders/{ref}-{number}", body)
    sent = data.draw(st.permutations(told * 2))
    if data.draw(st.booleans()):
        batch = [body | {"order_ref": "A-mina"} for body in sent]
        results = world.post("/orders/batch", {"orders": batch})["results"]
        assert all(one["status"] in (200, 201) for one in results)
    else:
        for body in sent:
            world.put("/orders/A-mina", body)
    world.put("/orders/A-jun", told[-1] | {"member_ref": "jun"})
    assert seen(world, "mina", "A-mina") == seen(world, "jun", "A-jun")
    assert world.verify()["mismatches"] == []
