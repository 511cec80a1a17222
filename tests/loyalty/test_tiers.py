"""Levels as pure functions: entering, keeping, splitting, showing."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core import clock
from loyalty.tiers import moving, showing
from loyalty.tiers.contributions import Contribution, History
from loyalty.tiers.factor import factor
from loyalty.tiers.showing import View
from loyalty.tiers.standing import NOWHERE, Assured, Place, Standing, higher, place_of
from programs.compiled import Compiled, compile_document
from programs.ladder import Ladder
from storefront import facts as standing_facts
from tests.world import document

SEOUL = ZoneInfo("Asia/Seoul")
LEVELS: list[dict[str, Any]] = [
    {"key": "silver", "enter_at": 500, "retain_at": 300, "multiplier_bp": 12500},
    {"key": "gold", "enter_at": 1000, "retain_at": 800, "multiplier_bp": 20000},
]


def _program(*, at: str = "order_time", **tiers_section: Any) -> Compiled:
    standing_facts.install()
    body = document(
        tiers={"levels": LEVELS} | tiers_section,
        earning={"rules": [], "tier_multiplier_at": at},
    )
    return compile_document(bytes(16), 1, body)


def _ladder(**tiers_section: Any) -> Ladder:
    return _program(**tiers_section).ladder


def _key(level: Any) -> str | None:
    return None if level is None else level.key


def _replay(ladder: Ladder, *rows: tuple[str, int], at: str) -> tuple[str | None, str | None]:
    found = moving.replay(
        ladder,
        [Contribution(clock.parse_instant(day), spend, 0) for day, spend in rows],
        SEOUL,
        at=clock.parse_instant(at),
    )
    since = None if found.level is None else clock.format_instant(found.since)
    return _key(found.level), since


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, None), (499, None), (500, "silver"), (999, "silver"), (1000, "gold"), (10**12, "gold")],
)
def test_levels_are_entered_at_their_threshold(value: int, expected: str | None) -> None:
    assert _key(moving.reached(_ladder(), [value])) == expected


@pytest.mark.parametrize(
    ("downgrade", "value", "expected"),
    [
        ("none", 0, "gold"),
        ("full", 800, "gold"),
        ("full", 799, "silver"),
        ("full", 500, "silver"),
        # Silver is not entered with 499, and gold is not silver: retaining takes holding.
        ("full", 499, None),
        ("full", 0, None),
    ],
)
def test_gold_is_kept_or_falls(downgrade: str, value: int, expected: str | None) -> None:
    ladder = _ladder(downgrade=downgrade)
    gold = Standing(ladder.find("gold"), 0)
    after = moving.seen(ladder, gold, (value,), at=1, zone=SEOUL)
    assert after.key == expected


ROLLING = {"window": "rolling", "duration": "P12M"}


def test_the_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    ladder = _ladder(basis=ROLLING)
    first, second = ("2025-03-15T01:00:00Z", 600), ("2026-03-15T01:00:00Z", 400)
    assert _replay(ladder, first, second, at=second[0]) == ("silver", first[0])
    later = ("2025-03-15T01:00:01Z", 600)
    assert _replay(ladder, later, second, at=second[0]) == ("gold", second[0])


def test_the_months_of_a_window_are_the_programs_months() -> None:
    # 28 February 2026 at 23:30 in Seoul is 14:30 UTC; a month earlier is 28 January, 23:30.
    ladder = _ladder(basis={"window": "rolling", "duration": "P1M"})
    end = ("2026-02-28T14:30:00Z", 400)
    assert _replay(ladder, ("2026-01-28T14:30:01Z", 600), end, at=end[0])[0] == "gold"
    assert _replay(ladder, ("2026-01-28T14:30:00Z", 600), end, at=end[0])[0] == "silver"
    # A month before 31 March is the last day of February.
    march = ("2026-03-31T01:00:00Z", 400)
    assert _replay(ladder, ("2026-02-28T01:00:01Z", 600), march, at=march[0])[0] == "gold"
    assert _replay(ladder, ("2026-02-28T01:00:00Z", 600), march, at=march[0])[0] == "silver"


def test_time_lowers_only_with_downgrade_full() -> None:
    order = ("2026-01-10T00:00:00Z", 1000)
    kept, falls = _ladder(basis=ROLLING), _ladder(basis=ROLLING, downgrade="full")
    assert _replay(kept, order, at="2027-01-10T00:00:00Z") == ("gold", order[0])
    assert _replay(falls, order, at="2027-01-09T23:59:59Z") == ("gold", order[0])
    assert _replay(falls, order, at="2027-01-10T00:00:00Z") == (None, None)


def test_what_comes_after_the_instant_does_not_count() -> None:
    rows = (("2026-01-10T00:00:00Z", 600), ("2026-02-10T00:00:00Z", 600))
    assert _replay(_ladder(), *rows, at="2026-02-09T23:59:59Z")[0] == "silver"
    assert _replay(_ladder(), *rows, at="2026-02-10T00:00:00Z")[0] == "gold"


@pytest.mark.parametrize(
    ("at", "before", "adds", "held", "expected"),
    [
        ("order_time", 450, 100, None, (1, 1)),
        ("new_tier", 450, 100, None, (5, 4)),
        # 50 at 1 and 50 at 1.25: 112.5 of 100.
        ("split", 450, 100, None, (9, 8)),
        # Over both thresholds: 50 at 1, 500 at 1.25, 50 at 2: 775 of 600.
        ("split", 450, 600, None, (31, 24)),
        ("split", 950, 100, "silver", (13, 8)),  # 50 × 1.25 + 50 × 2 = 162.5
        ("split", 500, 100, "silver", (5, 4)),
        ("split", 1000, 100, "gold", (2, 1)),
        ("new_tier", 950, 100, "silver", (2, 1)),
        ("order_time", 950, 100, "silver", (5, 4)),
        ("split", 450, 0, None, (1, 1)),
        # A level held by time counts until it falls.
        ("split", 0, 100, "gold", (2, 1)),
        ("new_tier", 0, 100, "gold", (2, 1)),
    ],
)
def test_the_factor_of_an_order(
    at: str, before: int, adds: int, held: str | None, expected: tuple[int, int]
) -> None:
    program = _program(at=at)
    found = factor(program, program.ladder.find(held), before=[before], adds=[adds])
    assert found.numerator * expected[1] == expected[0] * found.denominator


def test_progress_names_the_next_level_and_what_keeps_this_one() -> None:
    program = _program(basis=ROLLING, downgrade="full")
    silver = program.ladder.find("silver")
    stood = Standing(silver, clock.parse_instant("2026-01-10T00:00:00Z"))
    shown = showing.show(program, View(stood, (650,)))
    assert (shown["key"], shown["since"]) == ("silver", "2026-01-10T00:00:00Z")
    [progress] = shown["progress"]
    assert progress["next"] == {"key": "gold", "missing": 350}
    assert progress["retain"]["missing"] == 0
    none = showing.show(program, View(NOWHERE, (0,)))
    assert (none["key"], none["since"], none["at_risk"]) == (None, None, False)
    assert none["progress"][0]["next"] == {"key": "silver", "missing": 500}


def test_changes_name_their_direction() -> None:
    ladder = _ladder()
    silver, gold = ladder.find("silver"), ladder.find("gold")
    assert showing.change(silver, silver) is None
    assert showing.change(None, gold) == {"from": None, "to": "gold", "kind": "upgrade"}
    assert showing.change(gold, silver) == {"from": "gold", "to": "silver", "kind": "downgrade"}
    assert showing.change(silver, None) == {"from": "silver", "to": None, "kind": "downgrade"}


def _at(text: str) -> int:
    return clock.parse_instant(text)


TERM: dict[str, Any] = {
    "basis": {"window": "rolling", "duration": "P12M"},
    "term": {"policy": "from_entry", "duration": "P12M"},
    "grace": "P30D",
    "downgrade": "one_down",
    "levels": LEVELS,
}


def _stands(section: dict[str, Any], at: str, *rows: tuple[str, int]) -> tuple[Any, ...]:
    """Key, end of term and of grace in Seoul's days, and whether it is at risk."""
    ladder = _ladder(**section)
    found = moving.replay(
        ladder, [Contribution(_at(day), n, 0) for day, n in rows], SEOUL, at=_at(at)
    )
    return found.key, _day(found.until), _day(found.grace_until), found.is_at_risk


