"""Answers about budgets."""

import marshmallow as ma

from core.fields import Boolean, Instant, Integer, Schema, Text, described
from loyalty.schemas import whole


class BudgetPace(Schema):
    """How much of the probability the budget bears today."""

    on = described(Text, "The day of the program.", required=True)
    pace_ppm = described(Integer, "Share of the probability, in millionths.", required=True)
    remaining = whole("What was left of the total at the first draw of the day.")
    days_left = whole("Days until the end, this one included.")
    expected_per_day = whole("What a day would spend without pacing, rounded down.")


class StandingBudget(Schema):
    """A budget as it stands."""

    section = described(Text, "surprises or referral_offers.", required=True)
    key = described(Text, "Key of the surprise or offer.", required=True)
    unit = described(Text, "points, or minor units of money.", required=True)
    total = whole("So many in all.")
    used = whole("So many are used.")
    left = whole("So many are left.")
    is_exhausted = described(
        Boolean, "Whether nothing more can be had: the dearest prize is not left.", required=True
    )
    per_day = described(Integer, "So many on a day.", required=True, allow_none=True)
    used_today = described(
        Integer, "So many are used today; null without per_day.", required=True, allow_none=True
    )
    ends_at = described(
        Instant, "Until when it is to last, if told.", required=True, allow_none=True
    )
    pace = ma.fields.Nested(
        BudgetPace,
        required=True,
        allow_none=True,
        metadata={"description": "Today's pace; null before the first draw, or without pacing."},
    )


class BudgetsAnswer(Schema):
    """Every budget."""

    data = ma.fields.List(
        ma.fields.Nested(StandingBudget),
        required=True,
        metadata={"description": "Budgets of surprises, then those of referral offers."},
    )
