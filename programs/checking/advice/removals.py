"""Advice on what is published and would be gone: members may hold something of it."""

from collections.abc import Iterable
from typing import Any

from programs.checking.advice.reading import levels_of
from programs.checking.findings import Findings


def advise_removals(found: Findings, document: dict[str, Any], live: dict[str, Any]) -> None:
    """Kinds of points, cards, rewards and levels that the published document alone has."""
    for key in _gone(live["points"], document["points"]):
        detail = (
            f"{key} is published, and members may have some: their balances stay and expire as "
            "they would, but nothing earns, adjusts or transfers it any more"
        )
        found.warning("/points", "removed_points", detail)
    for key in _gone(live.get("cards") or [], document.get("cards") or []):
        detail = (
            f"the card {key} is published, and members may have stamps on it: nobody sees or "
            "completes it any more; a card with the same key would take the stamps up again"
        )
        found.warning("/cards", "removed_card", detail)
    for key in _gone(live.get("rewards") or [], document.get("rewards") or []):
        detail = (
            f"the reward {key} is published, and members may hold it or have been granted it: they "
            "keep it on its terms, but nobody can redeem it any more"
        )
        found.warning("/rewards", "removed_reward", detail)
    for key in _gone(live.get("referral_offers") or [], document.get("referral_offers") or []):
        detail = (
            f"the referral offer {key} is published, and members may share its links: friends who "
            "are on their way are paid on its terms, but its links bring nobody any more"
        )
        found.warning("/referral_offers", "removed_offer", detail)
    left = {level["key"] for level in levels_of(document)}
    for key in _gone(levels_of(live), levels_of(document)):
        where = "stand on what they reach without it" if left else "have no level then"
        detail = (
            f"the level {key} is published, and members may be in it: they lose it at once, "
            f"whatever their term, and {where}"
        )
        found.warning("/tiers/levels", "removed_level", detail)


def _gone(before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]]) -> list[str]:
    left = {item["key"] for item in after}
    return [item["key"] for item in before if item["key"] not in left]
