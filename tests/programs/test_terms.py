"""Terms of points: what a document may say of them, and the dates they come to, by hand.

Dates are of `programs.terms` and, beneath it, of the steps by the calendar in `core.clock`.
"""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import clock
from core.clock import Duration
from programs import terms
from programs.terms import Terms
from tests.contract.checking import pointers, problem, rows
from tests.world import World, document, per_euro, rule

KIND, EFFECT = "/points/0", "/earning/rules/0/effect"
SEOUL, BERLIN, NEW_YORK = "Asia/Seoul", "Europe/Berlin", "America/New_York"


def of_kind(**changes: Any) -> dict[str, Any]:
    return document(points=[{"key": "points"} | changes])


def of_effect(**changes: Any) -> dict[str, Any]:
    return document(earning={"rules": [rule("one", per_euro() | changes)]})


#: What is said of the pending or the expiry, where it is wrong, and how the fault is called.
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"pending": {"policy": "after"}}, "/pending/duration", "required"),
    ({"pending": {"duration": "P14D"}}, "/pending/duration", "unknown_field"),
    (
        {"pending": {"policy": "on_fulfilled", "duration": "P14D"}},
        "/pending/duration",
        "unknown_field",
    ),
    ({"pending": {"policy": "later"}}, "/pending/policy", "invalid"),
    ({"pending": {"policy": "after", "duration": "14 days"}}, "/pending/duration", "invalid"),
    ({"pending": {"policy": "after", "duration": "P14D", "until": 1}}, "/pending/until", "unknown"),
    ({"expiry": {"policy": "after"}}, "/expiry/duration", "required"),
    ({"expiry": {"policy": "inactivity"}}, "/expiry/duration", "required"),
    ({"expiry": {"policy": "fixed_dates"}}, "/expiry/dates", "required"),
    ({"expiry": {"policy": "fixed_dates", "dates": []}}, "/expiry/dates", "required"),
    (
        {"expiry": {"policy": "fixed_dates", "dates": ["12-31", "02-30"]}},
        "/expiry/dates/1",
        "invalid",
    ),
    ({"expiry": {"policy": "fixed_dates", "dates": ["13-01"]}}, "/expiry/dates/0", "invalid"),
    ({"expiry": {"policy": "fixed_dates", "dates": ["00-10"]}}, "/expiry/dates/0", "invalid"),
    ({"expiry": {"policy": "fixed_dates", "dates": ["1-1"]}}, "/expiry/dates/0", "invalid"),
    (
        {"expiry": {"policy": "inactivity", "duration": "P1Y", "activities": ["order", "visit"]}},
        "/expiry/activities/1",
        "invalid",
    ),
    ({"expiry": {"duration": "P1Y"}}, "/expiry/duration", "unknown_field"),
    ({"expiry": {"round_up_to": "month"}}, "/expiry/round_up_to", "unknown_field"),
    (
        {"expiry": {"policy": "after", "duration": "P1Y", "activities": ["order"]}},
        "/expiry/activities",
        "unknown_field",
    ),
    (
        {"expiry": {"policy": "after", "duration": "P1Y", "dates": ["12-31"]}},
        "/expiry/dates",
        "unknown_field",
    ),
    (
        {"expiry": {"policy": "inactivity", "duration": "P1Y", "round_up_to": "month"}},
        "/expiry/round_up_to",
        "unknown_field",
    ),
    (
        {"expiry": {"policy": "fixed_dates", "dates": ["12-31"], "duration": "P1Y"}},
        "/expiry/duration",
        "unknown_field",
    ),
    (
        {"expiry": {"policy": "after", "duration": "P1Y", "round_up_to": "week"}},
        "/expiry/round_up_to",
        "invalid",
    ),
    (
        {"expiry": {"policy": "after", "duration": "P1Y", "notify": ["P7D", "a week"]}},
        "/expiry/notify/1",
        "invalid",
    ),
]


def codes(body: Any) -> list[tuple[str, str]]:
    return [(one["pointer"], one["code"]) for one in body["errors"]]


@pytest.mark.parametrize(("said", "pointer", "code"), REFUSED, ids=lambda item: str(item)[-50:])
def test_terms_that_mean_nothing_are_refused_with_their_pointer(
    still: World, said: dict[str, Any], pointer: str, code: str
) -> None:
    before = rows(still)
    for body, at in ((of_kind(**said), KIND), (of_effect(**said), EFFECT)):
        found = problem(still.call("PUT", "/program/draft", body), 422, "validation_failed")
        [(where, how)] = codes(found)
        assert where == f"{at}{pointer}"
        if code in ("required", "unknown_field"):
            assert how == code
    assert rows(still) == before


