"""Query and answer of the report on referrals."""

from typing import Any

import marshmallow as ma

from analytics.schemas import RewardsReportQuery
from core.fields import Json, Schema, Text, described
from loyalty.schemas import whole


def _maybe(description: str) -> Any:
    return described(Json, description, required=True, allow_none=True)


class ReferralsReportQuery(RewardsReportQuery):
    """Query of what referrals came to."""


class FunnelFigures(Schema):
    """How far links and friends got."""

    shared = whole("Links shared.")
    clicked = whole("Clicks of people; those of one visitor on one day count once.")
    repeated = whole("Further clicks of the same visitor on the same day.")
    previewed = whole("Looked at by machines.")
    identified = whole("Friends who were bound to an advocate in the period.")
    by_click = whole("Of these, those by a click; the others typed a code or were known again.")
    qualified = whole("Of these, those who qualified at some time.")
    on_hold = whole("Of these, those whose rewards are held now.")
    in_review = whole("Of these, those that staff is to look at.")
    approved = whole("Of these, those who were approved at some time.")
    rewarded = whole("Of these, those for whom a side was paid, the advocate's or the friend's.")
    capped = whole("Of these, those whose advocate was not paid, by a cap or the budget.")
    clawed_back = whole("Of the approved, those of which a side was taken back.")
    rejected = whole("Friends of the period who are rejected now, bound or not.")
    expired = whole("Friends of the period who did not buy in time.")
    rates_bp = described(
        Json,
        "{shared_to_clicked, …}: share of each step that reached the next, basis points; null of"
        " nothing.",
        required=True,
    )


class ChannelFunnel(FunnelFigures):
    """One channel of an offer."""

    channel = described(
        Text, "The channel; null: links without one.", required=True, allow_none=True
    )


class OfferFunnel(FunnelFigures):
    """One offer."""

    offer = described(Text, "Key of the offer.", required=True)
    channels = ma.fields.List(ma.fields.Nested(ChannelFunnel), required=True)


class ReasonCount(Schema):
    """How many were rejected for one reason."""

    reason = described(Text, "Reason code.", required=True)
    count = whole("How many.")


class KFactor(Schema):
    """The viral coefficient K = i × c."""

    advocates = whole("Members who had a link by the end of the period.")
    clicks_by_advocate_bp = _maybe("i: clicks for each of them, times 10,000.")
    friends_by_click_bp = _maybe("c: approved friends for each click, times 10,000.")
    k_bp = _maybe("Approved friends for each advocate, times 10,000: 10,000 is one by each.")


class StepTime(Schema):
    """How long friends took from one step to the next."""

    # `from` is a word of Python's own.
    to = described(Text, "Until which step.", required=True)
    count = whole("How many friends passed both.")
    median_seconds = _maybe("Half of them were as fast as this, or faster.")
    ninth_decile_seconds = _maybe("Nine in ten were as fast as this, or faster.")


StepTime._declared_fields["from"] = described(Text, "From which step.", required=True)


class ReferralPoints(Schema):
    """Points of one kind that stand."""

    points_key = described(Text, "Kind of points.", required=True)
    points = whole("Given, less what was taken back.")
    value_minor = _maybe("What they are worth; null when the document no longer has the kind.")


class ReferralCost(Schema):
    """What stands of what both sides and milestones got."""

    points = ma.fields.List(ma.fields.Nested(ReferralPoints), required=True)
    points_minor = whole("Points at their value.")
    rewards_minor = whole("Rewards granted, as estimated.")
    payables_minor = whole("Cash owed or exported.")
    total_minor = whole("All of it.")
    by_approved_friend_minor = _maybe("All of it for each approved friend of the cohort.")


class JoinedGroup(Schema):
    """Members who joined in the period, by how they came."""

    members = whole("How many.")
    orders = whole("Their orders that stand.")
    orders_by_member_bp = _maybe("Orders for each, times 10,000.")
    repeat_rate_bp = _maybe("Share of them with two orders or more, basis points.")
    net_by_member_minor = _maybe("Net of their orders for each.")


class Joined(Schema):
    """Referred members (bound and not rejected) beside the others."""

    joined = whole("Members who joined in the period.")
    referred_share_bp = _maybe("Share of them who came by a referral, basis points.")
    referred = ma.fields.Nested(JoinedGroup, required=True)
    others = ma.fields.Nested(JoinedGroup, required=True)
    warning = described(
        Json, "{en, ko}: why the difference is not what the referral did.", required=True
    )


class ReferralsReport(Schema):
    """What referrals came to in a period."""

    to = described(Text, "Before when.", required=True)
    currency = described(Text, "The program's.", required=True)
    offers = ma.fields.List(ma.fields.Nested(OfferFunnel), required=True)
    totals = ma.fields.Nested(FunnelFigures, required=True)
    rejected_by_reason = ma.fields.List(ma.fields.Nested(ReasonCount), required=True)
    k_factor = ma.fields.Nested(KFactor, required=True)
    times = ma.fields.List(ma.fields.Nested(StepTime), required=True)
    cost = ma.fields.Nested(ReferralCost, required=True)
    members = ma.fields.Nested(Joined, required=True)


ReferralsReport._declared_fields["from"] = described(
    Text, "From when on; null: from the first.", required=True, allow_none=True
)
