"""The check of a program document beyond its schema: meaning, references, what is not there yet.

Errors block saving and publishing; warnings tell of what is allowed but probably not meant.
"""

import functools
import zoneinfo
from typing import Any

from core import clock
from core.errors import FieldError
from programs.checking.activities import check_activities, declared
from programs.checking.advice import advise
from programs.checking.cards import check_cards
from programs.checking.findings import Findings
from programs.checking.points import check_points
from programs.checking.referrals import check_referrals
from programs.checking.rewards import check_rewards
from programs.checking.rules import check_earning
from programs.checking.segments import check_segments
from programs.checking.surprises import check_surprises
from programs.checking.tiers import check_tiers


def check(
    document: dict[str, Any],
    *,
    now: clock.Instant | None = None,
    live: dict[str, Any] | None = None,
) -> tuple[list[FieldError], list[FieldError]]:
    """Errors and warnings of a document that its schema accepted, `now` by the program's clock;
    `live` is the published one that it would follow."""
    found = _check(document)
    if not found.errors:
        advise(found, document, activities=declared(document), now=now, live=live)
    return found.errors, found.warnings


def find_errors(document: dict[str, Any]) -> list[FieldError]:
    """The errors alone: what decides whether a document may be stored."""
    return _check(document).errors


@functools.cache
def _zones() -> frozenset[str]:
    """The time zones that are installed: finding them walks through hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


def _check(document: dict[str, Any]) -> Findings:
    found = Findings()
    if document["timezone"] not in _zones():
        found.error("/timezone", "is no IANA time zone, such as Asia/Seoul")
    check_points(found, document["points"])
    _check_keys(found, document)
    kinds = {kind["key"] for kind in document["points"]}
    cards = {card["key"] for card in document.get("cards") or []}
    check_activities(found, document)
    activities = declared(document)
    rewards = {reward["key"] for reward in document.get("rewards") or []}
    earning = document.get("earning") or {}
    check_earning(found, earning, kinds, cards, activities=activities, rewards=rewards)
    check_cards(found, document)
    if document.get("tiers"):
        check_tiers(found, document)
    check_rewards(found, document)
    check_referrals(found, document)
    check_surprises(found, document)
    check_segments(found, document)
    return found


def _check_keys(found: Findings, document: dict[str, Any]) -> None:
    earning, tiers = document.get("earning") or {}, document.get("tiers") or {}
    for pointer, items in (
        ("/points", document["points"]),
        ("/earning/rules", earning.get("rules") or []),
        ("/tiers/levels", tiers.get("levels") or []),
        ("/cards", document.get("cards") or []),
        ("/activities", document.get("activities") or []),
        ("/rewards", document.get("rewards") or []),
        ("/referral_offers", document.get("referral_offers") or []),
        ("/surprises", document.get("surprises") or []),
        ("/segments", document.get("segments") or []),
    ):
        seen: set[str] = set()
        for index, item in enumerate(items):
            if item["key"] in seen:
                found.error(f"{pointer}/{index}/key", "occurs twice; keys are unique", "duplicate")
            seen.add(item["key"])
