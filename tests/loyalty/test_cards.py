"""Cards folded from stamps: by hand, with instants in hours and days of Seoul."""

from zoneinfo import ZoneInfo

import pytest

from core import clock
from loyalty.cards import folding
from loyalty.cards.folding import Folded, Mark, Terms
from loyalty.cards.held import HeldCard
from programs.cards import Card

SEOUL = ZoneInfo("Asia/Seoul")
TEN = Terms(10)


def at(text: str) -> int:
    """An instant of 2026, by month, day and hour in UTC."""
    return clock.parse_instant(f"2026-{text}:00:00Z")


def mark(source: int, instant: str, stamps: int = 1, recorded: int = 0) -> Mark:
    """Stamps of a source."""
    return Mark(source.to_bytes(16, "big"), stamps, at(instant), recorded)


def fold(marks: list[Mark], *terms: Terms, now: str = "12-31T00", repeats: bool = True) -> Folded:
    """The card as of an instant; the last terms go on when it repeats."""

    def terms_of(number: int) -> Terms | None:
        if number <= len(terms):
            return terms[number - 1]
        return terms[-1] if repeats else None

    return folding.fold(marks, terms_of, zone=SEOUL, at=at(now))


def test_no_stamps_are_an_empty_card() -> None:
    found = fold([], TEN)
    assert (found.completed_at, found.stamps, found.first_at, found.expires_at) == (
        [],
        0,
        None,
        None,
    )


def test_the_tenth_stamp_completes_whatever_the_order_of_telling() -> None:
    marks = [mark(number, f"03-{number:02}T10") for number in (7, 1, 9, 2, 10, 3, 8, 4, 6, 5, 11)]
    found = fold(marks, TEN)
    assert found.completed_at == [at("03-10T10")]
    assert (found.stamps, found.first_at) == (1, at("03-11T10"))


def test_sources_that_give_nothing_any_more_open_no_card() -> None:
    found = fold([mark(1, "03-01T10", 0), mark(2, "03-02T10")], TEN)
    assert (found.stamps, found.first_at) == (1, at("03-02T10"))


def test_the_rest_of_a_stamp_dates_the_next_card() -> None:
    found = fold([mark(1, "03-01T10", 7), mark(2, "03-05T10", 25)], TEN)
    # 32 = 3 × 10 + 2, all completed by the second source.
    assert found.completed_at == [at("03-05T10")] * 3
    assert (found.stamps, found.first_at) == (2, at("03-05T10"))


def test_each_card_has_its_own_terms() -> None:
    marks = [mark(number, f"03-{number:02}T10") for number in range(1, 10)]
    found = fold(marks, Terms(2), Terms(3), Terms(5))
    assert found.completed_at == [at("03-02T10"), at("03-05T10")]
    assert (found.stamps, found.terms) == (4, Terms(5))


def test_without_a_further_card_stamps_count_for_nothing() -> None:
    marks = [mark(number, f"03-{number:02}T10") for number in range(1, 10)]
    found = fold(marks, Terms(3), repeats=False)
    assert (found.completed_at, found.stamps, found.terms) == ([at("03-03T10")], 0, None)


@pytest.mark.parametrize(
    ("second", "completed"),
    # From 10:00Z on 1 March, 19:00 in Seoul, through 8 March, which ends there at 15:00Z.
    [("03-08T14", True), ("03-08T15", False)],
)
def test_a_card_ends_with_its_last_day(second: str, completed: bool) -> None:
    found = fold([mark(1, "03-01T10"), mark(2, second)], Terms(2, "P7D"), now=second)
    assert bool(found.completed_at) is completed
    assert found.stamps == (0 if completed else 1)


def test_expiry_is_true_when_read() -> None:
    marks, terms = [mark(1, "03-01T10"), mark(2, "03-06T10")], Terms(3, "P7D")
    before = fold(marks, terms, now="03-08T14")
    assert (before.stamps, before.expires_at) == (2, at("03-08T15"))
    after = fold(marks, terms, now="03-08T15")
    assert (after.stamps, after.first_at, after.expires_at) == (0, None, None)
    # Stamp by stamp, the second one lives through 13 March.
    each = fold(marks, Terms(3, "P7D", True), now="03-08T15")
    assert (each.stamps, each.first_at, each.expires_at) == (1, at("03-06T10"), at("03-13T15"))