def _day(instant: int | None) -> str | None:
    """The last day before a midnight in Seoul."""
    if instant is None:
        return None
    assert clock.to_datetime(instant, SEOUL).strftime("%H:%M:%S.%f") == "00:00:00.000000"
    return str(clock.local_date(instant - 1, SEOUL))


# D28: 600 on 15 March, 500 on 10 October 2026, each at noon in Seoul.
D28 = (("2026-03-15T03:00:00Z", 600), ("2026-10-10T03:00:00Z", 500))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-10-10T02:59:59Z", ("silver", "2027-03-15", None, False)),
        ("2026-10-10T03:00:00Z", ("gold", "2027-10-10", None, False)),
        ("2027-03-15T02:59:59Z", ("gold", "2027-10-10", None, False)),
        # At noon the 600 leave the window: 500 are less than 800.
        ("2027-03-15T03:00:00Z", ("gold", "2027-10-10", None, True)),
        ("2027-10-10T14:59:59Z", ("gold", "2027-10-10", None, True)),
        ("2027-10-10T15:00:00Z", ("gold", "2027-10-10", "2027-11-09", True)),
        ("2027-11-09T14:59:59Z", ("gold", "2027-10-10", "2027-11-09", True)),
        # One down, with a term of its own from the old end on; nothing is bought: at risk.
        ("2027-11-09T15:00:00Z", ("silver", "2028-11-09", None, True)),
        ("2028-11-09T15:00:00Z", ("silver", "2028-11-09", "2028-12-09", True)),
        ("2028-12-09T15:00:00Z", (None, None, None, False)),
    ],
)
def test_a_rolling_window_with_a_term_from_entry(at: str, expected: tuple[Any, ...]) -> None:
    assert _stands(TERM, at, *D28) == expected


