"""Levels as pure functions: entering, keeping, splitting, showing."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core import clock
from loyalty import tiers
from loyalty.tiers import Contribution, Standing
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
    found = tiers.replay(
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
    assert _key(tiers.reached(_ladder(), value)) == expected


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
    assert _key(tiers.assess(ladder, ladder.find("gold"), value)) == expected


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
    ],
)
def test_the_factor_of_an_order(
    at: str, before: int, adds: int, held: str | None, expected: tuple[int, int]
) -> None:
    program = _program(at=at)
    found = tiers.factor(
        program, program.ladder.find(held), metric_before=before, contribution=adds
    )
    assert found.numerator * expected[1] == expected[0] * found.denominator


def test_progress_names_the_next_level_and_what_keeps_this_one() -> None:
    program = _program(basis=ROLLING, downgrade="full")
    silver = program.ladder.find("silver")
    shown = tiers.show(
        program, Standing(silver, clock.parse_instant("2026-01-10T00:00:00Z")), value=650
    )
    assert (shown["key"], shown["since"]) == ("silver", "2026-01-10T00:00:00Z")
    [progress] = shown["progress"]
    assert progress["next"] == {"key": "gold", "missing": 350}
    assert progress["retain"]["missing"] == 0
    none = tiers.show(program, Standing(None, 0), value=0)
    assert (none["key"], none["since"], none["at_risk"]) == (None, None, False)
    assert none["progress"][0]["next"] == {"key": "silver", "missing": 500}


def test_changes_name_their_direction() -> None:
    ladder = _ladder()
    silver, gold = ladder.find("silver"), ladder.find("gold")
    assert tiers.change(silver, silver) is None
    assert tiers.change(None, gold) == {"from": None, "to": "gold", "kind": "upgrade"}
    assert tiers.change(gold, silver) == {"from": "gold", "to": "silver", "kind": "downgrade"}
    assert tiers.change(silver, None) == {"from": "silver", "to": None, "kind": "downgrade"}
