"""The types of messages, and the JSON schema of each that can arise so far.

One declaration serves the check of an endpoint's types and docs/reference/webhooks, which
`python -m webhooks.types` writes. Fields may be added to a message, never renamed or removed.
"""

import json
from pathlib import Path
from typing import Any

_NAMES = {
    "points": "earned activated spent expiring expired reversed adjusted transferred",
    "tier": "changed at_risk",
    "card": "completed",
    "redemption": "held captured released expired reversed",
    "voucher": "redeemed",
    "referral": "identified qualified in_review approved rejected rewarded capped clawed_back",
    "surprise": "won",
    "budget": "alert",
    "segment": "entered left",
    "fulfilment": "changed",
    "member": "created merged erased",
    "program": "published",
}
#: Every type there is.
TYPES = tuple(f"{group}.{name}" for group, names in _NAMES.items() for name in names.split())
#: What an endpoint may ask for: a type, all of a group, or everything.
PATTERNS = (*TYPES, *(f"{group}.*" for group in _NAMES), "*")

DIRECTORY = Path(__file__).parent.parent / "docs/reference/webhooks"
_TEXT: dict[str, Any] = {"type": "string"}
_NULLABLE_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_INSTANT: dict[str, Any] = {"type": "string", "format": "date-time"}
_NULLABLE_INSTANT: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}
_SOURCE = {
    "type": "object",
    "required": ["type", "ref"],
    "properties": {"type": _TEXT, "ref": _TEXT},
    "description": "What caused it: an order, a refund, a signup, an adjustment, …",
}


def _id(prefix: str, description: str) -> dict[str, Any]:
    return {
        "type": "string",
        "pattern": f"^{prefix}_[0-9a-hjkmnp-tv-z]{{26}}$",
        "description": description,
    }


_MOVED: dict[str, Any] = {
    "entry_id": _id("ent", "The entry: `GET /v1/entries/{id}` explains it."),
    "kind": _TEXT | {"description": "Kind of the entry."},
    "points_key": _TEXT | {"description": "Kind of points."},
    "points": {"type": "integer", "minimum": 1, "description": "Points moved."},
    "available_after": {"type": "integer", "description": "Available points after it."},
    "source": _SOURCE,
    "effective_at": _INSTANT | {"description": "When it happened."},
    "recorded_at": _INSTANT | {"description": "When it was recorded, by the program's clock."},
}

_REDEMPTION: dict[str, Any] = {
    "redemption_id": _id("rdm", "The redemption: `GET /v1/redemptions/{id}` shows it."),
    "reward": _NULLABLE_TEXT | {"description": "Key of the reward; null for points that pay."},
    "kind": _TEXT | {"description": "The reward's kind, or pay_with_points."},
    "points_key": _NULLABLE_TEXT | {"description": "Kind of points; null when it is free."},
    "points": {"type": "integer", "minimum": 0, "description": "What it costs."},
    "order_ref": _NULLABLE_TEXT | {"description": "The order that keeps or captured it."},
    "expires_at": _NULLABLE_INSTANT
    | {"description": "When it runs out, while it is held; null while an order keeps it."},
}

_MEMBER = {
    "type": "object",
    "required": ["id", "member_ref"],
    "properties": {
        "id": _id("mem", "Our id."),
        "member_ref": _NULLABLE_TEXT
        | {"description": "The storefront's reference; null when it is gone."},
    },
}

_REFERRAL: dict[str, Any] = {
    "referral_id": _id("ref", "The referral: `GET /v1/referrals/{id}` shows it."),
    "offer": _TEXT | {"description": "Key of the offer."},
    "advocate": _MEMBER | {"description": "Who brought the friend."},
    "friend": _MEMBER | {"description": "Who was brought."},
    "state": _TEXT | {"description": "State of the referral, or of the side, from now on."},
    "reason": _NULLABLE_TEXT
    | {"description": "Why, as one of the reasons of referrals; null where nothing is against it."},
    "effective_at": _INSTANT | {"description": "When it came to be so."},
}
_SIDE: dict[str, Any] = _REFERRAL | {
    "side": _TEXT
    | {"description": "Whose side: advocate, friend, or second for whoever brought the advocate."},
}

_SEGMENT: dict[str, Any] = {
    "segment": _TEXT | {"description": "Key of the segment."},
    "member_ref": _NULLABLE_TEXT
    | {"description": "The storefront's reference; null when it is gone."},
    "at": _INSTANT | {"description": "When the look was that found it so."},
}

