"""A program version compiled once: defaults applied, conditions made closures, rules by trigger.

Compiled versions are immutable and remembered per process by (program, version, switches).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

from core import clock, ids
from programs.cards import Card, compile_cards
from programs.kinds import PointsKind, compile_kind
from programs.ladder import Ladder, compile_ladder
from programs.referrals import TRIGGER as REFERRAL_QUALIFIED
from programs.referrals import Offer, compile_offers, rules_by_trigger
from programs.rewards import Catalogue, compile_catalogue
from programs.rules import Rule, compile_rule
from programs.segments import Segment, asked_by, compile_segments
from programs.surprises import Surprises, compile_surprises
from programs.surprises import rules_by_trigger as prizes_by_trigger
from programs.triggers import Declared
from rules.effects import PointsPerAmount

_NOTICE = clock.Duration(days=30)
#: A fact that is read only where some rule, reward or offer asks for it.
APPROVED_REFERRALS = "member.approved_referrals"


@dataclass(frozen=True, slots=True)
class Basis:
    """On which money points are earned."""

    after_discounts: bool
    tax: Literal["as_displayed", "include", "exclude"]
    shipping: bool
    gift_card_lines: bool
    paid_with_points: bool
    paid_with_gift_card: bool


@dataclass(frozen=True, slots=True)
class Compiled:
    """One version of a program, ready to decide."""

    program_id: bytes
    version: int
    name: str
    zone: ZoneInfo
    currency: str
    locales: tuple[str, ...]
    prices_include_tax: bool
    auto_enrol: bool
    tombstone_for: clock.Duration
    points: tuple[PointsKind, ...]
    basis: Basis
    rounding: Literal["floor", "half_up", "ceil"]
    tier_multiplier_at: Literal["order_time", "new_tier", "split"]
    rules: dict[str, tuple[Rule, ...]]
    ladder: Ladder
    per_minor_common: int
    cards: tuple[Card, ...] = ()
    #: Referral offers, the default one first, paused ones too.
    offers: tuple[Offer, ...] = ()
    catalogue: Catalogue = field(default_factory=Catalogue)
    surprises: Surprises = field(default_factory=Surprises)
    #: Share of the members whom no surprise reaches, in basis points.
    holdout_bp: int = 0
    #: What buckets of holdouts are reckoned by.
    holdout_salt: str = ""
    #: The facts of declared kinds of activities, by kind; other kinds may say anything.
    activities: Mapping[str, Declared] = field(default_factory=dict)
    birthday_notice: clock.Duration = _NOTICE
    #: Segments, paused ones too.
    segments: tuple[Segment, ...] = ()
    #: Every fact that some live rule, reward, surprise or offer asks for, also by way of segments.
    asked: frozenset[str] = frozenset()
    #: How many switches had been made: the document was compiled as these leave it.
    switches: int = 0

    @property
    def edition(self) -> tuple[int, int]:
        """Version and switches: what a decision pins, and what may be remembered for ever."""
        return self.version, self.switches

    @property
    def asks_referrals(self) -> bool:
        """Whether something asks how many friends were approved."""
        return APPROVED_REFERRALS in self.asked

    @property
    def reads_referrals(self) -> bool:
        """Whether approved friends matter to how a member stands."""
        return self.asks_referrals or self.ladder.counts_referrals

    def rules_of(self, trigger: str) -> tuple[Rule, ...]:
        """The rules that listen to a trigger, in the order of priority and key; of `trigger:key`
        those of the trigger after the effects of the level or card with that key."""
        return self.rules.get(trigger, ())

    def hears(self, trigger: str) -> bool:
        """Whether a rule or a surprise listens to a trigger of the document."""
        return bool(self.rules.get(trigger) or self.surprises.of(trigger))

    def card(self, key: str) -> Card | None:
        """A stamp card by key."""
        return next((card for card in self.cards if card.key == key), None)

    def offer(self, key: str) -> Offer | None:
        """A referral offer by key."""
        return next((offer for offer in self.offers if offer.key == key), None)

    def kind(self, points_key: str) -> PointsKind | None:
        """A kind of points by key."""
        return next((kind for kind in self.points if kind.key == points_key), None)


def compile_document(
    program_id: bytes,
    version: int,
    document: dict[str, Any],
    *,
    switches: int = 0,
    surprise_versions: Mapping[str, int] | None = None,
    holdout_salt: str | None = None,
) -> Compiled:
    """Compile a checked document, in which so many switches were thrown before, and whose surprises
    last changed in these versions, else in this one."""
    earning = document.get("earning") or {}
    kinds = tuple(compile_kind(kind) for kind in document["points"])
    activities = {item["key"]: item.get("facts") or {} for item in document.get("activities") or []}
    rules: dict[str, list[Rule]] = {}
    for item in earning.get("rules") or []:
        trigger = item.get("trigger", "order")
        rule = compile_rule(item, trigger, kinds, activities=activities)
        rules.setdefault(trigger, []).append(rule)
    ordered = {
        trigger: tuple(sorted(items, key=lambda rule: (rule.priority, rule.key)))
        for trigger, items in rules.items()
    }
    cards = compile_cards(document.get("cards") or [], kinds)
    for card in cards:
        ordered[f"card_completed:{card.key}"] = card.effects + ordered.get("card_completed", ())
    ladder = compile_ladder(document.get("tiers") or {}, kinds)
    for level in ladder.levels:
        ordered[f"tier_entered:{level.key}"] = level.effects + ordered.get("tier_entered", ())
    offers = compile_offers(document, kinds)
    listening = ordered.pop(REFERRAL_QUALIFIED, ())
    ordered |= {
        trigger: tuple(items) for trigger, items in rules_by_trigger(offers, listening).items()
    }
    catalogue = compile_catalogue(document, kinds)
    surprises = compile_surprises(
        document,
        kinds,
        catalogue,
        activities=activities,
        versions=surprise_versions or {},
        version=version,
    )
    ordered |= prizes_by_trigger(surprises)
    segments = compile_segments(document.get("segments") or [])
    asking = [*catalogue.rules, *(rule for items in ordered.values() for rule in items)]
    whens = [
        *(rule.when for rule in asking if rule.is_live),
        *(offer.when for offer in offers),
        *(one.when for one in surprises.all if one.is_live),
    ]
    per_minor = [
        rule.effect.per_minor
        for items in ordered.values()
        for rule in items
        if isinstance(rule.effect, PointsPerAmount)
    ]
    return Compiled(
        program_id=program_id,
        version=version,
        name=document["name"],
        zone=ZoneInfo(document["timezone"]),
        currency=document["currency"],
        locales=tuple(document.get("locales") or ["en"]),
        prices_include_tax=document.get("prices_include_tax", True),
        auto_enrol=(document.get("members") or {}).get("auto_enrol", False),
        tombstone_for=clock.parse_duration(
            (document.get("members") or {}).get("tombstone_for", "P36M")
        ),
        birthday_notice=clock.parse_duration(
            (document.get("members") or {}).get("birthday_notice", "P30D")
        ),
        points=kinds,
        basis=_basis(earning.get("basis") or {}),
        rounding=earning.get("rounding", "floor"),
        tier_multiplier_at=earning.get("tier_multiplier_at", "order_time"),
        rules=ordered,
        ladder=ladder,
        per_minor_common=math.lcm(*per_minor) if per_minor else 1,
        cards=cards,
        offers=offers,
        catalogue=catalogue,
        surprises=surprises,
        holdout_bp=document.get("holdout_bp", 0),
        holdout_salt=ids.show_id("prg", program_id) if holdout_salt is None else holdout_salt,
        segments=segments,
        asked=asked_by(whens, segments),
        activities=activities,
        switches=switches,
    )


def _basis(basis: dict[str, Any]) -> Basis:
    return Basis(
        after_discounts=basis.get("after_discounts", True),
        tax=basis.get("tax", "as_displayed"),
        shipping=basis.get("shipping", False),
        gift_card_lines=basis.get("gift_card_lines", False),
        paid_with_points=basis.get("paid_with_points", False),
        paid_with_gift_card=basis.get("paid_with_gift_card", True),
    )
