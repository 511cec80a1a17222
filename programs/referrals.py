"""Referral offers of a compiled program.

What the sides of a referral and its milestones bring are effects by trigger, as what cards and
levels bring is; caps and the budget are limits of rules that give nothing by themselves.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from core import clock
from programs import triggers
from programs.kinds import PointsKind
from programs.rules import Rule, compile_effects, counting
from rules import conditions
from rules.conditions import Condition
from rules.schedules import Schedule, compile_schedule

#: The trigger that rules of the document listen to, fired for the advocate when one is approved;
#: its catalogue of facts serves what offers bring.
TRIGGER = "referral_qualified"
Side = Literal["advocate", "friend", "second"]
SIDES: tuple[Side, ...] = ("advocate", "friend", "second")
#: What caps and budgets take of is counted under these keys.
CAP_PREFIX = "referral:"
BUDGET_PREFIX = "referral_budget:"

#: What each signal weighs (SEMANTICS F44; the last four are our own), in basis points, and what it
#: says.
SIGNALS: Mapping[str, tuple[int, str]] = {
    "ip_prefix": (2500, "Both came from the same network."),
    "user_agent": (3500, "Both use the same family of browser and system."),
    "name": (3000, "Their names are alike."),
    "velocity": (3500, "The advocate brought many friends within a short time."),
    "new_account": (1500, "The friend's account was less than an hour old."),
    "disposable_domain": (5000, "The friend's address is of a provider of throw-away mail."),
    "device": (6000, "Both used the same device."),
    "email": (9500, "Both have the same mailbox."),
    "phone": (9500, "Both have the same telephone number."),
    "payment": (9500, "Both paid with the same means of payment."),
    "address": (2500, "Both live at the same address."),
    "ring": (5000, "Referrals lead from the friend back to the advocate over others."),
}

_DAY = clock.Duration(days=30)
_USUAL_PORTS = {"https": 443, "http": 80}
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_HOST_MAX = 253


@dataclass(frozen=True, slots=True)
class Milestone:
    """What so many friends bring besides: once, or at each further so many."""

    at: int
    repeats: bool
    effects: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """When staff looks at a referral: scores in basis points."""

    review_at_bp: int = 5000
    block_at_bp: int = 8500
    timeout: clock.Duration | None = None
    timeout_action: Literal["approve", "reject"] = "approve"
    four_eyes_above_minor: int | None = None
    weights: Mapping[str, int] = field(
        default_factory=lambda: {name: weight for name, (weight, _) in SIGNALS.items()}
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """A referral offer. `cap` and `budget` are rules whose limits are counted."""

    key: str
    name: dict[str, str]
    description: dict[str, str]
    is_live: bool
    advocate: tuple[Rule, ...]
    friend: tuple[Rule, ...]
    second: tuple[Rule, ...]
    friend_at: Literal["qualified", "signup"]
    trigger: Literal["order", "signup"]
    when: Condition
    min_net_minor: int
    attribution: Literal["last_touch", "first_touch"]
    click_window: clock.Duration
    credit_window: clock.Duration | None
    hold: clock.Duration | None
    hold_from: Literal["qualified", "fulfilled"]
    lookback: clock.Duration | None
    tiers: frozenset[str] | None
    schedule: Schedule | None
    cap: Rule
    budget: Rule | None
    budget_unit: Literal["points", "minor"]
    milestones: tuple[Milestone, ...]
    clawback_window: clock.Duration | None
    landing_url: str | None
    share_text: dict[str, str]
    review: Review

    @property
    def effects(self) -> tuple[Rule, ...]:
        """Everything that it brings, of every side and milestone."""
        return (
            *self.advocate,
            *self.friend,
            *self.second,
            *(effect for one in self.milestones for effect in one.effects),
        )


def trigger_of(side: Side, offer_key: str) -> str:
    """The trigger of what a side of an offer's referrals gets, as `Compiled.rules_of` takes it."""
    return f"referral_{side}:{offer_key}"


def milestone_trigger(offer_key: str, at: int) -> str:
    """The trigger of what a milestone brings."""
    return f"referral_milestone:{offer_key}:{at}"


def rules_by_trigger(
    offers: Sequence[Offer], listening: Sequence[Rule]
) -> dict[str, Sequence[Rule]]:
    """What offers bring, by trigger; `listening` are the document's own rules of `TRIGGER`, which
    fire with the advocate's side of every offer."""
    found: dict[str, Sequence[Rule]] = {}
    for offer in offers:
        found[trigger_of("advocate", offer.key)] = (*offer.advocate, *listening)
        found[trigger_of("friend", offer.key)] = offer.friend
        found[trigger_of("second", offer.key)] = offer.second
        for milestone in offer.milestones:
            found[milestone_trigger(offer.key, milestone.at)] = milestone.effects
    return found