def test_a_multiplier_has_no_terms_and_an_effect_no_return_policy(still: World) -> None:
    twice = {"do": "multiply_points", "factor_bp": 20_000, "pending": {"policy": "on_fulfilled"}}
    for body, at in (
        (document(earning={"rules": [rule("one", twice)]}), f"{EFFECT}/pending"),
        (of_effect(return_policy="unlimited"), f"{EFFECT}/return_policy"),
        (of_kind(return_policy="always"), f"{KIND}/return_policy"),
        (of_kind(return_policy=None), f"{KIND}/return_policy"),
    ):
        found = problem(still.call("PUT", "/program/draft", body), 422, "validation_failed")
        assert pointers(found) == [at]


@pytest.mark.parametrize(
    "body",
    [
        of_kind(pending={"policy": "after", "duration": "P14D"}),
        of_kind(pending={"policy": "on_fulfilled"}),
        of_kind(pending={"policy": "immediate"}, expiry={"policy": "never", "notify": []}),
        of_kind(
            expiry={
                "policy": "after",
                "duration": "P12M",
                "round_up_to": "quarter",
                "notify": ["P30D"],
            }
        ),
        of_kind(
            expiry={
                "policy": "inactivity",
                "duration": "P6M",
                "activities": ["order", "redemption"],
                "notify": ["P7D", "P1D"],
            }
        ),
        of_kind(expiry={"policy": "fixed_dates", "dates": ["02-29", "12-31"], "notify": ["P7D"]}),
        *(
            of_kind(return_policy=name)
            for name in ("within_balance", "only_pending", "unlimited", "deduct_from_refund")
        ),
        of_effect(
            pending={"policy": "after", "duration": "PT48H"},
            expiry={"policy": "fixed_dates", "dates": ["06-30"]},
        ),
    ],
    ids=lambda item: str(item["points"])[-60:],
)
def test_terms_that_can_be_kept_are_accepted(still: World, body: dict[str, Any]) -> None:
    assert still.put("/program/draft", body) == body
    # What a document says is frozen on lots as a text, which reads back as the same terms.
    for item in (body["points"][0], body["earning"]["rules"][0]["effect"]):
        made = terms.of_document(item)
        assert terms.parse(made.text) == made


def test_an_effect_keeps_of_its_kinds_terms_what_it_does_not_say() -> None:
    kind = terms.of_document(
        {
            "pending": {"policy": "after", "duration": "P14D"},
            "expiry": {"policy": "inactivity", "duration": "P1Y"},
        }
    )
    assert kind.text == "after P14D|inactivity P1Y order"
    assert kind.inactivity == ("order",)
    assert terms.of_document({}, kind) == kind
    at_once = terms.of_document({"pending": {"policy": "immediate"}}, kind)
    assert at_once == Terms("immediate", "inactivity P1Y order")
    dated = terms.of_document(
        {"expiry": {"policy": "fixed_dates", "dates": ["12-31", "06-30", "12-31"]}}, kind
    )
    assert dated == Terms("after P14D", "fixed_dates 06-30,12-31")
    assert dated.inactivity == ()
    assert terms.of_document({"expiry": {"policy": "never"}}, kind).expiry == "never"


