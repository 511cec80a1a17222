"""Answers about surprises: what was won, and why nothing was."""

import marshmallow as ma

from core.fields import Boolean, Instant, Integer, Localised, Schema, Text
from core.fields import described as told
from core.paging import PageQuery
from loyalty.schemas import SourceAnswer
from rules.outcomes import REASONS
from storefront.award_schemas import AwardAnswer
from storefront.granting.granting_schemas import GrantView
from storefront.payables.payable_schemas import cash

STATES = ("won", "taken_back", "lost", "stopped", "shadow")
#: The number of a prize is its place in the document.
_PRIZES = 50


class WonSurpriseAnswer(Schema):
    """A surprise that was won and stands."""

    key = told(Text, "Key of the surprise.", required=True)
    name = told(Localised, "What it is called, by locale.", required=True, allow_none=True)
    prize = told(Integer, "Which of its prizes, from 0.", required=True, least=0, most=_PRIZES)
    note = told(
        Localised,
        "What is said with it, by locale, with its fields filled in; null where nothing is.",
        required=True,
        allow_none=True,
        most=10_000,
    )
    awards = ma.fields.List(
        ma.fields.Nested(AwardAnswer),
        required=True,
        metadata={"description": "The points that it brought."},
    )
    grants = ma.fields.List(
        ma.fields.Nested(GrantView),
        required=True,
        metadata={"description": "The rewards that it brought."},
    )
    payables = cash("The cash that is owed for it.")
    draw_id = told(Text, "Its receipt: GET /v1/draws/{id}.", required=True)
    source = ma.fields.Nested(
        SourceAnswer,
        required=True,
        allow_none=True,
        metadata={"description": "What brought it; null where its member was erased."},
    )
    won_at = told(Instant, "When what brought it happened.", required=True)


def surprises(description: str) -> ma.fields.Nested:
    """What an answer says of the surprises that something won."""
    return ma.fields.Nested(
        WonSurpriseAnswer, many=True, required=True, metadata={"description": description}
    )


class RevokedSurpriseAnswer(Schema):
    """A surprise that goes back with what brought it."""

    key = told(Text, "Key of the surprise.", required=True)
    prize = told(Integer, "Which of its prizes, from 0.", required=True, least=0, most=_PRIZES)
    draw_id = told(Text, "Its receipt: GET /v1/draws/{id}.", required=True)


class SurprisesQuery(PageQuery):
    """Which surprises."""

    include = told(
        Text,
        "won (default): what was won, also what was taken back since; all: every chance, with what"
        " stood against it.",
        one_of=("won", "all"),
        load_default="won",
    )


class MemberSurpriseAnswer(WonSurpriseAnswer):
    """A chance that a member had of a surprise, and what became of it."""

    prize = told(
        Integer,
        "Which of its prizes, from 0; null where none was drawn.",
        required=True,
        allow_none=True,
        least=0,
        most=_PRIZES,
    )
    won_at = told(
        Instant,
        "When what brought it happened; null where it was not won.",
        required=True,
        allow_none=True,
    )
    state = told(
        Text,
        "won; taken_back with what brought it; lost; stopped by a guard before the draw; shadow:"
        " drawn to watch it, nothing was given.",
        required=True,
        one_of=STATES,
    )
    reason = told(
        Text,
        "Why nothing stands: lost, the guard that stopped it, or why it was taken back.",
        required=True,
        allow_none=True,
        one_of=tuple(REASONS),
    )
    summary = told(Localised, "The same in a sentence.", required=True, most=2000)
    is_shadow = told(Boolean, "Drawn to watch it: nothing is given.", required=True)
    drawn_at = told(Instant, "When what might have brought it happened.", required=True)
    seen_at = told(Instant, "When the member saw it.", required=True, allow_none=True)


class MemberSurprisesAnswer(Schema):
    """A member's surprises, newest first."""

    data = ma.fields.List(ma.fields.Nested(MemberSurpriseAnswer), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)
