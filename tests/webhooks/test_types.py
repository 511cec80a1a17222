"""The schemas in the documentation are those of the code, and messages keep them."""

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.webhooks.conftest import Hooks, verified
from tests.webhooks.receiver import Receiver
from webhooks import types

MOVED = {
    "entry_id": "ent_06dd2j2s8k3tz0000000000000",
    "kind": "earn",
    "points_key": "points",
    "points": 12,
    "available_after": 12,
    "source": {"type": "order", "ref": "A-1"},
    "effective_at": "2026-03-01T10:00:00Z",
    "recorded_at": "2026-03-01T10:00:01.5Z",
}
EXAMPLES: dict[str, dict[str, Any]] = {
    **{
        f"points.{name}": MOVED
        for name in (
            "earned",
            "activated",
            "spent",
            "expired",
            "reversed",
            "adjusted",
            "transferred",
        )
    },
    "points.expiring": {
        "points_key": "points",
        "points": 5,
        "expires_at": "2026-12-31T15:00:00Z",
    },
    "tier.changed": {
        "from": None,
        "to": "silver",
        "kind": "upgrade",
        "cause": "order",
        "until": "2027-03-01T15:00:00Z",
    },
    "tier.at_risk": {"key": "silver", "until": None},
    "card.completed": {"card": "coffee", "number": 2, "completed_at": "2026-03-01T10:00:00Z"},
    **{
        f"redemption.{word}": {
            "redemption_id": "rdm_" + "0" * 26,
            "reward": "ten-percent",
            "kind": "discount_percent",
            "points_key": "points",
            "points": 300,
            "order_ref": None,
            "expires_at": "2026-03-01T10:30:00Z" if word == "held" else None,
        }
        for word in ("held", "captured", "released", "expired", "reversed")
    },
    **{
        f"referral.{word}": {
            "referral_id": "ref_" + "0" * 26,
            "offer": "friends",
            "advocate": {"id": "mem_" + "0" * 26, "member_ref": "mina"},
            "friend": {"id": "mem_" + "1" * 26, "member_ref": None},
            "state": "rejected" if word == "rejected" else "approved",
            "reason": "REFUND_BELOW_MIN" if word == "rejected" else None,
            "effective_at": "2026-03-01T10:00:00Z",
        }
        for word in ("identified", "qualified", "in_review", "approved", "rejected")
    },
    **{
        f"referral.{word}": {
            "referral_id": "ref_" + "0" * 26,
            "offer": "friends",
            "advocate": {"id": "mem_" + "0" * 26, "member_ref": "mina"},
            "friend": {"id": "mem_" + "1" * 26, "member_ref": "jun"},
            "side": "advocate",
            "state": word,
            "reason": None,
            "effective_at": "2026-03-01T10:00:00Z",
        }
        for word in ("rewarded", "capped", "clawed_back")
    },
    "voucher.redeemed": {
        "voucher_id": "vou_" + "0" * 26,
        "kind": "gift_card",
        "reward": None,
        "order_ref": "A-1",
        "amount_minor": 500,
        "remaining_minor": 0,
    },
    "surprise.won": {
        "surprise": "luck",
        "prize": 1,
        "draw_id": "drw_" + "0" * 26,
        "source": {"type": "order", "ref": "A-1"},
        "won_at": "2026-03-01T10:00:00Z",
    },
    "fulfilment.changed": {
        "fulfilment_id": "ful_" + "0" * 26,
        "redemption_id": "rdm_" + "0" * 26,
        "reward": "mug",
        "state": "shipped",
        "carrier": "CJ",
        "tracking": None,
    },
    "budget.alert": {
        "section": "surprises",
        "key": "luck",
        "unit": "points",
        "period": "day",
        "on": "2026-03-01",
        "percent": 80,
        "total": 10_000,
        "used": 8_001,
        "is_exhausted": False,
    },
    "segment.entered": {
        "segment": "lapsing",
        "member_ref": "mina",
        "at": "2026-03-01T15:00:00Z",
    },
    "segment.left": {"segment": "lapsing", "member_ref": None, "at": "2026-03-01T15:00:00Z"},
    "member.created": {"member_ref": "mina"},
    "member.merged": {"member_ref": "mina", "into_member_ref": "jun"},
    "member.erased": {},
    "program.published": {"version": 2, "note": "Spring", "actor": None},
}


def strict(schema: Any) -> Any:
    """A schema under which a field that is not declared is a fault."""
    if isinstance(schema, dict):
        closed = {name: strict(value) for name, value in schema.items()}
        return closed | ({"additionalProperties": False} if "properties" in schema else {})
    return schema


def validator(type: str, *, is_strict: bool = True) -> Any:
    schema = types.schema(type)
    return jsonschema.Draft202012Validator(
        strict(schema) if is_strict else schema,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )


def test_the_files_are_what_the_generator_writes() -> None:
    found = {path.name: path.read_text() for path in types.DIRECTORY.iterdir()}
    assert found == types.files(), "run python -m webhooks.types"


@pytest.mark.parametrize("type", types.MESSAGES)
def test_each_schema_is_one_and_takes_its_example_and_no_other(type: str) -> None:
    assert type in types.TYPES
    jsonschema.Draft202012Validator.check_schema(types.schema(type))
    data: dict[str, Any] = {"program_id": "prg_06dd2j2s8k3tz0000000000000"}
    # A code may be its bearer's, whom nobody knows.
    is_of_member = type in ("referral.rewarded", "referral.capped", "referral.clawed_back")
    if is_of_member or not type.startswith(("budget.", "program.", "referral.", "voucher.")):
        data["member"] = {"id": "mem_06dd2j2s8k3tz0000000000000", "member_ref": "mina"}
    data |= EXAMPLES[type]
    message: dict[str, Any] = {
        "type": type,
        "timestamp": "2026-03-01T10:00:00Z",
        "data": data,
    }
    validator(type).validate(message)
    for name in data:
        lacking = {key: value for key, value in data.items() if key != name}
        assert not validator(type).is_valid(message | {"data": lacking}), name
    assert not validator(type).is_valid(message | {"type": "points.lost"})
    assert not validator(type).is_valid(message | {"timestamp": "yesterday"})
    # Receivers must be ready for more fields.
    more = message | {"data": data | {"more": 1}}
    assert validator(type, is_strict=False).is_valid(more)


def test_what_is_told_keeps_its_schema(hooks: Hooks, receiver: Receiver) -> None:
    made = hooks.endpoint(receiver.url, "member.*", "program.*")
    hooks.world.member("mina")
    hooks.world.publish(name="Changed")
    hooks.run()
    told = [verified(made["secret"], got) for got in receiver.got]
    assert sorted(one["type"] for one in told) == ["member.created", "program.published"]
    for message in told:
        validator(message["type"]).validate(message)


def test_the_page_names_every_type() -> None:
    page = (types.DIRECTORY.parent.parent / "webhooks.md").read_text()
    assert [one for one in types.TYPES if f"| `{one}` |" not in page] == []
    linked = [f"(reference/webhooks/{one}.json)" for one in types.MESSAGES]
    assert [one for one in linked if one not in page] == []
    assert json.loads((types.DIRECTORY / "member.erased.json").read_text())
