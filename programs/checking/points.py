"""The check of kinds of points, and of the terms that points come under."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from programs.checking.findings import Findings


def check_points(found: Findings, kinds: list[dict[str, Any]]) -> None:
    """The kinds of points and their terms."""
    for index, kind in enumerate(kinds):
        at = f"/points/{index}"
        check_terms(found, kind, at, has_notices=True)
        if kind.get("state") == "paused":
            found.missing(f"{at}/state", "pausing a kind of points")


def check_terms(
    found: Findings, item: dict[str, Any], at: str, *, has_notices: bool = False
) -> None:
    """The terms of a kind of points, or of an effect; only a kind's points are told of before they
    expire."""
    pending, expiry = item.get("pending") or {}, item.get("expiry") or {}
    needs = {"after": ("duration",)}
    _check_policy(found, pending, needs, may=(), at=f"{at}/pending", default="immediate")
    needs = {"after": ("duration",), "inactivity": ("duration",), "fixed_dates": ("dates",)}
    may = {"after": ("round_up_to",), "inactivity": ("activities",)}
    policy = expiry.get("policy", "never")
    allowed = (*may.get(policy, ()), *(("notify",) if has_notices else ()))
    _check_policy(found, expiry, needs, may=allowed, at=f"{at}/expiry", default="never")
    for index, text in enumerate(expiry.get("dates") or ()):
        if not _is_day_of_year(text):
            found.error(f"{at}/expiry/dates/{index}", "is no day of a year, such as 12-31")


def _check_policy(
    found: Findings,
    item: dict[str, Any],
    needs: Mapping[str, tuple[str, ...]],
    *,
    may: tuple[str, ...],
    at: str,
    default: str,
) -> None:
    """A policy has the settings it needs, and none that it would ignore."""
    policy = item.get("policy", default)
    needed = needs.get(policy, ())
    for name in needed:
        if not item.get(name):
            found.error(f"{at}/{name}", f"is required by {policy}", "required")
    for name in item.keys() - {"policy", *needed, *may}:
        if not item[name]:
            continue
        found.error(f"{at}/{name}", f"means nothing with the policy {policy}", "unknown_field")


def _is_day_of_year(text: str) -> bool:
    try:
        date(2028, int(text[:2]), int(text[3:]))
    except ValueError:
        return False
    return True
