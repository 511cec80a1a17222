"""Who sees live codes: keys that may spend them, and members their own.

A code is money for whoever has it. A key that only reads, as one for reports, is told of
redemptions, grants and vouchers without their codes. Refuses to know how answers are built: what
holds a code and its date is the code of a voucher, however deep.
"""

from collections.abc import Mapping
from typing import Any

from core import auth

_SPENDING = "rewards"


def as_seen(answer: dict[str, Any], *scopes: str) -> dict[str, Any]:
    """An answer as the key of the request may see it: with its codes for the scope `rewards` or
    one of these, else with null in their place."""
    credential = auth.credential()
    if credential.kind != "secret" or not credential.scopes.isdisjoint((_SPENDING, *scopes)):
        return answer
    found: dict[str, Any] = _without_codes(answer)
    return found


def _without_codes(value: Any) -> Any:
    if isinstance(value, Mapping):
        shown = {name: _without_codes(one) for name, one in value.items()}
        return shown | {"code": None} if {"code", "expires_at"} <= shown.keys() else shown
    if isinstance(value, list):
        return [_without_codes(one) for one in value]
    return value
