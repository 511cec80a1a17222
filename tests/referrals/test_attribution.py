"""The choice among evidence, without a database: ranks, touches, windows, who is left over."""

import itertools
from dataclasses import replace

import pytest

from core import clock
from referrals.attribution import METHODS, Candidate, choose, is_within

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
DAY = 86_400 * clock.SECOND


def one(method: str, advocate_id: bytes, at: int = 0, **more: object) -> Candidate:
    """A candidate of the offer `spring`."""
    made = Candidate(method, advocate_id, "spring", 1, 0, at, is_click=method == "token")
    return replace(made, **more)  # type: ignore[arg-type]


def test_each_method_outranks_the_next_whenever_it_was_told() -> None:
    assert [method.key for method in METHODS] == [
        *("manual", "bound", "code", "voucher", "token", "contact"),
    ]
    for stronger, weaker in itertools.pairwise(METHODS):
        # The weaker one is later, and told first.
        told = [one(weaker.key, B, at=9), one(stronger.key, A, at=1)]
        choice = choose(told)
        assert choice.winner.advocate_id == A
        assert [(each.advocate_id, why) for each, why in choice.losing] == [
            (B, f"outranked by {stronger.key}")
        ]


def test_a_typed_code_beats_a_later_click_and_the_loser_is_kept() -> None:
    # SEMANTICS F39: clicks by A (day 0) and B (day 5), code of A typed on day 6.
    told = [one("code", A, 6 * DAY), one("token", A, 0), one("token", B, 5 * DAY)]
    choice = choose(told)
    assert (choice.winner.advocate_id, choice.winner.method) == (A, "code")
    assert {(each.advocate_id, each.at, why) for each, why in choice.losing} == {
        (A, 0, "outranked by code"),
        (B, 5 * DAY, "outranked by code"),
    }


def test_the_last_click_wins_or_the_first_by_the_offer_of_the_latest() -> None:
    clicks = [one("token", B, 5), one("token", A, 1), one("token", C, 3)]
    last = choose(clicks)
    assert last.winner.advocate_id == B
    assert [(each.advocate_id, why) for each, why in last.losing] == [
        (C, "earlier click"),
        (A, "earlier click"),
    ]
    first = choose([replace(each, touching="first_touch") for each in clicks])
    assert first.winner.advocate_id == A
    assert {why for _, why in first.losing} == {"later click"}
    # Only the latest click's offer says first touch: it decides for all of them.
    mixed = [replace(clicks[0], touching="first_touch"), *clicks[1:]]
    assert choose(mixed).winner.advocate_id == A
    # Without that one the latest says last touch.
    assert choose([replace(mixed[0], refusal="CLICK_WINDOW"), *clicks[1:]]).winner.advocate_id == C


def test_of_equal_instants_the_later_told_wins_and_of_codes_the_first() -> None:
    assert choose([one("token", A, 7), one("token", B, 7)]).winner.advocate_id == B
    codes = choose([one("code", A, 7), one("code", B, 7)])
    assert codes.winner.advocate_id == A
    assert codes.losing[0][1] == "another came first"


def test_who_may_not_bring_the_friend_leaves_it_to_the_next_and_says_why() -> None:
    told = [one("token", A, 1), one("token", B, 2), one("token", C, 3, refusal="CLICK_WINDOW")]
    choice = choose(told, lambda each: "BLOCKED" if each.advocate_id == B else None)
    assert (choice.winner.advocate_id, choice.winner.refusal) == (A, None)
    assert {(each.advocate_id, why) for each, why in choice.losing} == {
        (B, "BLOCKED"),
        (C, "CLICK_WINDOW"),
    }
    # Nobody is left: the latest of those that were refused says why.
    refused = choose(told, lambda _: "BLOCKED")
    assert (refused.winner.advocate_id, refused.winner.refusal) == (C, "CLICK_WINDOW")
    assert len(refused.losing) == 2


@pytest.mark.parametrize(
    ("at", "counts"), [("2026-01-30T23:59:59Z", True), ("2026-01-31T00:00:00Z", False)]
)
def test_windows_are_half_open_and_elapsed(at: str, counts: bool) -> None:
    # SEMANTICS F41.
    clicked_at = clock.parse_instant("2026-01-01T00:00:00Z")
    window = clock.parse_duration("P30D")
    assert is_within(clicked_at, window, clock.parse_instant(at)) is counts
    # The clocks of a zone do not move it: 29 March 2026 has 23 hours in Europe.
    over = clock.parse_instant("2026-03-29T00:30:00Z")
    assert not is_within(over, clock.parse_duration("P1D"), over + DAY)
    assert is_within(over, clock.parse_duration("P1D"), over + DAY - 1)