def test_of_stamps_that_age_out_the_oldest_are_used_first() -> None:
    terms = Terms(3, "P7D", True)
    marks = [mark(1, "03-01T10"), mark(2, "03-07T10"), mark(3, "03-09T10"), mark(4, "03-10T10", 3)]
    found = fold(marks, terms, now="03-10T11")
    # The first is too old on 9 March; on the 10th 2 + 3 stamps stand and the newest two stay.
    assert found.completed_at == [at("03-10T10")]
    assert (found.stamps, found.first_at) == (2, at("03-10T10"))


def test_at_one_instant_the_order_of_arrival_counts() -> None:
    late, early = mark(1, "03-01T10", 2, recorded=9), mark(2, "03-01T10", 1, recorded=5)
    assert sorted([late, early], key=lambda one: one.place) == [early, late]


def test_terms_are_kept_as_text() -> None:
    for terms in (TEN, Terms(3, "P4W", True), Terms(3, "P4W")):
        assert folding.parse(terms.text) == terms


def card(stamps: int, **more: object) -> Card:
    """A card of a document."""
    values = {
        "key": "coffee",
        "name": {},
        "is_live": True,
        "effects": (),
        "repeats": True,
        "expires_after": None,
        "expires": "card",
    }
    return Card(stamps=stamps, **(values | more))  # type: ignore[arg-type]


def bring(held: HeldCard, one: Mark, of: Card) -> list[tuple[int, bool]]:
    """What changed by a mark: numbers, and whether they stand."""
    changed = held.mark(one, of, zone=SEOUL, now=at("12-31T00"))
    return [(completion.number, completion.stands) for completion in changed]


def test_claims_go_and_come_back_newest_first() -> None:
    held, two = HeldCard(), card(2)
    assert bring(held, mark(1, "03-01T10"), two) == []
    assert bring(held, mark(2, "03-02T10", 5), two) == [(1, True), (2, True), (3, True)]
    ids = [one.id for one in held.completions]
    assert bring(held, mark(2, "03-02T10", 1), two) == [(3, False), (2, False)]
    assert bring(held, mark(2, "03-02T10", 7), two) == [(2, True), (3, True), (4, True)]
    assert [one.id for one in held.completions][:3] == ids


def test_a_late_stamp_takes_no_completion_back() -> None:
    # 5, 11 and 14 March within ten days; one of 1 March would open a card that is over by the 12th.
    held, three = HeldCard(), card(3, expires_after="P10D")
    for source, instant in ((1, "03-05T10"), (2, "03-12T10")):
        bring(held, mark(source, instant), three)
    assert bring(held, mark(3, "03-14T10"), three) == [(1, True)]
    assert bring(held, mark(4, "03-01T10"), three) == []
    assert held.standing == 1
    # And when it goes again, nothing is claimed for that.
    assert bring(held, mark(4, "03-01T10", 0), three) == []


def test_a_smaller_card_is_completed_by_the_next_stamp_at_its_instant() -> None:
    held = HeldCard()
    for source in range(1, 6):
        bring(held, mark(source, f"03-0{source}T10"), card(9))
    assert bring(held, mark(6, "03-06T10"), card(4)) == [(1, True)]
    assert held.completions[0].completed_at == at("03-06T10")
    assert held.completions[0].terms == Terms(4)


def test_a_moved_stamp_may_complete_a_card_or_not() -> None:
    held, two = HeldCard(), card(2, expires_after="P1D")
    bring(held, mark(1, "03-01T10"), two)
    assert bring(held, mark(2, "03-05T10"), two) == []
    assert bring(held, mark(2, "03-02T10"), two) == [(1, True)]
    assert bring(held, mark(2, "03-05T10"), two) == [(1, False)]


def test_united_cards_count_what_was_given() -> None:
    mina, jun, two = HeldCard(), HeldCard(), card(2)
    bring(mina, mark(1, "03-01T10", 3), two)
    bring(jun, mark(2, "03-02T10", 5), two)
    bring(jun, mark(2, "03-02T10", 3), two)
    mina.unite(jun)
    # One of each stands, and the one that Jun's refund took back comes behind them.
    assert [(one.number, one.stands) for one in mina.completions] == [
        (1, True),
        (2, True),
        (3, False),
    ]
    # Six stamps are three; the third is not claimed before a stamp comes.
    assert mina.standing == 2
    assert bring(mina, mark(3, "03-03T10"), two) == [(3, True)]