def test_the_end_of_grace_may_lead_to_what_is_reached() -> None:
    full = TERM | {"downgrade": "full"}
    assert _stands(full, "2027-11-09T15:00:00Z", *D28)[0] is None
    # 600 bought in October 2027 reach silver, and do not keep gold.
    more = (*D28, ("2027-10-20T03:00:00Z", 600))
    assert _stands(full, "2027-11-09T15:00:00Z", *more) == ("silver", "2028-11-09", None, False)
    without = {name: value for name, value in TERM.items() if name != "grace"}
    assert _stands(without, "2027-10-10T15:00:00Z", *D28)[:2] == ("silver", "2028-10-10")
    assert _stands(TERM | {"downgrade": "none"}, "2029-10-10T15:00:00Z", *D28) == (
        "gold",
        "2030-10-10",
        None,
        False,
    )


def test_within_grace_what_keeps_the_level_renews_it_from_that_day() -> None:
    rows = (*D28, ("2027-10-20T03:00:00Z", 500), ("2027-10-25T03:00:00Z", 300))
    assert _stands(TERM, "2027-10-25T02:59:59Z", *rows)[2] == "2027-11-09"
    assert _stands(TERM, "2027-10-25T03:00:00Z", *rows) == ("gold", "2028-10-25", None, False)


