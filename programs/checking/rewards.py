"""The check of rewards and of paying with points: what each kind needs, references, conditions."""

from collections.abc import Mapping
from typing import Any

from programs import triggers
from programs.checking.findings import Findings
from programs.checking.limits import check_limits
from programs.rewards import DISCOUNTS, KINDS, OF_ORDERS, STORED_VALUE, TRIGGER
from rules import conditions

#: Of each kind the fields of its value: those that it needs, and those that it may have.
_VALUES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "discount_amount": (("minor",), ()),
    "discount_percent": (("percent_bp",), ()),
    "free_shipping": ((), ()),
    "free_product": (("sku",), ()),
    "gift_card": (("minor",), ()),
    "store_credit": (("minor",), ()),
    "access": (("perk",), ("valid_for",)),
    "custom": ((), ()),
}
assert tuple(_VALUES) == KINDS


def check_rewards(found: Findings, document: dict[str, Any]) -> None:
    """The catalogue, and paying with points."""
    kinds = [kind["key"] for kind in document["points"]]
    levels = [level["key"] for level in (document.get("tiers") or {}).get("levels") or []]
    for index, reward in enumerate(document.get("rewards") or []):
        at = f"/rewards/{index}"
        _check_value(found, reward, at)
        _check_key(found, reward, kinds, at)
        _check_levels(found, reward, levels, at)
        _check_order(found, reward, at)
        _check_conditions(found, reward, at)
        _check_voucher(found, reward, f"{at}/voucher")
        _check_limits(found, reward, at)
    if document.get("pay_with_points") is not None:
        _check_paying(found, document, kinds)


def _check_value(found: Findings, reward: Mapping[str, Any], at: str) -> None:
    kind, value = reward["kind"], reward.get("value") or {}
    needed, possible = _VALUES[kind]
    for name in needed:
        if name not in value:
            found.error(f"{at}/value/{name}", f"is required by {kind}", "required")
    for name in value:
        if name not in needed and name not in possible:
            found.error(f"{at}/value/{name}", f"is not a field of {kind}", "unknown_field")
    if value.get("minor") == 0 and "minor" in needed:
        found.error(f"{at}/value/minor", "must be more than 0: it would be worth nothing")


def _check_key(found: Findings, item: Mapping[str, Any], kinds: list[str], at: str) -> None:
    key = item.get("points_key")
    if key is not None and key not in kinds:
        found.error(f"{at}/points_key", f"is none of the kinds of points: {', '.join(kinds)}")


def _check_levels(found: Findings, reward: Mapping[str, Any], levels: list[str], at: str) -> None:
    there_are = f"is none of the levels: {', '.join(levels) or 'none'}"
    tiers = reward.get("tiers")
    if tiers is not None and not tiers:
        found.error(f"{at}/tiers", "names no level; leave it out for all members")
    seen: set[str] = set()
    for index, key in enumerate(tiers or ()):
        if key not in levels:
            found.error(f"{at}/tiers/{index}", there_are)
        if key in seen:
            found.error(f"{at}/tiers/{index}", "names a level twice", "duplicate")
        seen.add(key)
    for key in reward.get("cost_by_tier") or {}:
        if key not in levels:
            found.error(f"{at}/cost_by_tier/{key}", there_are)
        elif tiers and key not in tiers:
            found.error(
                f"{at}/cost_by_tier/{key}", "means nothing: the reward is not for this level"
            )


def _check_order(found: Findings, reward: Mapping[str, Any], at: str) -> None:
    """What only some kinds can ask of an order."""
    kind = reward["kind"]
    if reward.get("max_discount_minor") is not None:
        if kind != "discount_percent":
            found.error(
                f"{at}/max_discount_minor",
                "is only for discount_percent",
                "unknown_field",
            )
        elif not reward["max_discount_minor"]:
            found.error(f"{at}/max_discount_minor", "must be more than 0, or left out")
    for name in ("min_order_minor", "applies_to"):
        if reward.get(name) is not None and kind not in OF_ORDERS:
            found.error(f"{at}/{name}", f"is only for {', '.join(OF_ORDERS)}", "unknown_field")


def _check_conditions(found: Findings, reward: Mapping[str, Any], at: str) -> None:
    facts, lines = triggers.find_facts(TRIGGER), triggers.find_line_facts(TRIGGER)
    assert facts is not None and lines is not None
    applies_to, place = reward.get("applies_to"), f"{at}/applies_to"
    if isinstance(applies_to, dict) and set(applies_to) == {"when"}:
        # As effects have it.
        applies_to, place = applies_to["when"], f"{place}/when"
    for condition, catalogue, pointer in (
        (reward.get("when"), facts, f"{at}/when"),
        (applies_to, lines, place),
    ):
        for finding in conditions.check(condition, catalogue=catalogue, pointer=pointer):
            found.error(finding.pointer, finding.detail, finding.code)


def _check_voucher(found: Findings, reward: Mapping[str, Any], at: str) -> None:
    voucher = reward.get("voucher")
    if voucher is None:
        return
    pattern = voucher.get("pattern")
    if pattern is not None and voucher.get("pool") is not None:
        found.error(at, "has a pattern and a pool; a code comes from one of them")
    if pattern is not None and "#" not in pattern:
        found.error(f"{at}/pattern", "needs a #: every code would be the same")
    if voucher.get("uses", 1) > 1 and reward["kind"] not in (*DISCOUNTS, "free_shipping"):
        what = "its value is spent in parts" if reward["kind"] in STORED_VALUE else "it is one"
        found.error(f"{at}/uses", f"means nothing for {reward['kind']}: {what}")


def _check_limits(found: Findings, reward: Mapping[str, Any], at: str) -> None:
    # Schedules mean the same as those of rules.
    check_limits(found, {**reward, "limits": [], "effect": {"do": "grant_reward"}}, at)
    seen: set[tuple[str, str]] = set()
    for index, limit in enumerate(reward.get("limits") or ()):
        where = f"{at}/limits/{index}"
        if "times" not in limit:
            found.error(f"{where}/times", "is required: a reward is redeemed so often", "required")
        if "points" in limit:
            found.error(f"{where}/points", "means nothing for a reward; limit the times")
        per = limit.get("per", "member")
        if per == "order":
            found.error(f"{where}/per", "must be member or program; `combines` is about one order")
        key = (per, limit.get("period") or "day")
        if key in seen:
            found.error(
                where, "limits the times twice per member or program and period", "duplicate"
            )
        seen.add(key)


def _check_paying(found: Findings, document: dict[str, Any], kinds: list[str]) -> None:
    pay, at = document["pay_with_points"], "/pay_with_points"
    _check_key(found, pay, kinds, at)
    if (pay.get("value") or {}).get("minor") == 0:
        found.error(f"{at}/value/minor", "must be more than 0: points would pay nothing")
    elif pay.get("value") is None:
        key = pay.get("points_key") or kinds[0]
        worth = [one.get("value") or {} for one in document["points"] if one["key"] == key]
        if any(value.get("minor") == 0 for value in worth):
            found.error(f"{at}/value", f"is required: {key} are worth nothing", "required")
    if pay.get("max_order_bp") == 0:
        found.error(f"{at}/max_order_bp", "must be more than 0; pause it to stop it")
