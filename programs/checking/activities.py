"""The check of declared activities, and of the kinds that expiry by inactivity names."""

import re
from collections.abc import Iterator
from typing import Any

from programs.checking.findings import Findings
from programs.triggers import Declared

#: What keeps points alive without being an activity of the storefront's own.
INACTIVITY_ENDS = ("order", "redemption")
_KIND = re.compile("[a-z_]{1,40}")
_NAME = re.compile("[A-Za-z0-9_.-]{1,64}")


def declared(document: dict[str, Any]) -> dict[str, Declared]:
    """The facts of each kind that a document declares."""
    return {item["key"]: item.get("facts") or {} for item in document.get("activities") or []}


def check_activities(found: Findings, document: dict[str, Any]) -> None:
    """The kinds of activities that the program declares, and what it says of them elsewhere."""
    for index, item in enumerate(document.get("activities") or []):
        at = f"/activities/{index}"
        if not _KIND.fullmatch(item["key"]):
            found.error(
                f"{at}/key",
                "must match [a-z_]{1,40}, as kinds of activities do: a-z and _ alone, no hyphens",
            )
        elif item["key"] in INACTIVITY_ENDS:
            found.error(f"{at}/key", f"{item['key']} is told by itself, never as an activity")
        if item.get("state") == "paused":
            found.missing(f"{at}/state", "pausing an activity")
        for name in item.get("facts") or {}:
            if not _NAME.fullmatch(name):
                found.error(
                    f"{at}/facts", f"the name {name[:80]!r} must have 1 to 64 of A-Z a-z 0-9 _ . -"
                )
    known = (*INACTIVITY_ENDS, *declared(document))
    for at, item in _with_terms(document):
        for index, name in enumerate((item.get("expiry") or {}).get("activities") or ()):
            if name not in known:
                found.error(
                    f"{at}/expiry/activities/{index}",
                    f"must be one of {', '.join(known)}; other kinds are declared in /activities",
                )


def _with_terms(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that says when points expire, with its pointer."""
    for index, kind in enumerate(document["points"]):
        yield f"/points/{index}", kind
    for index, rule in enumerate((document.get("earning") or {}).get("rules") or []):
        yield f"/earning/rules/{index}/effect", rule["effect"]
    levels = (document.get("tiers") or {}).get("levels") or []
    for section, items, name in (
        ("/tiers/levels", levels, "entry_effects"),
        ("/cards", document.get("cards") or [], "effects"),
    ):
        for index, item in enumerate(items):
            for number, effect in enumerate(item.get(name) or []):
                yield f"{section}/{index}/{name}/{number}", effect
