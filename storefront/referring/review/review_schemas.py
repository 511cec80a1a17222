"""Queries, bodies and answers of referrals and their review."""

from typing import Any

import marshmallow as ma

from core.fields import BasisPoints, Boolean, Instant, Integer, Json, Key, Reference, Schema, Text
from core.fields import described as told
from core.paging import PageQuery
from programs.referrals import SIDES, SIGNALS
from storefront.award_schemas import AwardAnswer
from storefront.granting.granting_schemas import GrantView
from storefront.payables.payable_schemas import cash
from storefront.referring.links.brought import SIDE_STATES as PAID_STATES

STATES = ("identified", "qualified", "on_hold", "in_review", "approved", "rejected", "expired")
SIDE_STATES = ("waiting", "rewarded", "capped", "clawed_back", "lost")
#: What a list can be asked for: what became of the advocate's side as well.
_ASKED = (*STATES, *PAID_STATES)
WHO = ("advocate", "friend", "both")


def _check_said(text: str) -> None:
    if not text.strip():
        raise ma.ValidationError("must say something, not only spaces")


def _instant(description: str, *, is_given: bool = False) -> Any:
    return told(Instant, description, required=True, allow_none=not is_given)


def _check_states(text: str) -> None:
    for one in text.split(","):
        if one == "clicked":
            raise ma.ValidationError(
                "clicked: a click is no referral yet; clicks are counted with the member's links"
                " and in the report of referrals"
            )
        if one not in _ASKED:
            raise ma.ValidationError(f"must be one or several of {', '.join(_ASKED)}")


class ReferralsQuery(PageQuery):
    """Which referrals."""

    state = told(
        Text,
        "In this state, or in one of several, separated by commas; rewarded, capped and clawed_back"
        " are of the advocate's side; in_review alone is the queue of reviews.",
        most=200,
        validate=_check_states,
    )
    advocate = told(Reference, "Of friends whom this member brought.")
    friend = told(Reference, "Of this friend.")
    offer = told(Key, "Of this offer.")
    order = told(
        Text,
        "Which come first: newest, unless it is the queue of reviews, where the oldest do; score:"
        " the highest score, of equal ones the oldest.",
        one_of=("newest", "oldest", "score"),
    )


class DecideBody(Schema):
    """Why a reviewer decides so."""

    reason = told(
        Text,
        "Why. Not only spaces; kept for ever in the log, so name nobody in it.",
        required=True,
        most=200,
        validate=_check_said,
    )


class ReviewBody(DecideBody):
    """A decision about a referral that somebody has looked at."""

    if_state = told(
        Text,
        "The state in which it was looked at: 409 where it is in another one by now, since somebody"
        " else decided first.",
        one_of=STATES,
    )


class BringBody(DecideBody):
    """Who brought a friend, as staff says."""

    friend = told(Reference, "Who was brought.", required=True)
    advocate = told(Reference, "Who brought them; or `code`.")
    code = told(Text, "A code of who brought them; or `advocate`.", most=64)
    offer = told(Key, "Of which offer; the code's, or the only one there is, unless named.")
    at = told(
        Instant,
        "Since when the friend is the advocate's: their orders from then on may qualify. Now,"
        " unless said.",
    )
    is_confirmed = told(
        Boolean,
        "That they are meant although the friend had bought before, or something speaks against"
        " it; kept in the log.",
        load_default=False,
    )


class BlockBody(ReviewBody):
    """Who is blocked, and why."""

    who = told(
        Text,
        "Who neither refers nor is referred from now on: both unless one is named.",
        one_of=WHO,
        load_default="both",
    )


class ApprovalView(Schema):
    """One of the approvals that a costly referral needs."""

    actor = told(Text, "Who approved.", required=True)
    approved_at = _instant("When.", is_given=True)
    cost_minor = told(
        Integer, "What it cost then: what costs more needs approving again.", required=True
    )


class SignalView(Schema):
    """What speaks against a referral."""

    signal = told(Text, "Its key.", required=True, one_of=tuple(SIGNALS))
    meaning = told(Text, "What it says.", required=True)
    weight_bp = told(BasisPoints, "What it weighed.", required=True)
    detail = told(
        Json, "Where it came from and when it was seen, never what was seen.", required=True
    )


class PartyInListView(Schema):
    """One of both in a list, masked."""

    member_ref = told(
        Reference, "Their reference; null when erased.", required=True, allow_none=True
    )
    name = told(Text, "Masked: its first symbol.", required=True, allow_none=True)


class SideStateView(Schema):
    """How far one side of a referral is."""

    side = told(Text, "Whose.", required=True, one_of=SIDES)
    state = told(Text, "Its state.", required=True, one_of=SIDE_STATES)
    reason = told(Text, "Why.", required=True, allow_none=True)


