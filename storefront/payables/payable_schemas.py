"""Bodies and answers of cash that is owed."""

import marshmallow as ma

from core.fields import BIGINT_MAX, Instant, Integer, Reference, Schema, Text
from core.fields import described as told
from core.paging import PageQuery
from loyalty.schemas import SourceAnswer

STATES = ("owed", "exported")
#: What was taken back after it was exported is owed the other way round.
_LEAST = -BIGINT_MAX
FORMATS = ("json", "csv")


class CashAnswer(Schema):
    """Cash that a rule owes for something."""

    rule = told(Text, "Which rule owes it.", required=True)
    minor = told(Integer, "How much (minor units).", required=True)


def cash(description: str) -> ma.fields.Nested:
    """What an answer says of the cash that something owes."""
    return ma.fields.Nested(
        CashAnswer, many=True, required=True, metadata={"description": description}
    )


class PayableView(Schema):
    """So much was owed more, or less: the sum of a source and rule is what stands of it."""

    id = told(Text, "Our id.", required=True)
    member_ref = told(
        Reference, "To whom; null when they were erased.", required=True, allow_none=True
    )
    source = ma.fields.Nested(SourceAnswer, required=True, metadata={"description": "For what."})
    rule = told(Text, "Which rule decided it.", required=True)
    minor = told(Integer, "How much more; below zero, how much less.", required=True, least=_LEAST)
    currency = told(Text, "Currency.", required=True)
    state = told(Text, "owed, or exported by the export named.", required=True, one_of=STATES)
    export_id = told(Text, "The export it went with.", required=True, allow_none=True)
    decision_id = told(
        Text,
        "The decision; null for what was withdrawn without one.",
        required=True,
        allow_none=True,
    )
    effective_at = told(Instant, "Since when.", required=True)
    recorded_at = told(Instant, "When it was recorded.", required=True)


class PayablesQuery(PageQuery):
    """Which payables."""

    member = told(Reference, "Of this member.")
    state = told(Text, "Owed still, or exported.", one_of=STATES)
    source = told(Text, "Of this source: order:A-1.", most=200)


class PayablesAnswer(Schema):
    """Payables, newest first."""

    data = ma.fields.List(ma.fields.Nested(PayableView), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)


class MemberPayablesQuery(PageQuery):
    """Which payables of a member."""

    state = told(Text, "Owed still, or exported.", one_of=STATES)


class MemberPayablesAnswer(PayablesAnswer):
    """The same of one member, with what they are owed in all."""

    owed_minor = told(
        Integer,
        "Owed and not exported, in all; below zero where what was exported was taken back.",
        required=True,
        least=_LEAST,
    )
    exported_minor = told(Integer, "Exported, in all.", required=True, least=_LEAST)


class PayableExportBody(Schema):
    """What is to be exported."""

    until = told(Instant, "What was owed up to this instant; by default, and at most, up to now.")


class PayableExportView(Schema):
    """An export: what was handed on to be paid."""

    id = told(Text, "Our id.", required=True)
    until = told(Instant, "Up to when what was owed is in it.", required=True)
    currency = told(Text, "Currency.", required=True)
    count = told(Integer, "To how many members.", required=True, least=0)
    total_minor = told(Integer, "How much in all.", required=True, least=0)
    actor = told(Text, "Who asked for it.", required=True, allow_none=True)
    created_at = told(Instant, "When.", required=True)


class PayableExportAnswer(Schema):
    """An export that was made."""

    export = ma.fields.Nested(PayableExportView, required=True)


class PayableExportsAnswer(Schema):
    """Exports, newest first."""

    data = ma.fields.List(ma.fields.Nested(PayableExportView), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)


class PayableExportQuery(Schema):
    """In which form."""

    format = told(Text, "json (default), or csv.", one_of=FORMATS, load_default="json")


class PayableExportLine(Schema):
    """What one member is to be paid."""

    member_ref = told(
        Reference, "To whom; null when they were erased.", required=True, allow_none=True
    )
    minor = told(Integer, "How much.", required=True, least=1)
    currency = told(Text, "Currency.", required=True)
    first_at = told(Instant, "Since when the oldest part of it.", required=True)
    last_at = told(Instant, "Since when the newest.", required=True)
    payables = ma.fields.List(
        told(Text, "Our id."), required=True, metadata={"description": "What it is made of."}
    )


class PayableExportWithLinesAnswer(PayableExportView):
    """An export with what each member is to be paid."""

    lines = ma.fields.List(
        ma.fields.Nested(PayableExportLine),
        required=True,
        metadata={"description": "A line for each member."},
    )
