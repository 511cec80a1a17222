"""Answers of a member's own links and referrals: every field that a member may see is here."""

import marshmallow as ma

from core.fields import Boolean, Instant, Integer, Schema, Text, described
from loyalty.schemas import whole
from storefront.referring.links.link_schemas import (
    BroughtMilestoneAnswer,
    BroughtNextAnswer,
    BroughtRewardAnswer,
    LinkAnswer,
    LinkChannelAnswer,
)
from widget.referrals import SIDES, STATES
from widget.schemas import listed, nullable


class MeLinkAnswer(LinkAnswer):
    """A member's own link."""


class MeCountedLinkAnswer(MeLinkAnswer):
    """A member's own link with what was counted of it."""

    is_open = described(Boolean, "Whoever follows it now is the member's friend.", required=True)
    counts = listed(LinkChannelAnswer)


class MeLinksAnswer(Schema):
    """A member's own links, oldest first."""

    data = listed(MeCountedLinkAnswer)
    next_cursor = nullable(Text, "Next page.", most=512)


class MeReferralCountsAnswer(Schema):
    """How many friends there are in each state."""


MeReferralCountsAnswer._declared_fields |= {
    state: whole(f"How many are {state}.") for state in STATES
}


class MeReferralRewardAnswer(BroughtRewardAnswer):
    """What stands of what friends brought the member."""

    name = described(Text, "What it is called.", required=True, most=500)


class MeReferralView(Schema):
    """A friend of the member's, by number."""

    id = described(Text, "Our id.", required=True)
    name = described(Text, "Friend 3: the third one.", required=True)
    state = described(Text, "How far it came.", required=True, one_of=STATES)
    reward = described(Text, "What became of the reward.", required=True, one_of=SIDES)
    detail = described(Text, "The same in a sentence.", required=True, most=500)
    offer = described(Text, "Key of the offer.", required=True)
    bound_at = described(Instant, "Since when.", required=True)
    qualified_at = nullable(Instant, "When what the offer asks for was done.")
    hold_until = nullable(Instant, "Until when the reward is held back.")
    approved_at = nullable(Instant, "When it was confirmed.")


class MeReferralsAnswer(Schema):
    """Whom a member brought; newest first."""

    counts = ma.fields.Nested(MeReferralCountsAnswer, required=True)
    rewarded = described(Integer, "How often they were rewarded for one.", required=True)
    rewards = listed(MeReferralRewardAnswer)
    milestones = listed(BroughtMilestoneAnswer)
    next_milestone = ma.fields.Nested(BroughtNextAnswer, required=True, allow_none=True)
    data = listed(MeReferralView)
    next_cursor = nullable(Text, "Next page.", most=512)
