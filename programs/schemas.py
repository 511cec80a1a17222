"""Bodies and answers of the program's addresses."""

import marshmallow as ma

from core.auth import SCOPES
from core.fields import Boolean, Instant, Integer, Json, Key, Schema, Text, described
from programs.document import DocumentSchema, nested
from programs.switches import SWITCHED


class PublishBody(Schema):
    """What to say about a new version."""

    note = described(Text, "Why this version.", most=1000, required=True)
    approver = described(Text, "Who approved it.", most=128)


class FindingAnswer(Schema):
    """One finding of the check."""

    code = described(Text, "Code of the finding.", required=True)
    pointer = described(Text, "RFC 6901 pointer.", required=True, least=0)
    detail = described(Text, "What and why.", required=True, most=2000)


class CheckAnswer(Schema):
    """What the check found; errors block publishing, warnings do not."""

    errors = ma.fields.List(ma.fields.Nested(FindingAnswer), required=True)
    warnings = ma.fields.List(ma.fields.Nested(FindingAnswer), required=True)


class VersionAnswer(Schema):
    """A published version."""

    version = described(Integer, "Number, from 1.", required=True)
    note = described(Text, "Why.", required=True, allow_none=True, most=1000)
    actor = described(Text, "Who published.", required=True, allow_none=True)
    approver = described(Text, "Who approved.", required=True, allow_none=True)
    restored_from = described(Integer, "Version restored.", required=True, allow_none=True)
    published_at = described(Instant, "When.", required=True)
    is_live = described(Boolean, "Whether it is in force.", required=True)
    backtest_id = described(
        Text, "The back-test of exactly this document.", required=True, allow_none=True
    )
    document = described(Json, "The document (single version only).")
    errors = ma.fields.List(
        ma.fields.Nested(FindingAnswer),
        metadata={"description": "Why it could not be restored, if so (single version only)."},
    )


class VersionsAnswer(Schema):
    """Versions, newest first."""

    data = ma.fields.List(ma.fields.Nested(VersionAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class ItemAnswer(Schema):
    """An item of the draft."""

    class Meta:
        """Each section's items have their own fields."""

        unknown = "include"

    key = described(Key, "Key of the item.", required=True)


class SwitchBody(Schema):
    """An item of the published document to pause, or to set live, at once."""

    section = described(
        Text, "Section of the item.", required=True, most=64, metadata={"enum": [*SWITCHED]}
    )
    key = described(Key, "Key of the item.", required=True)
    state = described(Text, "What it is to be.", required=True, one_of=("live", "paused"))
    reason = described(Text, "Why.", required=True, most=1000)


class SwitchAnswer(Schema):
    """A switch that was thrown."""

    number = described(Integer, "Its number, from 1.", required=True)
    section = described(Text, "Section of the item.", required=True)
    key = described(Key, "Key of the item.", required=True)
    state = described(Text, "What it became.", required=True, one_of=("live", "paused"))
    reason = described(Text, "Why.", required=True, most=1000)
    actor = described(Text, "Who.", required=True, allow_none=True)
    switched_at = described(Instant, "When, by the program's clock.", required=True)


class SwitchesAnswer(Schema):
    """Switches, newest first."""

    data = ma.fields.List(ma.fields.Nested(SwitchAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)


class ProgramAnswer(Schema):
    """The published document and its version."""

    id = described(Text, "Our id.", required=True)
    mode = described(Text, "test or live.", required=True, one_of=("test", "live"))
    version = described(Integer, "Published version.", required=True)
    published_at = described(Instant, "When it was published.", required=True)
    switches = ma.fields.List(
        ma.fields.Nested(SwitchAnswer),
        required=True,
        metadata={"description": "Of each item switched, the switch in force, newest first."},
    )
    document = nested(DocumentSchema, "The published document.", required=True)


class KeyBody(Schema):
    """A key to make."""

    name = described(Text, "What the key is for.", most=100, required=True)
    kind = described(Text, "Kind; default secret.", one_of=("secret", "publishable"))
    scopes = ma.fields.List(
        Text(most=32, metadata={"enum": list(SCOPES)}),
        metadata={"description": "Scopes of a secret key; default all."},
    )


class KeyAnswer(Schema):
    """A key, without the key itself."""

    id = described(Text, "Our id.", required=True)
    name = described(Text, "What it is for.", required=True)
    prefix = described(Text, "How it starts.", required=True)
    last_four = described(Text, "How it ends.", required=True)
    scopes = ma.fields.List(Text(), required=True)
    created_at = described(Instant, "When it was made.", required=True)
    revoked_at = described(Instant, "When it was revoked.", required=True, allow_none=True)


class NewKeyAnswer(KeyAnswer):
    """A new key, shown this once."""

    key = described(Text, "The key: store it now.", required=True)


class KeysAnswer(Schema):
    """Keys, newest first."""

    data = ma.fields.List(ma.fields.Nested(KeyAnswer), required=True)
    next_cursor = described(Text, "Next page.", required=True, allow_none=True, most=512)
