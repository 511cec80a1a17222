"""Bodies of balances, entries and tiers."""

from datetime import date

import marshmallow as ma

from core.fields import Boolean, Date, Instant, Integer, Json, Localised, Schema, Text, described
from core.paging import PageQuery


def whole(description: str, **options: object) -> ma.fields.Field[int]:
    """A required integer of an answer."""
    field: ma.fields.Field[int] = described(
        Integer, description, least=-(2**63), required=True, **options
    )
    return field


class BalanceAnswer(Schema):
    """A balance of one kind of points."""

    points_key = described(Text, "Kind of points.", required=True)
    available = whole("Can be spent.")
    pending = whole("Not yet available.")
    held = whole("Reserved for open checkouts.")
    version = whole("Number of the last entry.")
    lifetime_earned = whole("Earned in all, less what was reversed.")
    expiring = ma.fields.List(
        ma.fields.Nested(
            Schema.from_dict(
                {
                    "expires_at": described(Instant, "When.", required=True),
                    "points": whole("How many."),
                },
                name="ExpiringAnswer",
            )
        ),
        required=True,
    )


class SourceAnswer(Schema):
    """What caused an entry."""

    type = described(Text, "Kind of cause.", required=True)
    ref = described(Text, "Its reference.", required=True)


class EntryAnswer(Schema):
    """One immutable movement between two buckets."""

    id = described(
        Text,
        "Our id; null of what was due as of the time asked for and is not among what was known.",
        required=True,
        allow_none=True,
    )
    seq = whole("Number within the account.")
    kind = described(Text, "Kind of movement.", required=True)
    points = whole("How many.")
    points_key = described(Text, "Kind of points.", required=True)
    available_after = whole("Available afterwards.")
    effective_at = described(Instant, "When it happened.", required=True)
    recorded_at = described(Instant, "When we were told.", required=True)
    source = ma.fields.Nested(SourceAnswer, required=True)
    summary = described(Localised, "In a sentence, by locale.", required=True)
    decision_id = described(Text, "Why.", required=True, allow_none=True)
    actor = described(Text, "Who acted.", required=True, allow_none=True)
    to = described(Text, "Bucket it went to.", required=True)


# `from` is a word of Python's own.
EntryAnswer._declared_fields["from"] = described(Text, "Bucket it came from.", required=True)