#: Zone, since when, expiry, and the instant at which nothing of it is left.
EXPIRES = [
    # The last days of months, and of February in leap years (Seoul is nine hours ahead).
    (SEOUL, "2027-01-31T03:00:00Z", "after P1M day", "2027-02-28T15:00:00Z"),
    (SEOUL, "2028-01-31T03:00:00Z", "after P1M day", "2028-02-29T15:00:00Z"),
    (SEOUL, "2027-03-31T03:00:00Z", "after P1M day", "2027-04-30T15:00:00Z"),
    (SEOUL, "2027-08-31T03:00:00Z", "after P6M day", "2028-02-29T15:00:00Z"),
    (SEOUL, "2028-02-29T03:00:00Z", "after P12M day", "2029-02-28T15:00:00Z"),
    (SEOUL, "2028-02-29T03:00:00Z", "after P4Y day", "2032-02-29T15:00:00Z"),
    (SEOUL, "2027-02-28T03:00:00Z", "after P12M day", "2028-02-28T15:00:00Z"),
    (SEOUL, "2027-12-31T03:00:00Z", "after P1M day", "2028-01-31T15:00:00Z"),
    (SEOUL, "2027-01-31T03:00:00Z", "after P1M1D day", "2027-03-01T15:00:00Z"),
    (SEOUL, "2027-01-31T03:00:00Z", "after P0D day", "2027-01-31T15:00:00Z"),
    # The day is the zone's: 15:00 UTC is midnight in Seoul.
    (SEOUL, "2027-01-30T14:59:59.999999Z", "after P1D day", "2027-01-31T15:00:00Z"),
    (SEOUL, "2027-01-30T15:00:00Z", "after P1D day", "2027-02-01T15:00:00Z"),
    # Elapsed time ends with the day in which it ends: 03:00 + 20 h is 08:00 on 1 February.
    (SEOUL, "2027-01-31T03:00:00Z", "after PT20H day", "2027-02-01T15:00:00Z"),
    (SEOUL, "2027-01-31T03:00:00Z", "after PT11H59M day", "2027-01-31T15:00:00Z"),
    # The clocks of Berlin go forward on 28 March 2027 at 01:00 UTC, back on 31 October.
    (BERLIN, "2027-02-27T11:00:00Z", "after P1M day", "2027-03-27T23:00:00Z"),
    (BERLIN, "2027-02-28T11:00:00Z", "after P1M day", "2027-03-28T22:00:00Z"),
    (BERLIN, "2027-09-30T11:00:00Z", "after P1M day", "2027-10-30T22:00:00Z"),
    (BERLIN, "2027-09-30T11:00:00Z", "after P1M1D day", "2027-10-31T23:00:00Z"),
    # 23:30 on 27 March plus an hour is 00:30 on the 28th, which is over 23 hours after it began.
    (BERLIN, "2027-03-27T22:30:00Z", "after PT1H day", "2027-03-28T22:00:00Z"),
    # Those of New York go forward on 14 March 2027 at 07:00 UTC, back on 7 November.
    (NEW_YORK, "2027-02-13T17:00:00Z", "after P1M day", "2027-03-14T05:00:00Z"),
    (NEW_YORK, "2027-02-14T17:00:00Z", "after P1M day", "2027-03-15T04:00:00Z"),
    (NEW_YORK, "2027-10-06T16:00:00Z", "after P1M day", "2027-11-07T04:00:00Z"),
    (NEW_YORK, "2027-10-07T16:00:00Z", "after P1M day", "2027-11-08T05:00:00Z"),
    # To the end of a period: 10 December + 3 months is in March, which ends a quarter.
    (SEOUL, "2027-12-10T03:00:00Z", "after P3M month", "2028-03-31T15:00:00Z"),
    (SEOUL, "2027-12-10T03:00:00Z", "after P2M month", "2028-02-29T15:00:00Z"),
    (SEOUL, "2027-12-10T03:00:00Z", "after P2M quarter", "2028-03-31T15:00:00Z"),
    (SEOUL, "2027-12-10T03:00:00Z", "after P4M quarter", "2028-06-30T15:00:00Z"),
    (SEOUL, "2027-12-10T03:00:00Z", "after P10M quarter", "2028-12-31T15:00:00Z"),
    (SEOUL, "2027-12-10T03:00:00Z", "after P1M year", "2028-12-31T15:00:00Z"),
    (BERLIN, "2027-12-31T11:00:00Z", "after P3M quarter", "2028-03-31T22:00:00Z"),
    # Fixed dates: the day itself still counts; after the last one comes the first of next year.
    (SEOUL, "2027-06-30T14:59:59Z", "fixed_dates 06-30,12-31", "2027-06-30T15:00:00Z"),
    (SEOUL, "2027-06-30T15:00:00Z", "fixed_dates 06-30,12-31", "2027-12-31T15:00:00Z"),
    (SEOUL, "2027-12-31T15:00:00Z", "fixed_dates 03-31", "2028-03-31T15:00:00Z"),
    (NEW_YORK, "2027-03-14T12:00:00Z", "fixed_dates 03-14", "2027-03-15T04:00:00Z"),
    # 29 February is kept on the 28th of a year without one.
    (SEOUL, "2027-02-28T03:00:00Z", "fixed_dates 02-29", "2027-02-28T15:00:00Z"),
    (SEOUL, "2027-03-01T03:00:00Z", "fixed_dates 02-29", "2028-02-29T15:00:00Z"),
    (SEOUL, "2028-02-29T03:00:00Z", "fixed_dates 02-29", "2028-02-29T15:00:00Z"),
    (SEOUL, "2028-02-29T15:00:00Z", "fixed_dates 02-29", "2029-02-28T15:00:00Z"),
    # Inactivity runs from the later of availability and activity, to the end of a day.
    (SEOUL, "2027-08-31T03:00:00Z", "inactivity P6M order", "2028-02-29T15:00:00Z"),
    (BERLIN, "2027-03-28T11:00:00Z", "inactivity P1Y order,redemption", "2028-03-28T22:00:00Z"),
]