def host_of(url: str) -> str | None:
    """The host that a URL names, as it is looked up (IDNA), with its port unless that is the usual
    one of the scheme; None when it names none, or somebody before it."""
    try:
        found = urlsplit(url)
        port = found.port
        if not found.hostname or found.username is not None or found.password is not None:
            return None
        host = _looked_up(found.hostname)
    except ValueError:
        # Also what no host can be encoded from.
        return None
    if host is None or port == 0:
        return None
    return host if port in (None, _USUAL_PORTS.get(found.scheme)) else f"{host}:{port}"


def _looked_up(name: str) -> str | None:
    if ":" in name and "%" not in name:
        return f"[{ipaddress.IPv6Address(name).compressed}]"
    host = name.encode("idna").decode("ascii").lower().removesuffix(".")
    labels = host.split(".")
    is_host = len(host) <= _HOST_MAX and all(_LABEL.fullmatch(label) for label in labels)
    return host if is_host else None


def compile_offers(document: dict[str, Any], kinds: tuple[PointsKind, ...]) -> tuple[Offer, ...]:
    """Compile the checked offers, in the order of the document."""
    return tuple(_offer(item, kinds) for item in document.get("referral_offers") or [])


def _offer(item: dict[str, Any], kinds: tuple[PointsKind, ...]) -> Offer:
    key, qualifies = item["key"], item.get("qualifies") or {}
    trigger = qualifies.get("trigger", "order")
    facts = triggers.find_facts(trigger)
    assert facts is not None
    budget = item.get("budget")
    return Offer(
        key=key,
        name=item.get("name") or {},
        description=item.get("description") or {},
        is_live=item.get("state", "live") == "live",
        advocate=compile_effects(item.get("advocate") or [], key, TRIGGER, kinds),
        friend=compile_effects(item.get("friend") or [], f"{key}.friend", TRIGGER, kinds),
        second=compile_effects(item.get("second_level") or [], f"{key}.second", TRIGGER, kinds),
        friend_at=item.get("friend_at", "qualified"),
        trigger=trigger,
        when=conditions.compile_condition(qualifies.get("when"), catalogue=facts),
        min_net_minor=qualifies.get("min_net_minor") or 0,
        attribution=item.get("attribution", "last_touch"),
        click_window=_duration(item.get("click_window")) or _DAY,
        credit_window=_duration(item.get("credit_window")),
        hold=_duration(item.get("hold")),
        hold_from=item.get("hold_from", "qualified"),
        lookback=_duration((item.get("new_member") or {}).get("lookback")),
        tiers=None if item.get("tiers") is None else frozenset(item["tiers"]),
        schedule=compile_schedule(item.get("schedule")),
        cap=counting(CAP_PREFIX + key, [_cap(one) for one in item.get("caps") or []]),
        budget=None
        if budget is None
        else counting(
            BUDGET_PREFIX + key, [{"per": "program", "period": "ever", "points": budget["total"]}]
        ),
        budget_unit=(budget or {}).get("unit", "points"),
        milestones=tuple(
            Milestone(
                one["at"],
                one.get("repeats", False),
                compile_effects(one.get("effects") or [], f"{key}.{one['at']}", TRIGGER, kinds),
            )
            for one in item.get("milestones") or []
        ),
        clawback_window=_duration(item.get("clawback_window")),
        landing_url=item.get("landing_url"),
        share_text=item.get("share_text") or {},
        review=_review(item.get("review") or {}),
    )


def _duration(text: str | None) -> clock.Duration | None:
    return None if text is None else clock.parse_duration(text)


def _cap(item: dict[str, Any]) -> dict[str, Any]:
    per = "program" if item.get("per") == "program" else "member"
    return {"per": per, "period": item.get("period", "ever"), "times": item["times"]}


def _review(item: dict[str, Any]) -> Review:
    weights = {name: weight for name, (weight, _) in SIGNALS.items()}
    return Review(
        review_at_bp=item.get("review_at_bp", 5000),
        block_at_bp=item.get("block_at_bp", 8500),
        timeout=_duration(item.get("timeout")),
        timeout_action=item.get("timeout_action", "approve"),
        four_eyes_above_minor=item.get("four_eyes_above_minor"),
        weights=weights | (item.get("weights") or {}),
    )