#: Of each type: what it says, whether it is about a member, its required and optional fields.
_Message = tuple[str, bool, dict[str, Any], dict[str, Any]]
MESSAGES: dict[str, _Message] = {
    "points.earned": ("Points were earned, pending or available.", True, _MOVED, {}),
    "points.activated": ("Pending points became available.", True, _MOVED, {}),
    "points.spent": ("Points were spent.", True, _MOVED, {}),
    "points.expiring": (
        "Points will expire soon.",
        True,
        {
            "points_key": _TEXT | {"description": "Kind of points."},
            "points": {"type": "integer", "minimum": 1, "description": "Points that expire."},
            "expires_at": _INSTANT | {"description": "When they expire."},
        },
        {},
    ),
    "points.expired": ("Points expired.", True, _MOVED, {}),
    "points.reversed": ("Points earned were taken back.", True, _MOVED, {}),
    "points.adjusted": ("Points were adjusted by hand.", True, _MOVED, {}),
    "points.transferred": ("Points went from one member to another.", True, _MOVED, {}),
    "tier.changed": (
        "The member's tier changed, or was renewed.",
        True,
        {
            "from": _NULLABLE_TEXT | {"description": "Level before; null for none."},
            "to": _NULLABLE_TEXT | {"description": "Level now; null for none."},
            "kind": _TEXT | {"description": "upgrade, downgrade or renewal."},
            "cause": _TEXT
            | {"description": "order, refund, time, manual, ladder, opening or merge."},
            "until": _NULLABLE_INSTANT
            | {"description": "End of the level's term, or of what was given; null without."},
        },
        {"source": _SOURCE},
    ),
    "tier.at_risk": (
        "The window holds less now than it takes to keep the member's level.",
        True,
        {
            "key": _TEXT | {"description": "The level."},
            "until": _NULLABLE_INSTANT
            | {"description": "Until when it is kept all the same; null without a term."},
        },
        {},
    ),
    "card.completed": (
        "A stamp card was completed.",
        True,
        {
            "card": _TEXT | {"description": "Key of the card."},
            "number": {"type": "integer", "minimum": 1, "description": "Which completion of it."},
            "completed_at": _INSTANT | {"description": "When it was completed."},
        },
        {},
    ),
    "redemption.held": ("A reward, or points that pay, were held.", True, _REDEMPTION, {}),
    "redemption.captured": ("What was held was captured.", True, _REDEMPTION, {}),
    "redemption.released": ("What was held was given up.", True, _REDEMPTION, {}),
    "redemption.expired": ("What was held ran out.", True, _REDEMPTION, {}),
    "redemption.reversed": ("What was captured was undone.", True, _REDEMPTION, {}),
    "voucher.redeemed": (
        "A code was used by an order, in whole or in part. About its member, if it has one.",
        False,
        {
            "voucher_id": _id("vou", "The voucher: `GET /v1/vouchers/{id}` shows it."),
            "kind": _TEXT | {"description": "Kind of the reward that it is."},
            "reward": _NULLABLE_TEXT | {"description": "Key of the reward, if any."},
            "order_ref": _TEXT | {"description": "The order."},
            "amount_minor": {
                "type": "integer",
                "minimum": 0,
                "description": "What it took off, or what was taken of its money.",
            },
            "remaining_minor": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "What is left of its money; null where it holds none.",
            },
        },
        {"member": _MEMBER},
    ),
    "referral.identified": (
        "A friend is an advocate's from now on, or waits for an order that qualifies again.",
        False,
        _REFERRAL,
        {},
    ),
    "referral.qualified": ("What a friend did qualifies a referral.", False, _REFERRAL, {}),
    "referral.in_review": ("A referral waits for a reviewer.", False, _REFERRAL, {}),
    "referral.approved": (
        "A referral is approved: both sides are paid, unless a cap is reached.",
        False,
        _REFERRAL,
        {},
    ),
    "referral.rejected": ("A referral is rejected.", False, _REFERRAL, {}),
    "referral.rewarded": (
        "A side of a referral brought its member what the offer promises, or brings it again."
        " Messages about points name the referral as their source.",
        True,
        _SIDE,
        {},
    ),
    "referral.capped": (
        "A side of a referral is owed nothing, since a cap is reached or the budget is spent; the"
        " reason says which.",
        True,
        _SIDE,
        {},
    ),
    "referral.clawed_back": (
        "What a side of a referral brought its member is taken back.",
        True,
        _SIDE,
        {},
    ),
    "surprise.won": (
        "A member won a surprise. Messages about points name the draw as their source; they tell,"
        " too, when it is taken back with what brought it.",
        True,
        {
            "surprise": _TEXT | {"description": "Key of the surprise."},
            "prize": {"type": "integer", "minimum": 0, "description": "Which prize, from 0."},
            "draw_id": _id("drw", "The draw: `GET /v1/draws/{id}` shows it."),
            "source": _SOURCE,
            "won_at": _INSTANT | {"description": "When what brought it happened."},
        },
        {},
    ),
    "budget.alert": (
        "Four fifths of a budget or of a day's share of it are used, or nothing more can be had of"
        " it: once for each total, and once for each day.",
        False,
        {
            "section": _TEXT | {"description": "surprises or referral_offers."},
            "key": _TEXT | {"description": "Key of the surprise or offer."},
            "unit": _TEXT | {"description": "points, or minor units of money."},
            "period": {"enum": ["total", "day"], "description": "All of it, or a day's share."},
            "on": {
                "type": ["string", "null"],
                "format": "date",
                "description": "The day of the program, of a day's share.",
            },
            "percent": {"enum": [80, 100], "description": "The threshold."},
            "total": {
                "type": "integer",
                "minimum": 1,
                "description": "So many in all, or on the day.",
            },
            "used": {"type": "integer", "minimum": 1, "description": "So many of these are used."},
            "is_exhausted": {
                "type": "boolean",
                "description": "Whether nothing more can be had: the dearest prize is not left.",
            },
        },
        {},
    ),
    "segment.entered": ("A member belongs to a segment from now on.", True, _SEGMENT, {}),
    "segment.left": ("A member belongs to a segment no longer.", True, _SEGMENT, {}),
    "fulfilment.changed": (
        "What staff sends a member was requested, shipped, delivered or cancelled.",
        True,
        {
            "fulfilment_id": _id("ful", "The fulfilment: `GET /v1/fulfilments/{id}` shows it."),
            "redemption_id": _id("rdm", "The redemption that it is for."),
            "reward": _NULLABLE_TEXT | {"description": "Key of the reward."},
            "state": _TEXT | {"description": "requested, shipped, delivered or cancelled."},
            "carrier": _NULLABLE_TEXT | {"description": "Who carries it, if told."},
            "tracking": _NULLABLE_TEXT | {"description": "What to follow it by, if told."},
        },
        {},
    ),
    "member.created": (
        "A member was created.",
        True,
        {
            "member_ref": _NULLABLE_TEXT
            | {"description": "The storefront's reference; null when it is gone."}
        },
        {},
    ),
    "member.merged": (
        "A member was merged into another.",
        True,
        {
            "member_ref": _NULLABLE_TEXT
            | {"description": "The reference that is an alias from now on; null when it is gone."},
            "into_member_ref": _NULLABLE_TEXT
            | {"description": "The reference of the one who stays; null when it is gone."},
        },
        {},
    ),
    "member.erased": ("A member's personal data was erased.", True, {}, {}),
    "program.published": (
        "A version of the program document was published.",
        False,
        {
            "version": {"type": "integer", "minimum": 1, "description": "Its number."},
            "note": _NULLABLE_TEXT | {"description": "Why."},
            "actor": _NULLABLE_TEXT | {"description": "Who published."},
        },
        {},
    ),
}


def matches(patterns: list[str], type: str) -> bool:
    """Whether an endpoint that asked for these patterns is told of this type."""
    group = type.partition(".")[0]
    return any(pattern in {type, f"{group}.*", "*"} for pattern in patterns)


def schema(type: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a whole message of this type."""
    description, is_about_member, required, optional = MESSAGES[type]
    data: dict[str, Any] = {"program_id": _id("prg", "The program.")}
    if is_about_member:
        data["member"] = _MEMBER
    data |= required
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": type,
        "description": description,
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": type},
            "timestamp": _INSTANT | {"description": "When it arose, by the program's clock."},
            "data": {
                "type": "object",
                "required": list(data),
                "properties": data | optional,
            },
        },
    }


def files() -> dict[str, str]:
    """The files of docs/reference/webhooks: names and contents."""
    return {f"{name}.json": json.dumps(schema(name), indent=2) + "\n" for name in MESSAGES}


def write_files() -> None:
    """Write docs/reference/webhooks anew."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (DIRECTORY / name).write_text(content)


if __name__ == "__main__":
    write_files()
