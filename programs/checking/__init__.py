"""The check of a program document beyond its schema: meaning, references, what is not there yet.

Errors block saving and publishing; warnings tell of what is allowed but probably not meant.
"""

import zoneinfo
from typing import Any

from core.errors import FieldError
from programs.checking.findings import Findings
from programs.checking.points import check_points
from programs.checking.rules import check_earning
from programs.checking.tiers import check_tiers


def check(document: dict[str, Any]) -> tuple[list[FieldError], list[FieldError]]:
    """Errors and warnings of a document that its schema accepted."""
    found = Findings()
    if document["timezone"] not in zoneinfo.available_timezones():
        found.error("/timezone", "is no IANA time zone, such as Asia/Seoul")
    check_points(found, document["points"])
    _check_keys(found, document)
    kinds = {kind["key"] for kind in document["points"]}
    check_earning(found, document.get("earning") or {}, kinds)
    if document.get("tiers"):
        check_tiers(found, document["tiers"])
    return found.errors, found.warnings


def _check_keys(found: Findings, document: dict[str, Any]) -> None:
    earning, tiers = document.get("earning") or {}, document.get("tiers") or {}
    for pointer, items in (
        ("/points", document["points"]),
        ("/earning/rules", earning.get("rules") or []),
        ("/tiers/levels", tiers.get("levels") or []),
    ):
        seen: set[str] = set()
        for index, item in enumerate(items):
            if item["key"] in seen:
                found.error(f"{pointer}/{index}/key", "occurs twice; keys are unique", "duplicate")
            seen.add(item["key"])
