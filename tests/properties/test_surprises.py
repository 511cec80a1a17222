"""Surprises agree with a book kept by hand: the same winners, guards and balances, whatever is
told, cancelled, paid again and moved; and one order's tellings end alike in any order."""

from datetime import UTC, datetime
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewards.surprises import holdout
from tests.properties.surprise_worlds import NOW, Book, Paper, Told, seed_of
from tests.surprises.playing import receipts, sound
from tests.world import World

PLACED = {
    "A": "2026-03-01T10:00:00Z",
    "B": "2026-03-01T14:59:59Z",
    "C": "2026-03-01T15:00:00Z",
    "D": "2026-03-02T10:00:00Z",
    "E": "2026-03-09T10:00:00Z",
    "F": "2026-03-31T10:00:00Z",
}
MEMBERS = ("mina", "jun")
MAYBE = st.none()
PAPERS = st.builds(
    Paper,
    key=st.just("?"),
    ppm=st.sampled_from([0, 300_000, 700_000, 1_000_000, 1_000_000]),
    prizes=st.sampled_from([((1, 7),), ((3, 2), (1, 11)), ((1, 5), (5, 1), (2, 20))]),
    priority=st.integers(-1, 1),
    group=st.booleans(),
    holdout_bp=st.sampled_from([0, 0, 0, 5000]),
    least=MAYBE | st.just(1000),
    a_day=MAYBE | st.integers(1, 2),
    in_all=MAYBE | st.integers(1, 4),
    cooldown=MAYBE | st.sampled_from([1, 30]),
    budget=MAYBE | st.integers(20, 40),
    pity=MAYBE | st.integers(1, 2),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(list(PLACED)),
        st.sampled_from(MEMBERS),
        st.sampled_from([500, 1000, 2000]),
        st.sampled_from(["paid", "paid", "paid", "pending", "cancelled"]),
    ),
    min_size=6,
    max_size=16,
)
SETTINGS = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def begin(app: Flask, papers: list[Paper]) -> tuple[World, Book]:
    """A program with these surprises that nothing else earns in, and the book about it."""
    documents = [one.document() for one in papers]
    world = World(app, earning={"rules": []}, surprises=documents)
    world.set_clock(NOW)
    for ref in MEMBERS:
        world.member(ref)
    return world, Book(papers, seed_of(world), world.program_id)


def at(ref: str) -> datetime:
    return datetime.fromisoformat(PLACED[ref]).astimezone(UTC)


@given(st.lists(PAPERS, min_size=1, max_size=4), STEPS)
@SETTINGS
def test_they_are_what_a_book_kept_by_hand_says(
    app: Flask, made: list[Paper], steps: list[tuple[str, str, int, str]]
) -> None:
    papers = [Paper(**(vars(one) | {"key": f"s{number}"})) for number, one in enumerate(made)]
    world, book = begin(app, papers)
    for ref, member, minor, status in steps:
        answer = world.order(ref, minor, member_ref=member, status=status, placed_at=PLACED[ref])
        book.tell(ref, Told(member, minor, status), at(ref))
        stands = {slip.key: slip.prize for slip in book.of(ref, member) if slip.stands}
        assert {one["key"]: one["prize"] for one in answer["surprises"]} == stands
    stored = [
        (r["surprise_key"], r["member_ref"], r["source_ref"], r["guard"], r["roll"], r["prize"])
        for r in receipts(world)
    ]
    assert stored == [(s.key, s.member, s.order, s.guard, s.roll, s.prize) for s in book.slips]
    for ref in MEMBERS:
        assert world.balance(ref) == book.balance(ref)
    sound(world)


@given(
    st.lists(
        st.tuples(st.sampled_from(["paid", "cancelled", "pending"]), st.sampled_from([500, 900])),
        min_size=2,
        max_size=4,
    ),
    st.data(),
)
@SETTINGS
def test_one_order_ends_alike_in_whatever_order_it_is_told(
    app: Flask, tellings: list[tuple[str, int]], data: Any
) -> None:
    papers = [
        Paper("half", 500_000),
        Paper("often", 900_000, ((1, 2), (1, 3)), group=True),
        Paper("always", prizes=((1, 4), (4, 5)), group=True, priority=1),
    ]
    world, book = begin(app, papers)
    numbered = list(enumerate(tellings, start=1))
    told = data.draw(st.permutations([*numbered, *numbered[:2]]))
    for revision, (status, minor) in told:
        world.order("A", minor, status=status, revision=revision, placed_at=PLACED["A"])
    last_status, minor = tellings[-1]
    # On paper only the newest is told.
    book.tell("A", Told("mina", minor, last_status), at("A"))
    shown = world.get("/orders/A")["surprises"]
    assert {one["key"]: one["prize"] for one in shown} == {
        slip.key: slip.prize for slip in book.slips if slip.stands
    }
    assert world.balance() == book.balance("mina")
    assert len(receipts(world)) in (0, 3)
    sound(world)


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 9999), st.integers(1, 10_000))
def test_a_larger_holdout_only_adds_members(salt: str, ref: str, less: int, more: int) -> None:
    less, more = sorted((less, more))
    assert holdout.is_held(salt, ref, more) or not holdout.is_held(salt, ref, less)
    assert holdout.is_held(salt, ref, 10_000) and not holdout.is_held(salt, ref, 0)