def test_a_renewal_starts_at_the_old_end() -> None:
    rows = (*D28, ("2027-05-01T03:00:00Z", 800))
    # 800 bought in term do not prolong it; they renew it when it is over.
    assert _stands(TERM, "2027-10-10T14:59:59Z", *rows) == ("gold", "2027-10-10", None, False)
    assert _stands(TERM, "2027-10-10T15:00:00Z", *rows) == ("gold", "2028-10-10", None, False)


def test_a_year_of_the_calendar_and_the_next() -> None:
    year = {
        "basis": {"window": "calendar_year"},
        "term": {"policy": "calendar_year"},
        "downgrade": "full",
    }
    order = ("2026-12-01T03:00:00Z", 1000)
    assert _stands(year, order[0], order) == ("gold", "2027-12-31", None, False)
    # The window of the new year is empty; 31 December in Seoul ends at 15:00 UTC.
    assert _stands(year, "2026-12-31T15:00:00Z", order) == ("gold", "2027-12-31", None, True)
    assert _stands(year, "2027-12-31T15:00:00Z", order)[0] is None
    kept = ("2027-12-31T14:59:59Z", 800)
    assert _stands(year, "2028-06-01T00:00:00Z", order, kept)[:2] == ("gold", "2028-12-31")
    late = ("2027-12-31T15:00:00Z", 800)
    assert _stands(year, "2027-12-31T15:00:00Z", order, late)[:2] == ("silver", "2029-12-31")


def test_the_thirty_first_and_the_twenty_ninth() -> None:
    month = TERM | {"term": {"policy": "from_entry", "duration": "P1M"}}
    assert _stands(month, "2027-01-31T03:00:00Z", ("2027-01-31T03:00:00Z", 1000))[1] == "2027-02-28"
    leap = ("2028-02-29T03:00:00Z", 1000)
    assert _stands(TERM, leap[0], leap)[1] == "2029-02-28"
    # Twelve months back from the end of 28 February 2029 is the end of 29 February 2028.
    assert _stands(TERM, "2029-02-28T15:00:00Z", leap)[2] == "2029-03-30"
    # A month back from the end of 28 February is the end of 31 January.
    one = month | {"basis": {"window": "rolling", "duration": "P1M"}}
    bought = ("2027-01-31T03:00:00Z", 1000)
    assert _stands(one, "2027-02-28T15:00:00Z", bought)[2] == "2027-03-30"


def test_several_metrics_are_required_together_or_one_of_them() -> None:
    levels = [
        {"key": "silver", "enter_at": {"spend": 500, "orders": 2}},
        {"key": "gold", "enter_at": {"spend": 1000, "orders": 2}},
    ]
    both = _ladder(basis={"metric": ["spend", "orders"]}, levels=levels)
    found = [_key(moving.reached(both, one)) for one in [(2000, 1), (500, 2), (1000, 9)]]
    assert found == [None, "silver", "gold"]
    one = _ladder(basis={"metric": ["spend", "orders"], "require": "any"}, levels=levels)
    found = [_key(moving.reached(one, values)) for values in [(499, 1), (500, 0), (0, 2)]]
    # Two orders alone are what gold takes of orders.
    assert found == [None, "silver", "gold"]


def test_an_invitation_ranks_above_what_can_be_reached_and_is_never_reached() -> None:
    ladder = _ladder(levels=[{"key": "vip"}, *LEVELS])
    assert [level.key for level in ladder.levels] == ["silver", "gold", "vip"]
    assert _key(moving.reached(ladder, [10**15])) == "gold"
    program = _program(levels=[{"key": "vip"}, *LEVELS])
    vip = Standing(program.ladder.find("vip"), 5, 9, is_manual=True)
    shown = showing.show(program, View(vip, (600,), reason="a friend of the house"))
    assert (shown["key"], shown["is_manual"]) == ("vip", True)
    assert shown["reason"] == "a friend of the house"
    assert shown["progress"][0]["next"] is None and shown["progress"][0]["retain"] is None


