"""Rhythms and streaks of one member, from the instants of their orders."""

from zoneinfo import ZoneInfo

import pytest

from core import clock
from segments import days, rhythm
from segments.facts import OF_ORDERS

SEOUL = ZoneInfo("Asia/Seoul")


def found(at: str, *orders: str) -> tuple[str | None, int | None, int, int]:
    """Word, basis points, weeks and months of who ordered then, at noon of days in Seoul."""
    facts = rhythm.facts_of(
        [clock.parse_instant(one if "T" in one else f"{one}T03:00:00Z") for one in orders],
        at=clock.parse_instant(f"{at}T03:00:00Z"),
        zone=SEOUL,
        asked=OF_ORDERS,
    )
    return (
        facts.get("member.rhythm"),
        facts.get("member.rhythm_bp"),
        facts["member.order_streak_weeks"],
        facts["member.order_streak_months"],
    )


@pytest.mark.parametrize(
    ("at", "orders", "expected"),
    [
        # 1 March 2027 is a Monday.
        ("2027-03-08", [], (None, None, 0, 0)),
        ("2027-03-08", ["2027-03-01", "2027-03-05"], (None, None, 1, 1)),
        # Two orders of one day are one day: no third one.
        ("2027-03-08", ["2027-03-01", "2027-03-05", "2027-03-05"], (None, None, 1, 1)),
        # Gaps of 4 and 10 days: the usual one is 7; 7, 10, 11 and 18 days since the last.
        ("2027-03-22", ["2027-03-01", "2027-03-05", "2027-03-15"], ("due", 10_000, 1, 1)),
        ("2027-03-21", ["2027-03-01", "2027-03-05", "2027-03-15"], ("steady", 8_571, 1, 1)),
        ("2027-03-25", ["2027-03-01", "2027-03-05", "2027-03-15"], ("due", 14_285, 1, 1)),
        ("2027-03-26", ["2027-03-01", "2027-03-05", "2027-03-15"], ("late", 15_714, 1, 1)),
        ("2027-04-02", ["2027-03-01", "2027-03-05", "2027-03-15"], ("lapsed", 25_714, 0, 1)),
        # Gaps of 2, 2 and 20 days: the usual one is 2, whatever the order of their arrival.
        (
            "2027-03-28",
            ["2027-03-25", "2027-03-01", "2027-03-05", "2027-03-03"],
            ("late", 15_000, 1, 1),
        ),
        # Four weeks in a row, two of them in February; the last ended yesterday.
        (
            "2027-03-15",
            ["2027-02-21", "2027-02-28", "2027-03-01", "2027-03-14"],
            ("steady", 1_428, 4, 2),
        ),
        # A week without an order ends it.
        ("2027-03-29", ["2027-03-01", "2027-03-08", "2027-03-14"], ("late", 23_076, 0, 1)),
        # Over the end of a year; a month between breaks the months.
        ("2027-01-04", ["2026-12-31", "2026-12-21", "2026-10-01"], ("steady", 879, 2, 1)),
        # Days are the program's: both orders are of Monday 8 March in Seoul, or of Sunday.
        ("2027-03-20", ["2027-03-07T15:00:00Z"], (None, None, 1, 1)),
        ("2027-03-20", ["2027-03-07T14:59:59Z"], (None, None, 0, 1)),
        # What comes later is not known yet.
        ("2027-03-08", ["2027-03-01", "2027-03-05", "2027-03-15"], (None, None, 1, 1)),
    ],
)
def test_a_rhythm_is_ones_own(
    at: str, orders: list[str], expected: tuple[str | None, int | None, int, int]
) -> None:
    assert found(at, *orders) == expected


def test_offsets_change_when_clocks_do() -> None:
    first, last = (clock.parse_instant(f"{year}-01-01T00:00:00Z") for year in (2027, 2028))
    found = days.offsets(ZoneInfo("America/New_York"), first, last)
    changes = {
        clock.format_instant(since): offset // (3600 * clock.SECOND) for since, offset in found
    }
    assert changes["2027-03-14T07:00:00Z"] == -4
    assert changes["2027-11-07T06:00:00Z"] == -5
    assert [offset for _, offset in days.offsets(SEOUL, first, last)] == [9 * 3600 * clock.SECOND]
