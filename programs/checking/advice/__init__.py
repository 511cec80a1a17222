"""Advice: what a document allows but probably does not mean, in words for who wrote it.

Owns warnings, which never block anything. It refuses to guess: a finding is only made of what
follows from the document, from the program's clock (for what is over) and from the published
document (for what would be gone).
"""

from collections.abc import Mapping
from typing import Any

from core import clock
from programs import triggers
from programs.checking.advice.groups import advise_groups
from programs.checking.advice.points import advise_points
from programs.checking.advice.reading import Rule, is_live, rules_of
from programs.checking.advice.referrals import advise_referrals
from programs.checking.advice.removals import advise_removals
from programs.checking.advice.rewards import advise_rewards
from programs.checking.advice.rules import advise_rule
from programs.checking.advice.surprises import advise_surprises
from programs.checking.advice.tiers import advise_tiers
from programs.checking.findings import Findings
from programs.triggers import Declared


def advise(
    found: Findings,
    document: dict[str, Any],
    *,
    activities: Mapping[str, Declared],
    now: clock.Instant | None,
    live: dict[str, Any] | None,
) -> None:
    """Every warning of a document without errors."""
    rules = []
    for index, item in enumerate(rules_of(document)):
        trigger = item.get("trigger", "order")
        facts = triggers.find_facts(trigger, activities)
        if is_live(item) and facts is not None:
            lines = triggers.find_line_facts(trigger)
            rules.append(Rule(item, f"/earning/rules/{index}", facts, lines))
    offers = [one for one in document.get("referral_offers") or [] if is_live(one)]
    surprises = [one for one in document.get("surprises") or [] if is_live(one)]
    if not rules and not offers and not surprises:
        found.warning("/earning/rules", "nothing_earns", "no live rule: nobody earns anything")
    for rule in rules:
        advise_rule(found, rule, document, now)
    advise_groups(found, rules, document)
    advise_tiers(found, rules, document)
    advise_points(found, rules, document)
    advise_rewards(found, document, now)
    advise_referrals(found, document)
    advise_surprises(found, document, activities=activities, now=now)
    if live is not None:
        advise_removals(found, document, live)
