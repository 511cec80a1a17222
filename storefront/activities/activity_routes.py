"""Addresses of activities."""

from typing import Any

import marshmallow as ma

from core import auth, db, http
from core.fields import Instant, Json, Reference, Schema, Text, described
from loyalty.schemas import BalanceAnswer, TierAnswer
from members.activities import ActivitySchema
from storefront.activities import activities, activity_answers
from storefront.award_schemas import AwardAnswer
from storefront.granting.granting_schemas import GrantView
from storefront.payables.payable_schemas import cash
from storefront.schemas import CardAnswer, ProblemItemAnswer, ReversedAnswer
from storefront.surprising.schemas import surprises
from storefront.vouchers import seeing

routes = http.Routes("activities", __name__, url_prefix="/v1", description="Activities.")


class ActivityView(Schema):
    """An activity as last told."""

    id = described(Text, "Our id.", required=True)
    activity_ref = described(Reference, "The storefront's reference.", required=True)
    member_ref = described(
        Reference, "Who did it; null when they were erased.", required=True, allow_none=True
    )
    kind = described(Text, "What was done.", required=True)
    occurred_at = described(Instant, "When.", required=True)
    facts = described(Json, "What there is to say of it.", required=True)
    status = described(Text, "Whether it stands.", required=True, one_of=("done", "withdrawn"))
    updated_at = described(Instant, "When it was last told something new.", required=True)
    decision_id = described(Text, "Why it brought what it did.", required=True)


class ActivityAnswer(Schema):
    """An activity and what it brought."""

    activity = ma.fields.Nested(ActivityView, required=True)
    earned = ma.fields.List(ma.fields.Nested(AwardAnswer), required=True)
    grants = ma.fields.List(
        ma.fields.Nested(GrantView),
        required=True,
        metadata={"description": "The rewards given for it that stand."},
    )
    payables = cash("The cash owed for it that stands.")
    reversed = ma.fields.List(ma.fields.Nested(ReversedAnswer), required=True)
    balances = ma.fields.List(ma.fields.Nested(BalanceAnswer), required=True)
    tier = ma.fields.Nested(TierAnswer, required=True)
    cards = ma.fields.List(ma.fields.Nested(CardAnswer), required=True)
    surprises = surprises("What it won that stands.")
    problems = ma.fields.List(
        ma.fields.Nested(ProblemItemAnswer),
        required=True,
        metadata={
            "description": "undeclared_kind: a kind that looks misspelt; it is stored."
            " out_of_stock: a reward that could not be given."
        },
    )


_ANSWER = ActivityAnswer()


@routes.operation(
    "PUT",
    "/activities/<ref:activity_ref>",
    answers={200: _ANSWER, 201: _ANSWER},
    body=ActivitySchema(),
)
def put_activity(activity_ref: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Tell what a member did, or that it was withdrawn: what it brought is taken back then."""
    program_id = auth.credential().program_id
    return activities.put(program_id, activity_ref, body, actor=auth.actor())


@routes.operation("GET", "/activities/<ref:activity_ref>", answers={200: _ANSWER})
def get_activity(activity_ref: str) -> dict[str, Any]:
    """An activity as last told, and what stands of what it brought."""
    program_id = auth.credential().program_id
    found = db.reading(
        lambda connection: activity_answers.get(connection, program_id, activity_ref)
    )
    return seeing.as_seen(found, "members")
