"""Bodies and answers of back-tests."""

from typing import Any

import marshmallow as ma

from analytics.backtests.asking import SEEDS, SEEDS_MAX
from core.fields import Boolean, Instant, Integer, Json, Schema, Text, described
from core.paging import PageQuery


class BacktestBody(Schema):
    """What to try on what was told in a period: exactly one of document, draft and version."""

    document = described(Json, "A whole document, as for the draft.")
    draft = described(Boolean, "true: the draft as it is now.")
    version = described(Integer, "A published version.", least=1, most=2**31 - 1)
    # `from` is a word of Python's own.
    vars()["from"] = described(Instant, "Where the period begins.", required=True)
    to = described(Instant, "Where it ends; not ahead.", required=True)
    seeds = described(
        Integer,
        f"How often chance is tried anew; default {SEEDS} where surprises that are not live as"
        " they are leave something to chance, else 1.",
        least=1,
        most=SEEDS_MAX,
    )


def _figure(what: str, *, allow_none: bool = False) -> Any:
    return described(Integer, what, required=True, allow_none=allow_none)


class ForecastFigure(Schema):
    """A figure under the tested document, and as it really was."""

    forecast = _figure("Under the tested document; over several seeds the median.")
    actual = _figure("As it really was.")


class ForecastSpread(ForecastFigure):
    """A figure with what chance makes of it."""

    forecast_mean = _figure("The mean over the seeds, rounded down.")
    forecast_p5 = _figure("One seed in twenty comes to no more.")
    forecast_p50 = _figure("The median.")
    forecast_p95 = _figure("One seed in twenty comes to more.")


class ForecastOfAll(ForecastSpread):
    """A figure of everything, with that of the life whose luck is the program's own."""

    forecast_first = _figure("With the program's own seeds.")


def _compared(what: str) -> Any:
    return ma.fields.Nested(ForecastFigure, required=True, metadata={"description": what})


class TriedKind(ForecastFigure):
    """Points of one kind: those given, less those taken back."""

    points_key = described(Text, "The kind.", required=True)
    expired = _compared("Points that expired.")


class TriedPoints(ForecastOfAll):
    """Points of all kinds: those given, less those taken back."""

    kinds = ma.fields.List(ma.fields.Nested(TriedKind), required=True)


class TriedRule(Schema):
    """What one rule gave, by the decisions that stand."""

    rule = described(Text, "Key of the rule.", required=True)
    points = _compared("Points that its decisions gave.")
    awards = _compared("How often it fired.")
    withheld = _compared("Points that its limits withheld.")
    minor = _compared("Its points at their value, rewards as estimated, cash owed.")


class TriedLevel(Schema):
    """How many came to a level and left it."""

    key = described(Text, "Key of the level.", required=True)
    gained = _compared("Moves to it.")
    lost = _compared("Moves from it.")


class RuleConflict(Schema):
    """A rule that another one of its exclusive group left without."""

    rule = described(Text, "The rule that gave nothing.", required=True)
    excluded_by = described(Text, "The one that gave more.", required=True, least=0)
    times = _figure("How often.")


class BudgetExhaustion(Schema):
    """When a budget first had nothing left for somebody."""

    forecast = described(Instant, "In half of the lives by then.", required=True, allow_none=True)
    actual = described(Instant, "As it really was.", required=True, allow_none=True)


def _spread(what: str) -> Any:
    return ma.fields.Nested(ForecastSpread, required=True, metadata={"description": what})


class TriedSurprise(Schema):
    """What one surprise came to."""

    key = described(Text, "Key of the surprise.", required=True)
    draws = _spread("Draws that were made.")
    winners = _spread("Prizes that stand.")
    cost = _spread("What these take of its budget, in its unit.")
    points = _spread("Points that they gave, less those taken back.")
    minor = _spread("These at their value, with rewards at their estimated cost, and cash.")
    budget_exhausted_at = ma.fields.Nested(BudgetExhaustion, required=True)


class TriedSegment(ForecastFigure):
    """How many members a segment has at the end, and really has now."""

    key = described(Text, "Key of the segment.", required=True)


class ChangedMember(Schema):
    """Somebody for whom the document would change much."""

    member_id = described(Text, "Our id.", required=True)
    member_ref = described(
        Text, "The storefront's reference; null once erased.", required=True, allow_none=True
    )
    points = _compared("Points given, less those taken back.")
    change = _figure("Forecast less actual.")


class BacktestScoredRule(Schema):
    """A rule's forecast against what came."""

    rule = described(Text, "Key of the rule.", required=True)
    points = _compared("Points, the forecast scaled to the days since publication.")


class BacktestScore(Schema):
    """The forecast against what came since the document was published."""

    version = _figure("The version that it was published as.")
    since = described(Instant, "When it was published.", required=True)
    until = described(Instant, "Up to when it is counted.", required=True)
    days = _figure("Whole days between these.")
    points = _compared("Points, the forecast scaled to these days.")
    minor = _compared("Money, likewise.")
    error_bp = _figure(
        "How far off the points are, basis points of what came; null: none came.",
        allow_none=True,
    )
    rules = ma.fields.List(ma.fields.Nested(BacktestScoredRule), required=True)


class BacktestAnswer(Schema):
    """A back-test. What came of it is there once it is done."""

    id = described(Text, "Our id.", required=True)
    state = described(
        Text, "What it is at.", required=True, one_of=("queued", "running", "done", "failed")
    )
    progress = described(Integer, "Percent, 0 to 100.", required=True)
    tested = described(
        Text, "What is tried.", required=True, one_of=("document", "draft", "version")
    )
    version = described(Integer, "The version tried.", required=True, allow_none=True)
    # `from` is a word of Python's own.
    vars()["from"] = described(Instant, "Where the period begins.", required=True)
    to = described(Instant, "Where it ends.", required=True)
    seeds = described(Integer, "How often chance is tried.", required=True)
    error = described(Text, "Why it failed.", required=True, allow_none=True, most=2000)
    actor = described(Text, "Who asked.", required=True, allow_none=True)
    created_at = described(Instant, "When it was asked for.", required=True)
    finished_at = described(Instant, "When it ended.", required=True, allow_none=True)
    points = ma.fields.Nested(TriedPoints)
    minor = ma.fields.Nested(ForecastOfAll)
    orders = described(Integer, "Orders placed in the period.")
    rules = ma.fields.List(ma.fields.Nested(TriedRule))
    tiers = ma.fields.List(ma.fields.Nested(TriedLevel))
    members = ma.fields.List(
        ma.fields.Nested(ChangedMember),
        metadata={"description": "Those whose points change most, at most 20."},
    )
    conflicts = ma.fields.List(ma.fields.Nested(RuleConflict))
    surprises = ma.fields.List(ma.fields.Nested(TriedSurprise))
    segments = ma.fields.List(ma.fields.Nested(TriedSegment))
    left_out = described(
        Json, "What was not told again, or could not be made again: name to count."
    )
    score = ma.fields.Nested(
        BacktestScore,
        allow_none=True,
        metadata={
            "description": "Forecast against truth, from 7 days after the document was published."
        },
    )


class BacktestsAnswer(Schema):
    """Back-tests, newest first, without what came of them."""

    data = ma.fields.List(ma.fields.Nested(BacktestAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class BacktestsQuery(PageQuery):
    """Query of back-tests."""
