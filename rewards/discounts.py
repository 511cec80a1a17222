"""Discounts: what a reward takes off an order, and how its worth is shown.

Pure. Percentages floor, and nothing is ever more than the lines it applies to, less what sells
gift cards (SEMANTICS E36). Refuses to know orders that were not told: figures are given to it.
"""

import functools
from typing import Any

from core import clock, jsontext
from orders import figures
from orders.figures import LineFigures, OrderFigures
from programs.rewards import DISCOUNTS, Reward, lines_of, of_order
from rewards.terms import PAY_WITH_POINTS, Terms
from rules.conditions import Condition
from rules.facts import Facts

_BP = 10_000
Shown = dict[str, Any]


def shown(
    terms: Terms | Reward, order: OrderFigures | None = None, *, until: int | None = None
) -> Shown:
    """What a reward or redemption is worth, as the contract shows it; with a cart, in its money.
    `until` is when access ends, once that is known."""
    kind = terms.kind
    found: Shown = {"kind": kind}
    if kind == "discount_percent":
        found["percent_bp"] = terms.percent_bp
        if terms.max_discount_minor is not None:
            found["max_minor"] = terms.max_discount_minor
    elif kind == "free_product":
        found["sku"] = terms.sku
    elif kind == "access":
        found |= {
            "perk": terms.perk,
            "valid_for": terms.access_for,
            "until": None if until is None else clock.format_instant(until),
        }
    elif kind not in ("free_shipping", "custom"):
        found["minor"] = terms.minor
    if order is not None and kind in TAKES_OFF:
        found["minor"] = worth(terms, order)
    return found


#: Kinds whose worth depends on the order.
TAKES_OFF = ("discount_amount", "discount_percent", "free_shipping", PAY_WITH_POINTS)


def goods_minor(order: OrderFigures) -> int:
    """What all lines come to that are ever discounted."""
    return sum(line.left_minor for line in order.lines if not line.is_gift_card)


def worth_of(reward: Reward, order: OrderFigures, *, goods_minor: int) -> int:
    """The same as `worth`, for who asks of many rewards and has summed the lines up already."""
    if reward.lines is not None or reward.kind not in DISCOUNTS:
        return worth(reward, order)
    return _off(reward, goods_minor)


def worth(terms: Terms | Reward, order: OrderFigures) -> int:
    """What it takes off a cart as that is before, in minor units: 0 for what takes nothing off."""
    kind = terms.kind
    if kind == "free_shipping":
        return order.shipping_minor if has_line(terms, order) else 0
    if kind == "free_product":
        return _piece(terms, order)
    if kind not in TAKES_OFF:
        return 0
    return _off(terms, sum(line.left_minor for line in _lines(terms, order)))


def told_off(terms: Terms | Reward, order: OrderFigures) -> int:
    """What it took off an order that was told with it: a percentage is of what the lines cost
    before their discounts, and never more than these. An order that tells no discount is taken
    for one that is before it."""
    lines = _lines(terms, order)
    discounts = sum(line.gross_minor - line.net_minor for line in lines)
    if terms.kind in ("free_shipping", "free_product"):
        return worth(terms, order)
    if terms.kind == PAY_WITH_POINTS:
        # It may be told as a payment: discounts say nothing of it.
        return _off(terms, sum(line.gross_minor for line in lines))
    if not discounts:
        return worth(terms, order)
    return min(_off(terms, sum(line.gross_minor for line in lines)), discounts)


def _off(terms: Terms | Reward, base: int) -> int:
    """Of lines that come to so much."""
    if terms.kind != "discount_percent":
        return min(terms.minor, base)
    minor = base * terms.percent_bp // _BP
    most = terms.max_discount_minor
    return minor if most is None else min(minor, most)


def _lines(terms: Terms | Reward, order: OrderFigures) -> list[LineFigures]:
    """The lines it applies to."""
    if isinstance(terms, Terms) and terms.kind == PAY_WITH_POINTS:
        return [
            line for line in order.lines if not (line.is_gift_card and terms.exclude_gift_cards)
        ]
    condition = condition_of(terms)
    return [
        line
        for line in order.lines
        if not line.is_gift_card
        and (condition is None or condition.matches(figures.line_facts(line)))
    ]


def condition_of(terms: Terms | Reward) -> Condition | None:
    """The condition on lines of a reward, or of frozen terms."""
    if isinstance(terms, Reward):
        return terms.lines
    return None if terms.applies_to is None else _compiled(jsontext.sorted_text(terms.applies_to))


@functools.lru_cache(maxsize=1024)
def _compiled(applies_to: str) -> Condition | None:
    return lines_of(jsontext.parse(applies_to))


def is_met(terms: Terms, facts: Facts) -> bool:
    """Whether an order, with its member, is as the reward asked of orders when it was promised."""
    condition = None if terms.when is None else _of_order(jsontext.sorted_text(terms.when))
    return condition is None or condition.matches(facts)


def is_missed(terms: Terms, facts: Facts) -> bool:
    """Whether an order alone, without its member, is not as the reward asked of orders; what asks
    of both is not judged."""
    condition = None if terms.when is None else _of_order(jsontext.sorted_text(terms.when))
    if condition is None or not all(map(_is_of_order_alone, condition.facts)):
        return False
    return not condition.matches(facts)


def _is_of_order_alone(fact: str) -> bool:
    # Whether it is the member's first is known only when it is decided.
    return fact.startswith("order.") and fact != "order.is_first"


@functools.lru_cache(maxsize=1024)
def _of_order(when: str) -> Condition | None:
    return of_order(jsontext.parse(when))


def has_line(terms: Terms | Reward, order: OrderFigures) -> bool:
    """Whether it applies to anything of an order, where it asks for lines."""
    return condition_of(terms) is None or bool(_lines(terms, order))


def _piece(terms: Terms | Reward, order: OrderFigures) -> int:
    """What one piece of what is given costs in the order, where it is in it."""
    prices = [
        line.left_minor // line.left_quantity
        for line in order.lines
        if line.sku == terms.sku and line.left_quantity
    ]
    return min(prices, default=0)