class EntriesAnswer(Schema):
    """Entries, newest first."""

    data = ma.fields.List(ma.fields.Nested(EntryAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class BalancesAnswer(Schema):
    """Balances of every kind of points."""

    data = ma.fields.List(ma.fields.Nested(BalanceAnswer), required=True)
    next_cursor = described(Text, "Always null.", required=True, allow_none=True)


class ProgressAnswer(Schema):
    """Progress in one metric."""

    metric = described(Text, "What is measured.", required=True)
    value = whole("How much there is.")
    next = described(
        Json,
        "{key, missing} of the next level; beneath a level given by hand, of the one next to what "
        "the member would stand on without it.",
        required=True,
        allow_none=True,
    )
    retain = described(
        Json,
        "{missing, by} to keep the level (beneath one given by hand, the one without it): what "
        "must still be bought by the end of the term, of grace, or of what is assured; by is null "
        "without an end.",
        required=True,
        allow_none=True,
    )


class TierAnswer(Schema):
    """A member's tier."""

    key = described(Text, "Key of the level.", required=True, allow_none=True)
    name = described(Localised, "Name by locale.", required=True, allow_none=True)
    since = described(Instant, "Since when.", required=True, allow_none=True)
    until = described(
        Instant,
        "End of the term, or of what is assured or given by hand; null without an end.",
        required=True,
        allow_none=True,
    )
    grace_until = described(
        Instant,
        "The term is over: the level is kept until then, and renewed by what keeps it.",
        required=True,
        allow_none=True,
    )
    at_risk = described(
        Boolean,
        "The window holds less now than it takes to keep the level; `projected` says what becomes "
        "of it. False of a level given by hand.",
        required=True,
    )
    projected = described(
        Text,
        "Key of the level after `until` (after grace, if any) when nothing more is bought; null "
        "for none, and without an end.",
        required=True,
        allow_none=True,
    )
    is_manual = described(Boolean, "Given by hand.", required=True)
    reason = described(Text, "Why it was given by hand.", allow_none=True)
    progress = ma.fields.List(ma.fields.Nested(ProgressAnswer), required=True)
    change = described(Json, "{from, to, kind} when this request changed it.")


class LotAnswer(Schema):
    """Points that came together, with the terms that they came under."""

    id = described(Text, "Our id.", required=True)
    points_key = described(Text, "Kind of points.", required=True)
    points = whole("How many there were.")
    remaining = whole("Not gone yet, pending and held ones included.")
    held = whole("Reserved of them for open checkouts.")
    reversed = whole("Taken back of what was given.")
    written_off = whole("Should have been taken back, and could not.")
    state = described(
        Text,
        "Where they are, by their dates: available as long as any of them remain, held ones too.",
        required=True,
        one_of=("pending", "available", "used", "expired"),
    )
    earned_at = described(Instant, "When they were earned.", required=True)
    available_at = described(
        Instant, "Since or from when they can be spent.", required=True, allow_none=True
    )
    expires_at = described(Instant, "When they expire.", required=True, allow_none=True)


class TouchedLotAnswer(LotAnswer):
    """A lot that an entry changed, as it is now."""

    change = whole("By how much the entry changed what remains of it.")
    held_change = whole("By how much the entry changed what is held of it.")
    for_lot_id = described(
        Text, "The lot whose points were taken out of this one.", required=True, allow_none=True
    )


class LotsAnswer(Schema):
    """Lots, newest first."""

    data = ma.fields.List(ma.fields.Nested(LotAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class LotsQuery(PageQuery):
    """Query of a member's lots."""

    points_key = described(Text, "Only this kind of points.", most=64)
    open = described(Boolean, "true: only those with points in them.", load_default=False)


class MomentQuery(Schema):
    """As of when, and as known when."""

    as_of = described(Instant, "What had happened by then (default: known_at, or now).")
    known_at = described(Instant, "As far as it was known then (default: now).")


class StatementQuery(Schema):
    """Query of a statement."""

    format = described(Text, "json (default) or csv.", one_of=("json", "csv"), load_default="json")
    points_key = described(Text, "Only this kind of points.", most=64)


# `from` is a word of Python's own.
StatementQuery._declared_fields["from"] = described(
    Instant, "Entries recorded from then on (default: all)."
)
StatementQuery._declared_fields["until"] = described(
    Instant, "Entries recorded before then (default: now, with what is due)."
)


class StatementAccount(Schema):
    """One kind of points of a statement."""

    points_key = described(Text, "Kind of points.", required=True)
    opening = described(Json, "{available, pending, held} before the period.", required=True)
    entries = ma.fields.List(
        described(
            Json, "An entry with pending_after, held_after and reason; id null: due, not written."
        ),
        required=True,
    )
    closing = described(Json, "{available, pending, held} after the period.", required=True)


class StatementAnswer(Schema):
    """A statement of a member."""

    member_ref = described(Text, "Whose.", required=True)
    until = described(Instant, "End of the period, not included.", required=True)
    accounts = ma.fields.List(ma.fields.Nested(StatementAccount), required=True)


# `from` is a word of Python's own.
StatementAnswer._declared_fields["from"] = described(
    Instant, "Begin of the period; null: from the first entry.", required=True, allow_none=True
)


class ProofQuery(Schema):
    """Query of the ledger's proof."""


def _check_year(day: date) -> None:
    """Leave room on both sides for any zone's calendar, as instants do."""
    if not 1900 <= day.year < 3000:
        raise ma.ValidationError("the year must be from 1900 to 2999")


ProofQuery._declared_fields["from"] = described(
    Date,
    "First day of `daily`; by default 31 days up to the last.",
    validate=_check_year,
)
ProofQuery._declared_fields["until"] = described(
    Date,
    "Last day of `daily`; 31 days at most, by default that of the newest entry, or 31 days from"
    " the first. Days without entries are left out.",
    validate=_check_year,
)


class SumsAnswer(Schema):
    """What one kind of points adds up to in the whole program."""

    points_key = described(Text, "Kind of points.", required=True)
    available = whole("With members, to be spent.")
    pending = whole("With members, not yet available.")
    held = whole("With members, reserved.")
    issued = whole("Earned in all: left the program's bucket.")
    spent = whole("Spent, less what came back.")
    expired = whole("Expired.")
    clawed_back = whole("Taken back, less what was restored.")
    adjusted = whole("Taken by hand, less what was given.")
    transferred = whole("Left members, less what arrived: 0 when both sides are there.")


class DayAnswer(Schema):
    """What was recorded on one day of the program."""

    day = described(Date, "The day in the program's time zone.", required=True)
    entries = whole("How many.")
    root = described(Text, "Merkle root of their hashes, hexadecimal.", required=True)


class ProofAnswer(Schema):
    """What the ledger comes to, and what pins every entry of it."""

    at = described(Instant, "The program's clock.", required=True)
    sums = ma.fields.List(ma.fields.Nested(SumsAnswer), required=True)
    counts = described(Json, "{accounts, entries, allocations, lots, holds}.", required=True)
    chain_heads = described(
        Json, "{count, root}: Merkle root over every account's head.", required=True
    )
    daily = ma.fields.List(ma.fields.Nested(DayAnswer), required=True)


class HeadAnswer(Schema):
    """The last entry's hash of one account."""

    member_id = described(Text, "Whose account.", required=True)
    points_key = described(Text, "Kind of points.", required=True)
    version = whole("Number of the last entry.")
    head = described(Text, "Its hash, hexadecimal.", required=True)


class HeadsAnswer(Schema):
    """Heads of chains, in the order of the leaves of their root."""

    data = ma.fields.List(ma.fields.Nested(HeadAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class EntriesQuery(PageQuery):
    """Query of a member's entries."""

    points_key = described(Text, "Only this kind of points.", most=64)
    as_of = described(Instant, "What had happened by then (default: known_at).")
    known_at = described(Instant, "As far as it was known then (default: now).")
