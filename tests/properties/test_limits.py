"""Member limits agree with a naive model: exact, never over the cap, given back and taken anew."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.world import World, per_euro, points, rule

SEOUL = ZoneInfo("Asia/Seoul")
DAYS = ("2026-03-01", "2026-03-02", "2026-03-08")
POINTS_A_DAY, TIMES_A_WEEK = 100, 2
RULES = [
    rule("base", per_euro(), limits=[{"per": "member", "period": "day", "points": POINTS_A_DAY}]),
    rule(
        "gift",
        {"do": "add_points", "points": 7},
        limits=[{"per": "member", "period": "week", "times": TIMES_A_WEEK}],
    ),
]


@dataclass
class NaiveOrder:
    """An order as a person would keep it on paper: what it wanted when it was last judged, and
    what it was given of each rule."""

    day: date
    wanted: int = 0
    base: int = 0
    gift: int = 0
    is_bounded: bool = False
    is_gift_refused: bool = False
    stands: bool = False


@dataclass
class NaiveMember:
    """One member's orders; `tell` says what an order of whole euros deserves now."""

    orders: dict[str, NaiveOrder] = field(default_factory=dict)

    def tell(self, ref: str, day: str, euros: int, *, is_cancelled: bool) -> int:
        told = date.fromisoformat(day)
        one = self.orders.setdefault(ref, NaiveOrder(told))
        if is_cancelled or not euros:
            self.orders[ref] = NaiveOrder(one.day)
            return 0
        is_new = not one.stands
        others = [other for key, other in self.orders.items() if key != ref]
        self._judge_base(one, others, euros, is_new=is_new)
        self._judge_gift(one, others, is_new=is_new)
        one.stands = True
        return one.base + one.gift

    def _judge_base(
        self, one: NaiveOrder, others: list[NaiveOrder], euros: int, *, is_new: bool
    ) -> None:
        used = sum(other.base for other in others if other.day == one.day)
        left = max(one.base, POINTS_A_DAY - used, 0)
        if not is_new and euros <= one.wanted:
            # It wants no more than it was judged by: what others gave back is not for it.
            left = one.base if one.is_bounded else euros
        one.base, one.is_bounded = min(euros, left), euros > left
        one.wanted = euros

    def _judge_gift(self, one: NaiveOrder, others: list[NaiveOrder], *, is_new: bool) -> None:
        if is_new:
            monday = one.day - timedelta(days=one.day.weekday())
            week = [other for other in others if monday <= other.day < monday + timedelta(days=7)]
            one.is_gift_refused = sum(other.gift > 0 for other in week) >= TIMES_A_WEEK
        one.gift = 0 if one.is_gift_refused else 7


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C", "D"]),
        st.sampled_from([0, 1, 2]),
        st.sampled_from([0, 1, 30, 60, 61, 99, 150]),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_orders_refunds_and_cancels_take_and_give_back_exactly(
    app: Flask, steps: list[tuple[str, int, int, bool]]
) -> None:
    world = World(app, earning={"rules": RULES})
    world.set_clock("2026-06-01T00:00:00Z")
    world.member()
    naive = NaiveMember()
    for ref, place, euros, is_cancelled in steps:
        # An order stays on the day that it was first told for.
        day = str(naive.orders[ref].day) if ref in naive.orders else DAYS[place]
        at = datetime.fromisoformat(f"{day}T23:30:00").replace(tzinfo=SEOUL).isoformat()
        status = "cancelled" if is_cancelled else "paid"
        # An order of 150.00, of which all but so many euros went back.
        body = {"line_ref": "1", "quantity": 1, "unit_price_minor": 15_000}
        body |= {"refunded_minor": 15_000 - euros * 100}
        answer = world.order(ref, body, placed_at=at, status=status)
        expected = naive.tell(ref, day, euros, is_cancelled=is_cancelled)
        assert points(answer) == expected
        for one in DAYS:
            given_that_day = [o.base for o in naive.orders.values() if str(o.day) == one]
            assert sum(given_that_day) <= POINTS_A_DAY
    assert world.balance() == sum(one.base + one.gift for one in naive.orders.values())
    assert world.verify()["mismatches"] == []
