"""Cards against a model that sees each stamp as a coin and walks through the days."""

from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from core import clock
from loyalty.cards import folding
from loyalty.cards.folding import Mark, Terms
from loyalty.cards.held import HeldCard
from programs.cards import Card

DAY = 24 * 60 * 60 * clock.SECOND
UTC = ZoneInfo("UTC")
#: A source: on which day, and how many stamps it gives.
Source = tuple[int, int]

sources = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 4)), min_size=1, max_size=12)
sizes = st.integers(1, 5)
lives = st.one_of(st.none(), st.integers(1, 15))


def naive(
    given_: list[Source], size: int, days: int | None, *, is_each: bool, today: int
) -> tuple[list[int], list[int]]:
    """Days of completion, and the days of the stamps on the open card, stamp by stamp."""
    completed: list[int] = []
    card: list[int] = []
    coins = sorted((day, place) for place, (day, count) in enumerate(given_) for _ in range(count))
    pending = [day for day, _ in coins]
    for day in range(today + 1):
        # Valid through the day that lies `days` later: gone with the beginning of the next.
        if days is not None and is_each:
            card = [stamp for stamp in card if day <= stamp + days]
        elif days is not None and card and day > card[0] + days:
            card = []
        while pending and pending[0] == day:
            card.append(pending.pop(0))
            if len(card) == size:
                completed.append(day)
                card = []
    return completed, card


def marks(given_: list[Source]) -> list[Mark]:
    """The same as marks at noon."""
    return [
        Mark(place.to_bytes(16, "big"), count, day * DAY + DAY // 2, 0)
        for place, (day, count) in enumerate(given_)
    ]


@given(sources, st.tuples(sizes, lives, st.booleans()), st.integers(0, 12), st.randoms())
@settings(max_examples=300, deadline=None)
def test_the_fold_is_what_walking_through_the_days_gives(
    given_: list[Source], card_terms: tuple[int, int | None, bool], more: int, chance: object
) -> None:
    size, days, is_each = card_terms
    today = max(day for day, _ in given_) + more
    terms = Terms(size, None if days is None else f"P{days}D", is_each)
    shuffled = marks(given_)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    found = folding.fold(shuffled, lambda _: terms, zone=UTC, at=today * DAY + 3 * DAY // 4)
    completed, card = naive(given_, size, days, is_each=is_each, today=today)
    assert [at // DAY for at in found.completed_at] == completed
    assert found.stamps == len(card)
    assert found.first_at == (card[0] * DAY + DAY // 2 if card else None)


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), max_size=40), sizes, st.booleans())
@settings(max_examples=300, deadline=None)
def test_whatever_comes_and_goes_what_stands_is_whole_cards(
    steps: list[tuple[int, int]], size: int, repeats: bool
) -> None:
    card = Card("coffee", {}, True, size, (), repeats, None, "card")
    held, told = HeldCard(), dict[int, int]()
    standing: list[bytes] = []
    for source, count in steps:
        changed = held.mark(
            Mark(source.to_bytes(16, "big"), count, source * DAY, 0), card, zone=UTC, now=50 * DAY
        )
        told[source] = count
        # A stack of claims: the last one in is the first one out.
        for one in changed:
            if one.stands:
                standing.append(one.id)
            else:
                assert standing.pop() == one.id
        whole = sum(told.values()) // size
        assert len(standing) == (whole if repeats else min(whole, 1)) == held.standing
    assert [one.id for one in held.completions if one.stands] == standing
    assert len(held.completions) >= len(standing)
