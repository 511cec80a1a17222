"""Receipts: what is written of a draw so that it can be checked for ever (pure).

A receipt's body says what was known and what came of it. Its hash is taken when it is drawn; with
the number that it is given when its epoch is closed the hash is a leaf under that day's root. When
the member is erased the body goes and the hash stays.
"""

import json
from collections.abc import Mapping
from typing import Any

from core import clock
from rewards.luck import merkle, rolling

#: The form of a body.
FORM = "v1"
#: Why nothing was drawn: the first guard that stood against it.
GUARDS = ("holdout", "excluded", "limit_reached", "cooldown", "budget")


def body_of(draw: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a receipt from the columns of its row (`rewards.surprises.models.Draw`)."""
    weights = draw["weights"]
    return {
        "receipt": FORM,
        "rule": draw["surprise_key"],
        "version": draw["version"],
        "member_ref": draw["member_ref"],
        "activity_ref": draw["activity_ref"],
        "drawn_at": clock.format_instant(draw["drawn_at"]),
        "is_shadow": bool(draw["is_shadow"]),
        "guard": draw["guard"],
        "probability_ppm": draw["probability_ppm"],
        "pace_ppm": draw["pace_ppm"],
        "threshold_ppm": draw["threshold_ppm"],
        "is_pity": bool(draw["is_pity"]),
        "losses": draw["losses"],
        "pity_after": draw["pity_after"],
        "roll": draw["roll"],
        "won": bool(draw["won"]),
        "prize": draw["prize"],
        "weights": json.loads(weights) if isinstance(weights, str) else list(weights),
        "epoch": draw["epoch"],
    }


def leaf(rule: str, number: int, body_hash: bytes) -> bytes:
    """The leaf of a receipt under the root of its epoch."""
    return merkle.leaf(rolling.canonical([rule, number, body_hash.hex()]))


def outcome(seed: bytes, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a body must say came of it, by the seed and by what it says was known."""
    if body["guard"] is not None:
        return {"roll": None, "is_pity": False, "won": False, "prize": None}
    names: dict[str, Any] = {
        "rule": body["rule"],
        "version": body["version"],
        "member_ref": body["member_ref"],
        "activity_ref": body["activity_ref"],
    }
    rolled = rolling.roll(seed, **names)
    threshold = rolling.threshold(body["probability_ppm"], body["pace_ppm"])
    is_lucky = rolled < threshold
    is_owed = body["pity_after"] is not None and body["losses"] >= body["pity_after"]
    won = is_lucky or is_owed
    return {
        "threshold_ppm": threshold,
        "roll": rolled,
        "is_pity": is_owed and not is_lucky,
        "won": won,
        "prize": rolling.pick(seed, weights=body["weights"], **names) if won else None,
    }
