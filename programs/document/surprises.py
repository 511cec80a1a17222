"""Surprises in the document."""

import marshmallow as ma

from core.fields import (
    BasisPoints,
    Boolean,
    Duration,
    Integer,
    Items,
    Json,
    Key,
    Localised,
    Minor,
    Schema,
    Text,
    described,
)
from programs.document.earning import EffectSchema
from programs.document.limits import InstantText, LimitSchema, ScheduleSchema
from programs.document.shapes import Item, item_list, nested


class SurprisePrizeSchema(Schema):
    """One of the prizes of a surprise."""

    weight = described(
        Integer, "How often it comes beside the others; default 1.", least=1, most=1_000_000
    )
    effects = Items(
        ma.fields.Nested(EffectSchema),
        most=20,
        metadata={"description": "What it brings; nothing is a thank-you note alone."},
    )
    note = described(
        Localised,
        "What is said to the member, by locale; {{member.name}}, {{points}}, {{reward.name}} and"
        " {{program.name}} are filled in.",
        most=2000,
    )
    estimated_cost_minor = described(
        Minor,
        "What it is thought to cost; by default its points at their value, cash owed and the"
        " estimated cost of its rewards.",
        allow_none=True,
    )


class SurpriseBudgetSchema(Schema):
    """What a surprise may cost."""

    unit = described(Text, "points (default), or minor units of money.", one_of=("points", "minor"))
    total = described(Integer, "So many in all.", required=True, least=1, most=10**12)
    per_day = described(
        Integer, "So many on a day of the program.", least=1, most=10**12, allow_none=True
    )
    pacing = described(
        Boolean,
        "Lower the probability so that the budget lasts until ends_at (default false).",
    )
    ends_at = described(InstantText, "Until when it is to last.", allow_none=True)


class SurpriseSchema(Item):
    """A surprise: a reward that nobody asked for."""

    trigger = described(
        Text,
        "What may bring it: order (default) or another trigger of rules, or silence.",
        most=64,
    )
    silent_for = described(
        Duration, "Of the trigger silence: how long after the last order.", allow_none=True
    )
    every = described(
        Integer,
        "Only each so-manieth member of a day of the program who meets the condition.",
        least=1,
        most=1_000_000,
        allow_none=True,
    )
    when = described(Json, "Condition; always when absent.", allow_none=True)
    probability_ppm = described(
        Integer, "Chance in millionths; default 1,000,000: always.", least=0, most=1_000_000
    )
    prizes = item_list(SurprisePrizeSchema, "The prizes, of which one is drawn.", 50)
    budget = nested(SurpriseBudgetSchema, "What it may cost.", allow_none=True)
    cooldown = described(
        Duration, "How far apart two wins of a member are at least.", allow_none=True
    )
    limits = item_list(LimitSchema, "How often it is won.", 10)
    group = described(
        Key, "Of the surprises of a group one at most is won at a time.", allow_none=True
    )
    priority = described(
        Integer, "Smaller goes first; default 0.", least=-1_000_000, most=1_000_000
    )
    holdout_bp = described(
        BasisPoints, "Share of the members who never get it, to measure what it does.", most=10_000
    )
    pity_after = described(
        Integer,
        "After so many losses in a row the next draw wins.",
        least=1,
        most=1_000_000,
        allow_none=True,
    )
    schedule = nested(ScheduleSchema, "When it is in force.", allow_none=True)
    state = described(
        Text,
        "live (default); shadow draws and records but gives nothing; paused does nothing.",
        one_of=("live", "shadow", "paused"),
    )