def test_a_level_given_by_hand_outranks_up_and_down_until_it_ends() -> None:
    ladder = _ladder()
    silver, gold = ladder.find("silver"), ladder.find("gold")
    assert silver is not None and gold is not None
    place = Place(Standing(gold, 3), manual=Assured(silver, 10, 20))
    assert [place.shown(at).key for at in (9, 10, 19, 20)] == ["gold", "silver", "silver", "gold"]
    up = Place(Standing(None, 0), assured=Assured(silver, 0, None), manual=Assured(gold, 10, None))
    assert [up.shown(at).key for at in (9, 10, 10**15)] == ["silver", "gold", "gold"]


def test_no_order_moves_a_level_given_by_hand() -> None:
    program = _program(at="new_tier")
    silver = program.ladder.find("silver")
    given = factor(program, silver, before=[950], adds=[100], is_fixed=True)
    assert given.numerator * 4 == given.denominator * 5
    moved = factor(program, silver, before=[950], adds=[100])
    assert moved.numerator == moved.denominator * 2


def test_a_paused_level_is_not_entered_and_gives_nothing() -> None:
    paused = [LEVELS[0], LEVELS[1] | {"state": "paused", "perks": [{"key": "lounge"}]}]
    program = _program(levels=paused, at="order_time")
    ladder = program.ladder
    assert _key(moving.reached(ladder, [5000])) == "silver"
    gold = Standing(ladder.find("gold"), 1)
    assert moving.bought(ladder, gold, (5000,), at=2, zone=SEOUL).key == "gold"
    given = factor(program, gold.level, before=[5000], adds=[100])
    assert given.numerator == given.denominator
    assert showing.entitlements(gold) == []


def test_a_refund_within_a_term_takes_nothing_unless_the_ladder_says_at_once() -> None:
    term, now = _ladder(**TERM), _ladder(**TERM | {"on_refund": "immediate"})
    silver, gold = (Standing(term.find(key), 1, 99) for key in ("silver", "gold"))
    for ladder, expected in ((term, "gold"), (now, "silver")):
        found = moving.kept(ladder, gold, before=gold, after=silver, is_refund=True)
        assert found.key == expected
    # A refund that lowers nothing does not take what was promised under a lower ladder.
    assert moving.kept(now, gold, before=silver, after=silver, is_refund=True) == gold
    # Later ends win among equals.
    longer = Standing(gold.level, 50, 120)
    assert higher(gold, longer) == longer and higher(longer, gold) == longer


def test_what_is_missing_to_retain_is_what_the_window_will_lack_at_the_end() -> None:
    program = _program(**TERM)
    ladder = program.ladder
    history = History(ladder, [Contribution(_at(day), n, 0) for day, n in D28], SEOUL)
    now = _at("2027-01-01T00:00:00Z")
    place = Place(moving.replayed(history, at=now))
    seen = showing.view(ladder, place, history, values=history.values(now), at=now)
    shown = showing.show(program, seen)
    # Of the 1,100 in the window nothing is left on 10 October 2027, at the end of the day.
    assert (shown["projected"], shown["at_risk"]) == ("silver", False)
    [progress] = shown["progress"]
    assert progress["value"] == 1100
    assert progress["retain"] == {"missing": 800, "by": "2027-10-10T15:00:00Z"}


def test_a_row_whose_level_the_ladder_has_lost_is_of_none() -> None:
    class Row:
        level_key, since, until, grace_until, is_at_risk, due_at = "bronze", 5, 9, None, False, 9
        assured_key, assured_since, assured_until = "gold", 1, None
        manual_key, manual_since, manual_until = "bronze", 1, 5

    place = place_of(_ladder(), Row)
    assert (place.derived.key, place.derived.until) == (None, None)
    assert place.manual is None and place.shown(6).key == "gold"
    assert place_of(_ladder(), None) == Place(NOWHERE)
