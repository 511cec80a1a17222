"""Advice on referral offers: what costs without end, pays for nothing, or leads nowhere."""

from collections.abc import Mapping
from typing import Any

from programs.checking.advice.reading import is_live
from programs.checking.findings import Findings

#: The sides of an offer that are paid for a friend.
_SIDES = ("advocate", "friend")


def advise_referrals(found: Findings, document: dict[str, Any]) -> None:
    """Everything about the offers that are live."""
    for index, offer in enumerate(document.get("referral_offers") or []):
        if is_live(offer):
            at = f"/referral_offers/{index}"
            _advise_landing(found, offer, at)
            _advise_gain(found, offer, at)
            _advise_bounds(found, offer, at)
            _advise_silence(found, offer, at)


def _advise_landing(found: Findings, offer: Mapping[str, Any], at: str) -> None:
    if offer.get("landing_url") is None:
        detail = f"links of {offer['key']} lead nowhere: give it landing_url"
        found.warning(f"{at}/landing_url", "offer_leads_nowhere", detail)


def _advise_gain(found: Findings, offer: Mapping[str, Any], at: str) -> None:
    """Nobody shares, or nobody comes, for nothing."""
    for side in _SIDES:
        milestones = side == "advocate" and offer.get("milestones")
        if not offer.get(side) and not milestones:
            detail = f"{offer['key']} brings the {side} nothing"
            found.warning(f"{at}/{side}", "offer_brings_nothing", detail)


def _advise_bounds(found: Findings, offer: Mapping[str, Any], at: str) -> None:
    """What is paid before anybody has bought, and without end."""
    is_bounded = bool(offer.get("caps") or offer.get("budget"))
    of_signup = (offer.get("qualifies") or {}).get("trigger") == "signup"
    is_early = offer.get("friend_at") == "signup" and offer.get("friend")
    if (of_signup and offer.get("advocate")) and not is_bounded:
        detail = f"{offer['key']} pays advocates for signups alone, as many as come: give it caps"
        found.warning(f"{at}/caps", "offer_without_end", detail)
    if is_early and not offer.get("budget"):
        detail = (
            f"{offer['key']} pays friends as they sign up, before they buy, as many as come: give"
            " it a budget, or let friend_at be qualified"
        )
        found.warning(f"{at}/budget", "offer_without_end", detail)
    if not of_signup and offer.get("hold") is None:
        detail = (
            f"{offer['key']} pays when the order is paid; what is sent back may be spent by then:"
            " give it a hold as long as orders can be sent back"
        )
        found.warning(f"{at}/hold", "offer_without_hold", detail)


def _advise_silence(found: Findings, offer: Mapping[str, Any], at: str) -> None:
    review = offer.get("review") or {}
    if review.get("timeout") is not None and review.get("timeout_action") != "reject":
        detail = (
            f"a referral of {offer['key']} that nobody has looked at for {review['timeout']} is"
            " paid: let timeout_action be reject, or see that somebody looks"
        )
        found.warning(f"{at}/review/timeout_action", "review_ends_in_payment", detail)
