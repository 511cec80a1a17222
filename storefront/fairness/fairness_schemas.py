"""Answers about epochs, receipts and draws."""

from typing import Any

import marshmallow as ma

from core.fields import Boolean, Instant, Integer, Reference, Schema, Text
from core.fields import described as told
from loyalty.schemas import SourceAnswer
from rewards.luck import receipts
from storefront.fairness import showing

STATES = ("open", "closed")
SCOPES = ("program", "rule")


def _hash(description: str, *, may_lack: bool = False) -> ma.fields.Field[str]:
    """32 bytes as hexadecimal digits."""
    made: ma.fields.Field[str] = told(
        Text, description, required=True, allow_none=may_lack, most=64, pattern="[0-9a-f]{64}"
    )
    return made


class ChainView(Schema):
    """A chain of seeds."""

    number = told(Integer, "Its number, from 1.", required=True, least=1)
    anchor = _hash("The hash of its first seed: each seed, hashed `place` times, comes to it.")
    length = told(Integer, "How many epochs it is for.", required=True, least=1)
    published_at = told(Instant, "Since when its anchor is shown.", required=True)


class EpochRuleView(Schema):
    """The receipts of a rule in an epoch."""

    rule = told(Text, "Key of the surprise.", required=True)
    first = told(Integer, "The first number; it follows the last one before.", required=True)
    last = told(Integer, "The last number.", required=True)


class EpochView(Schema):
    """The draws of a day."""

    number = told(Integer, "Its number, from 1 and without gaps.", required=True, least=1)
    chain = told(Integer, "Of which chain its seed is.", required=True, least=1)
    place = told(Integer, "The place of its seed in the chain, from 1.", required=True, least=1)
    day = told(Text, "The day in UTC.", required=True, most=10)
    state = told(Text, "open until its day is over, then closed.", required=True, one_of=STATES)
    opened_at = told(Instant, "When something was first drawn in it.", required=True)
    ends_at = told(Instant, "When its day is over.", required=True)
    closed_at = told(Instant, "When it was closed.", required=True, allow_none=True)
    seed = _hash("What rolls are made with; null until it is closed.", may_lack=True)
    root = _hash("The root over its receipts; null until it is closed.", may_lack=True)
    receipts = told(
        Integer, "How many receipts; null until it is closed.", required=True, allow_none=True
    )
    rules = ma.fields.List(
        ma.fields.Nested(EpochRuleView),
        required=True,
        metadata={"description": "The numbers of each rule, by key; none until it is closed."},
    )


class EpochsAnswer(Schema):
    """Epochs, newest first, and the anchors of their chains."""

    chains = ma.fields.List(
        ma.fields.Nested(ChainView), required=True, metadata={"description": "Every chain."}
    )
    data = ma.fields.List(ma.fields.Nested(EpochView), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)


class _Judged(Schema):
    """What a receipt says in its body and a draw says as well."""

    rule = told(Text, "Key of the surprise.", required=True)
    version = told(Integer, "Program version in which it last changed.", required=True)
    member_ref = told(
        Reference, "The reference that the member was created with.", required=True, allow_none=True
    )
    activity_ref = told(Text, "What it was drawn for.", required=True, allow_none=True, most=400)
    drawn_at = told(Instant, "When that happened.", required=True)
    is_shadow = told(Boolean, "Drawn to watch it: nothing was given.", required=True)
    guard = told(
        Text,
        "The first guard that failed, so that nothing was rolled.",
        required=True,
        allow_none=True,
        one_of=receipts.GUARDS,
    )
    probability_ppm = told(Integer, "The chance that the program says.", required=True)
    pace_ppm = told(Integer, "What pacing left of it.", required=True)
    threshold_ppm = told(Integer, "A roll below it wins.", required=True)
    is_pity = told(Boolean, "Won whatever the roll, after so many losses.", required=True)
    losses = told(Integer, "Losses in a row before it.", required=True)
    pity_after = told(
        Integer, "After how many of them the next draw wins.", required=True, allow_none=True
    )
    roll = told(Integer, "What was rolled, 0 to 999,999.", required=True, allow_none=True)
    won = told(Boolean, "Whether it won.", required=True)
    prize = told(Integer, "Which prize, from 0.", required=True, allow_none=True)
    weights = ma.fields.List(
        told(Integer, "Weight."), required=True, metadata={"description": "Weights of the prizes."}
    )
    epoch = told(Integer, "In which epoch.", required=True)


class ReceiptBody(_Judged):
    """What was known when it was drawn, and what came of it."""

    receipt = told(Text, "Form of the receipt.", required=True, one_of=(receipts.FORM,))


class ReceiptView(Schema):
    """A receipt of a closed epoch."""

    rule = told(Text, "Key of the surprise.", required=True)
    number = told(Integer, "Its number of the rule, from 1 and without gaps.", required=True)
    is_sealed = told(Boolean, "The member was erased: the hash alone is left.", required=True)
    body = ma.fields.Nested(
        ReceiptBody,
        required=True,
        allow_none=True,
        metadata={"description": "What was hashed, as JSON with sorted names and no spaces."},
    )
    body_hash = _hash("SHA-256 of the body.")
    leaf = _hash("SHA-256 of a zero byte and of [rule, number, body_hash].")


class ReceiptsAnswer(Schema):
    """Receipts of a closed epoch, in the order of their leaves."""

    data = ma.fields.List(ma.fields.Nested(ReceiptView), required=True)
    next_cursor = told(Text, "Next page.", required=True, allow_none=True, most=512)


class ProofView(Schema):
    """That a receipt stands below the root of its epoch (RFC 9162, 2.1.3)."""

    place = told(Integer, "Which leaf it is, from 0.", required=True)
    count = told(Integer, "How many leaves there are.", required=True)
    path = ma.fields.List(
        _hash("A node."),
        required=True,
        metadata={"description": "What it is hashed with, from the leaf to the root."},
    )
    root = _hash("The root of the epoch.")


class DrawAnswer(_Judged):
    """A draw: what was known, and what came of it. Of a member who was erased what proves that it
    was drawn is left, and nothing of what it came to."""

    id = told(Text, "Our id.", required=True)
    guards_passed = ma.fields.List(
        told(Text, "Guard.", one_of=tuple(showing.GUARDS)),
        required=True,
        metadata={"description": "Guards that let it pass, in the order in which they are asked."},
    )
    holdout_scope = told(
        Text, "Whose holdout it was.", required=True, allow_none=True, one_of=SCOPES
    )
    source = ma.fields.Nested(
        SourceAnswer, required=True, metadata={"description": "What brought it."}
    )
    recorded_at = told(Instant, "When it was drawn, by the program's clock.", required=True)
    stands = told(Boolean, "Whether the prize stands.", required=True)
    decision_id = told(Text, "The decision that pays it.", required=True, allow_none=True)
    is_sealed = told(Boolean, "The member was erased.", required=True)
    body_hash = _hash("SHA-256 of the receipt's body.")
    number = told(Integer, "Its number, once its epoch is closed.", required=True, allow_none=True)
    leaf = _hash("Its leaf, once its epoch is closed.", may_lack=True)
    proof = ma.fields.Nested(
        ProofView,
        required=True,
        allow_none=True,
        metadata={"description": "The proof, once its epoch is closed."},
    )

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """What is not in the answer once the draw is sealed need not be in it."""
        field_obj.required = field_name in showing.OF_SEALED