@pytest.mark.parametrize(("zone", "since", "expiry", "expected"), EXPIRES)
def test_points_expire_on_the_date_worked_out_by_hand(
    zone: str, since: str, expiry: str, expected: str
) -> None:
    made = Terms("immediate", expiry)
    found = made.expires_at(clock.parse_instant(since), ZoneInfo(zone))
    assert found is not None
    assert clock.format_instant(found) == expected


#: Zone, when it was earned, pending, and when it can be spent.
AVAILABLE = [
    (SEOUL, "2027-03-01T03:30:00Z", "immediate", "2027-03-01T03:30:00Z"),
    (SEOUL, "2027-03-01T03:30:00Z", "after P10D", "2027-03-11T03:30:00Z"),
    (SEOUL, "2028-02-20T03:30:00.000001Z", "after P10D", "2028-03-01T03:30:00.000001Z"),
    (SEOUL, "2027-01-31T03:30:00Z", "after P1M", "2027-02-28T03:30:00Z"),
    # Over a change of clocks at the same local time: 239 and 241 hours, and 240 when told so.
    (BERLIN, "2027-03-20T11:00:00Z", "after P10D", "2027-03-30T10:00:00Z"),
    (BERLIN, "2027-10-25T10:00:00Z", "after P10D", "2027-11-04T11:00:00Z"),
    (BERLIN, "2027-03-20T11:00:00Z", "after PT240H", "2027-03-30T11:00:00Z"),
    (NEW_YORK, "2027-03-10T17:00:00Z", "after P10D", "2027-03-20T16:00:00Z"),
    # 02:30 on 28 March does not come in Berlin: an hour later it is 03:30, 01:30 UTC.
    (BERLIN, "2027-03-27T01:30:00Z", "after P1D", "2027-03-28T01:30:00Z"),
]


@pytest.mark.parametrize(("zone", "earned", "pending", "expected"), AVAILABLE)
def test_pending_points_become_available_at_the_same_local_time(
    zone: str, earned: str, pending: str, expected: str
) -> None:
    found = Terms(pending, "never").available_at(clock.parse_instant(earned), ZoneInfo(zone))
    assert found is not None
    assert clock.format_instant(found) == expected


def test_what_has_no_date_has_none() -> None:
    at = clock.parse_instant("2027-03-01T03:30:00Z")
    assert Terms("on_fulfilled", "never").available_at(at, ZoneInfo(SEOUL)) is None
    assert Terms("immediate", "never").expires_at(at, ZoneInfo(SEOUL)) is None


YEAR_1990, YEAR_2100 = 631_152_000 * clock.SECOND, 4_102_444_800 * clock.SECOND
INSTANTS = st.integers(YEAR_1990, YEAR_2100)
DURATIONS = st.builds(
    Duration,
    months=st.integers(0, 48),
    days=st.integers(0, 800),
    seconds=st.integers(0, 10**7),
)
#: Zones whose clocks jump by an hour, by half of one (Lord Howe), at midnight (Santiago), a whole
#: day (Apia), and never.
ZONES = st.sampled_from(
    [SEOUL, BERLIN, NEW_YORK, "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia"]
).map(ZoneInfo)
PROPERTY = settings(max_examples=300, deadline=None, database=None)


def local(instant: int, zone: ZoneInfo) -> datetime:
    """The wall clock at an instant, without its zone."""
    return clock.to_datetime(instant, zone).replace(tzinfo=None)