class ReferralBase(Schema):
    """What every view of a referral has."""

    id = told(Text, "Our id.", required=True)
    state = told(Text, "Its state.", required=True, one_of=STATES)
    reason = told(Text, "Why it is in this state.", required=True, allow_none=True)
    offer = told(Text, "Key of the offer.", required=True)
    version = told(Integer, "Version of the program that is pinned.", required=True)
    method = told(Text, "By which evidence the advocate won.", required=True)
    channel = told(Text, "Channel of the link.", required=True, allow_none=True)
    order_ref = told(Reference, "The order that qualifies.", required=True, allow_none=True)
    net_minor = told(Integer, "What stands of that order.", required=True, allow_none=True)
    score_bp = told(BasisPoints, "Fraud score, in basis points.", required=True)
    signals = ma.fields.List(
        ma.fields.Nested(SignalView),
        required=True,
        metadata={"description": "What speaks against it, the heaviest first."},
    )
    approvals = ma.fields.List(
        ma.fields.Nested(ApprovalView),
        required=True,
        metadata={"description": "Who has approved so far, where two people must."},
    )
    is_bound = told(
        Boolean,
        "Whether the friend is the advocate's; false where evidence was only refused.",
        required=True,
    )
    counts = told(
        Boolean,
        "Whether it counts as an approved friend: for milestones and levels.",
        required=True,
    )
    clicked_at = _instant("When the link was clicked.")
    bound_at = _instant("Since when the friend is the advocate's.", is_given=True)
    qualified_at = _instant("When it qualified.")
    hold_until = _instant("Until when it is held back.")
    approved_at = _instant("When it was approved.")
    due_at = _instant("When time alone does something next.")
    created_at = _instant("When we were told.", is_given=True)
    updated_at = _instant("When it last changed.", is_given=True)


class ReferralView(ReferralBase):
    """A referral in a list."""

    advocate_ref = told(
        Reference, "Who brought the friend; null when erased.", required=True, allow_none=True
    )
    friend_ref = told(Reference, "The friend; null when erased.", required=True, allow_none=True)
    advocate = ma.fields.Nested(
        PartyInListView, required=True, metadata={"description": "Who brought the friend."}
    )
    friend = ma.fields.Nested(
        PartyInListView, required=True, metadata={"description": "The friend."}
    )
    sides = ma.fields.List(
        ma.fields.Nested(SideStateView),
        required=True,
        metadata={"description": "How far each side is."},
    )


class ReferralsAnswer(Schema):
    """Referrals."""

    data = ma.fields.List(ma.fields.Nested(ReferralView), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)
    counts = ma.fields.Dict(
        keys=Text(one_of=STATES),
        values=Integer(),
        metadata={"description": "With state=in_review: how many there are in each state."},
    )


class PartyView(Schema):
    """One of both, masked."""

    member_ref = told(
        Reference, "Their reference; null when erased.", required=True, allow_none=True
    )
    email = told(Text, "Masked: k***@g***.com.", required=True, allow_none=True)
    phone = told(Text, "Masked: its last two digits.", required=True, allow_none=True)
    name = told(Text, "Masked: its first symbol.", required=True, allow_none=True)
    joined_at = _instant("When they joined.", is_given=True)
    account_days = told(Integer, "How many days ago that was.", required=True)
    is_enrolled = told(Boolean, "Whether they take part in the program.", required=True)
    orders_count = told(Integer, "Their orders that stand.", required=True)
    other_referrals_count = told(Integer, "How many others they brought besides.", required=True)


class SideView(SideStateView):
    """What a referral brings one of those it concerns."""

    member_ref = told(
        Reference, "Whose; null when they were erased.", required=True, allow_none=True
    )
    earned = ma.fields.List(
        ma.fields.Nested(AwardAnswer),
        required=True,
        metadata={"description": "The points that stand."},
    )
    grants = ma.fields.List(
        ma.fields.Nested(GrantView),
        required=True,
        metadata={"description": "The rewards that stand, without their codes."},
    )
    payables = cash("The cash that is owed.")
    cost_minor = told(Integer, "What it costs, in minor units.", required=True)
    first_rewarded_at = _instant("When it was first paid.")
    decision_id = told(Text, "Why.", required=True, allow_none=True)


class TransitionView(Schema):
    """A line of the log of a referral."""

    number = told(Integer, "Its number, from 1.", required=True)
    side = told(
        Text, "Of which side; null of the whole.", required=True, allow_none=True, one_of=SIDES
    )
    from_ = ma.fields.String(
        data_key="from",
        required=True,
        allow_none=True,
        metadata={"description": "The state before."},
    )
    to = told(Text, "The state after.", required=True)
    cause = told(Text, "What made it so: order, refund, time, review, …", required=True)
    reason = told(Text, "Code of the reason.", required=True, allow_none=True)
    action = told(
        Text,
        "What the reviewer did, bring where they named the advocate; timeout of a review whose time"
        " was over; kept_after_window where an order changed after the offer's clawback_window and"
        " what was paid stayed.",
        required=True,
        allow_none=True,
    )
    note = told(Text, "Why, as the reviewer says.", required=True, allow_none=True)
    actor = told(Text, "Who.", required=True, allow_none=True)
    effective_at = _instant("When it happened.", is_given=True)
    recorded_at = _instant("When it was recorded.", is_given=True)


class ReferralAnswer(ReferralBase):
    """A referral with everything that is known of it."""

    cleared_bp = told(
        BasisPoints,
        "Up to which score, but for new_account and velocity, a reviewer has cleared it; 0: not.",
        required=True,
    )
    advocate = ma.fields.Nested(
        PartyView, required=True, metadata={"description": "Who brought the friend."}
    )
    friend = ma.fields.Nested(PartyView, required=True, metadata={"description": "The friend."})
    evidence = told(
        Json, "The candidates there were: the one that won, and why others did not.", required=True
    )
    sides = ma.fields.List(
        ma.fields.Nested(SideView),
        required=True,
        metadata={"description": "What it brings whom."},
    )
    transitions = ma.fields.List(
        ma.fields.Nested(TransitionView),
        required=True,
        metadata={"description": "Everything that became of it, the oldest first."},
    )


class DecidedAnswer(Schema):
    """A referral after a reviewer's decision."""

    referral = ma.fields.Nested(ReferralAnswer, required=True)
