"""What a storefront is shown of a member's points, and the same as the model has it.

Owns the comparison of the two. Refuses to import anything of the application.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.independent.ledger_model import Ledger

#: Reads an address below /v1 and answers its JSON.
Get = Callable[[str], Any]


def shown(moment: datetime | None) -> str | None:
    """An instant as the contract writes it."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def balances_shown(get: Get, member: str) -> dict[str, Any]:
    """The balance of the program's only kind of points."""
    [balance] = get(f"/members/{member}/balances")["data"]
    return {name: balance[name] for name in ("available", "pending", "held", "expiring")}


def balances_modelled(model: Ledger, member: str) -> dict[str, Any]:
    """The balance that the model has; `expiring` names whatever is left of dated lots, held past
    its date too."""
    dated: dict[datetime, int] = {}
    for lot in model.of(member):
        if lot.expires_at is not None and lot.remaining:
            dated[lot.expires_at] = dated.get(lot.expires_at, 0) + lot.remaining
    return {
        "available": model.available(member),
        "pending": model.pending(member),
        "held": model.held(member),
        "expiring": [
            {"expires_at": shown(date), "points": points} for date, points in sorted(dated.items())
        ],
    }


def lots_shown(get: Get, member: str) -> list[tuple[str, int]]:
    """End and remaining points of every lot that is not empty, sorted."""
    found: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        after = f"&cursor={cursor}" if cursor else ""
        page = get(f"/members/{member}/lots?limit=100{after}")
        found += page["data"]
        cursor = page["next_cursor"]
    return sorted((str(lot["expires_at"]), lot["remaining"]) for lot in found if lot["remaining"])


def lots_modelled(model: Ledger, member: str) -> list[tuple[str, int]]:
    """The same of the model's lots."""
    lots = [lot for lot in model.of(member) if lot.remaining]
    return sorted((str(shown(lot.expires_at)), lot.remaining) for lot in lots)