@PROPERTY
@given(INSTANTS, INSTANTS, DURATIONS, ZONES)
def test_who_earns_later_by_the_wall_clock_never_waits_less(
    one: int, other: int, duration: Duration, zone: ZoneInfo
) -> None:
    """But for the time that a change of clocks skips: an hour, or the one day of Apia."""
    early, late = sorted((one, other))
    if local(late, zone) - local(early, zone) > timedelta(hours=25):
        assert clock.after(early, duration, zone) <= clock.after(late, duration, zone)
        assert clock.before(early, duration, zone) <= clock.before(late, duration, zone)
    assert clock.before(early, duration, zone) <= early <= clock.after(early, duration, zone)


@PROPERTY
@given(INSTANTS, st.integers(0, 10**7), ZONES)
def test_elapsed_time_is_elapsed_time(instant: int, seconds: int, zone: ZoneInfo) -> None:
    elapsed = Duration(seconds=seconds)
    assert clock.after(instant, elapsed, zone) == instant + seconds * clock.SECOND
    assert clock.before(instant, elapsed, zone) == instant - seconds * clock.SECOND


def test_half_an_hour_lasts_half_an_hour_in_the_hour_that_comes_twice() -> None:
    # 02:30 comes twice in Berlin on 31 October 2027; this is the second time.
    at = clock.parse_instant("2027-10-31T01:30:00Z")
    half = Duration(seconds=1800)
    berlin = ZoneInfo(BERLIN)
    assert clock.format_instant(clock.after(at, half, berlin)) == "2027-10-31T02:00:00Z"
    assert clock.format_instant(clock.before(at, half, berlin)) == "2027-10-31T01:00:00Z"
    assert clock.after(at, Duration(), berlin) == at


@PROPERTY
@given(INSTANTS, DURATIONS, ZONES)
def test_after_is_the_calendars_step_at_the_same_local_time(
    instant: int, duration: Duration, zone: ZoneInfo
) -> None:
    calendar_part = Duration(months=duration.months, days=duration.days)
    found = clock.after(instant, calendar_part, zone)
    moment = local(found, zone)
    wanted = datetime.combine(
        clock.step(clock.local_date(instant, zone), calendar_part), local(instant, zone).time()
    )
    # Only a local time that a change of clocks skips becomes another one.
    is_skipped = (
        datetime.combine(wanted.date(), wanted.time(), tzinfo=zone)
        .astimezone(ZoneInfo("UTC"))
        .astimezone(zone)
        .replace(tzinfo=None)
        != wanted
    )
    assert moment == wanted or is_skipped
    assert clock.after(instant, duration, zone) - found == duration.seconds * clock.SECOND


DAYS = st.dates(date(1990, 1, 1), date(2100, 12, 31))


@PROPERTY
@given(DAYS, DAYS, DURATIONS)
def test_steps_keep_the_order_of_days_and_the_number_of_months(
    one: date, other: date, duration: Duration
) -> None:
    early, late = sorted((one, other))
    assert clock.step(early, duration) <= clock.step(late, duration)
    months = clock.step(early, Duration(months=duration.months))
    assert (months.year * 12 + months.month) - (early.year * 12 + early.month) == duration.months
    # The same day of the month, or the last one of a month that has no such day.
    assert months.day == early.day or (
        months.day < early.day and (months + timedelta(days=1)).day == 1
    )
    assert clock.step(early, duration) - months == timedelta(days=duration.days)


@PROPERTY
@given(DAYS, ZONES)
def test_the_end_of_a_day_is_the_first_instant_of_the_next(day: date, zone: ZoneInfo) -> None:
    end = clock.end_of_day(day, zone)
    assert clock.local_date(end, zone) > day
    assert clock.local_date(end - 1, zone) <= day


@PROPERTY
@given(DAYS, st.sampled_from(["day", "month", "quarter", "year"]))
def test_the_end_of_a_period_is_its_last_day(day: date, period: str) -> None:
    end = clock.end_of_period(day, period)
    following = end + timedelta(days=1)
    starts = {"month": range(1, 13), "quarter": (1, 4, 7, 10), "year": (1,)}
    assert end >= day
    assert clock.end_of_period(end, period) == end
    if period == "day":
        assert end == day
    else:
        assert following.day == 1 and following.month in starts[period]
        assert (end - day).days < {"month": 31, "quarter": 92, "year": 366}[period]
