"""The check of referral offers: what they bring, what qualifies, where links lead."""

import re
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from core import clock
from programs import triggers
from programs.checking.findings import Findings
from programs.checking.rules import check_effect
from programs.referrals import TRIGGER, host_of
from rules import conditions

#: A click's token is believed so long at most, and its row kept.
WINDOW_MAX = clock.Duration(days=366)
#: What is filled in in a text that is shared.
PLACES = ("link", "code", "program")
_DAY_SECONDS = 86_400
#: Of the months of a year and of a leap year: counted from the first of one, none is cut short.
_FIRSTS = tuple(date(year, month, 1) for year in (2023, 2024) for month in range(1, 13))
_DURATIONS = ("credit_window", "hold", "clawback_window")


def check_referrals(found: Findings, document: dict[str, Any]) -> None:
    """The offers, and the keys that decisions name what they bring by."""
    levels = {level["key"] for level in (document.get("tiers") or {}).get("levels") or []}
    rules = (document.get("earning") or {}).get("rules") or []
    listening = {rule["key"] for rule in rules if rule.get("trigger") == TRIGGER}
    for index, offer in enumerate(document.get("referral_offers") or []):
        at = f"/referral_offers/{index}"
        _check_effects(found, document, offer, at)
        _check_qualifies(found, offer, at)
        _check_times(found, offer, at)
        _check_review(found, offer.get("review") or {}, f"{at}/review")
        _check_landing(found, offer, at)
        if offer["key"] in listening:
            found.error(
                f"{at}/key",
                f"is the key of a rule of {TRIGGER}; the offer needs another",
                "duplicate",
            )
        for number, key in enumerate(offer.get("tiers") or []):
            if key not in levels:
                found.error(
                    f"{at}/tiers/{number}",
                    f"is none of the levels: {', '.join(sorted(levels)) or 'none'}",
                )
        _check_milestones(found, offer, at)
        _check_texts(found, offer, at)


def _check_effects(
    found: Findings, document: dict[str, Any], offer: dict[str, Any], at: str
) -> None:
    kinds = {kind["key"] for kind in document["points"]}
    cards = {card["key"] for card in document.get("cards") or []}
    rewards = {reward["key"] for reward in document.get("rewards") or []}
    is_of_order = (offer.get("qualifies") or {}).get("trigger", "order") == "order"
    places = [
        ("advocate", offer.get("advocate"), is_of_order),
        ("friend", offer.get("friend"), is_of_order and offer.get("friend_at") != "signup"),
        ("second_level", offer.get("second_level"), is_of_order),
    ]
    for number, milestone in enumerate(offer.get("milestones") or []):
        places.append((f"milestones/{number}/effects", milestone.get("effects"), False))
    for place, effects, has_order in places:
        for number, effect in enumerate(effects or []):
            pointer = f"{at}/{place}/{number}"
            check_effect(found, effect, kinds, cards, rewards=rewards, trigger=TRIGGER, at=pointer)
            if not has_order and (
                effect["do"] in ("points_per_amount", "points_per_unit", "multiply_points")
                or "percent_bp" in effect
            ):
                found.error(
                    f"{pointer}/do", "is a share of the friend's order, and there is none here"
                )


def _check_qualifies(found: Findings, offer: dict[str, Any], at: str) -> None:
    qualifies = offer.get("qualifies") or {}
    trigger = qualifies.get("trigger", "order")
    facts = triggers.find_facts(trigger)
    if facts is not None:
        pointer = f"{at}/qualifies/when"
        for one in conditions.check(qualifies.get("when"), catalogue=facts, pointer=pointer):
            found.error(one.pointer, one.detail, one.code)
    if trigger == "signup" and qualifies.get("min_net_minor"):
        found.error(f"{at}/qualifies/min_net_minor", "means nothing for a signup", "unknown_field")


def _check_times(found: Findings, offer: dict[str, Any], at: str) -> None:
    window = offer.get("click_window")
    if window is not None:
        length = clock.parse_duration(window)
        if _is_nothing(length) or _longest_seconds(length) > WINDOW_MAX.days * _DAY_SECONDS:
            found.error(f"{at}/click_window", "must be longer than nothing, and a year at most")
    for name in _DURATIONS[:1]:
        if offer.get(name) is not None and _is_nothing(clock.parse_duration(offer[name])):
            found.error(f"{at}/{name}", "must be longer than nothing; without end it is left out")
    of_signup = (offer.get("qualifies") or {}).get("trigger") == "signup"
    if of_signup and offer.get("hold_from") == "fulfilled":
        found.error(f"{at}/hold_from", "a signup is never fulfilled; use qualified")


def _longest_seconds(length: clock.Duration) -> int:
    """How long a window of months, days and seconds may last, whenever it begins."""
    days = max(
        (clock.step(first, clock.Duration(months=length.months)) - first).days for first in _FIRSTS
    )
    return (days + length.days) * _DAY_SECONDS + length.seconds


def _is_nothing(length: clock.Duration) -> bool:
    return not (length.months or length.days or length.seconds)


def _check_review(found: Findings, review: dict[str, Any], at: str) -> None:
    review_at, block_at = review.get("review_at_bp", 5000), review.get("block_at_bp", 8500)
    if review_at > block_at:
        found.error(f"{at}/review_at_bp", "must not be above block_at_bp")
    if review.get("timeout_action") is not None and review.get("timeout") is None:
        found.error(f"{at}/timeout_action", "means nothing without timeout", "unknown_field")


def _check_landing(found: Findings, offer: dict[str, Any], at: str) -> None:
    url, hosts = offer.get("landing_url"), offer.get("allowed_hosts")
    if url is None:
        return
    host = host_of(url)
    if host is None:
        found.error(
            f"{at}/landing_url",
            "must name a host that there can be, and no name or password before it",
        )
    elif hosts and host not in {host_of(f"{urlsplit(url).scheme}://{one}") for one in hosts}:
        found.error(f"{at}/landing_url", f"its host is none of allowed_hosts: {', '.join(hosts)}")


def _check_texts(found: Findings, offer: dict[str, Any], at: str) -> None:
    for locale, text in (offer.get("share_text") or {}).items():
        for name in re.findall(r"\{([^{}]*)\}", text):
            if name not in PLACES:
                found.error(
                    f"{at}/share_text/{locale}",
                    f"{{{name}}} is none of what is filled in: "
                    + ", ".join(f"{{{one}}}" for one in PLACES),
                )


def _check_milestones(found: Findings, offer: dict[str, Any], at: str) -> None:
    seen: set[int] = set()
    for number, milestone in enumerate(offer.get("milestones") or []):
        if milestone["at"] in seen:
            found.error(f"{at}/milestones/{number}/at", "occurs twice", "duplicate")
        seen.add(milestone["at"])
