"""Earning read naively from what the program promises, in exact fractions, for comparison.

Written from the promises, not from the code that keeps them: amounts by line, exact until one
rounding; an order's discount and what was paid with points spread over the lines by value in
whole units; multipliers on what amounts and units earned; the tier's multiplier last; fixed points
never multiplied; of an exclusive group what is best for the member, found by trying everything.
"""

import itertools
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

HALF = Fraction(1, 2)
BP = 10_000
LEVEL = "the order itself"


def share_out(total: int, weights: list[int]) -> list[int]:
    """Whole shares by largest remainder; ties go to whoever comes first."""
    if not sum(weights):
        return [total if index == 0 else 0 for index in range(len(weights))]
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    shares = [floor(value) for value in exact]
    while sum(shares) < total:
        lacking = [value - share for value, share in zip(exact, shares, strict=True)]
        shares[lacking.index(max(lacking))] += 1
    return shares


def ratio(amount: int, share: int, whole: int) -> int:
    """The part of an amount, halves up."""
    return floor(Fraction(amount * share, whole) + HALF) if whole else 0


@dataclass
class NaiveLine:
    """A line: its value, what of it is left, and the money and the units of it that earn."""

    ref: str
    categories: list[str]
    net: int
    left: int
    quantity: int
    earning: int = 0
    units: int = 0


@dataclass
class NaiveOrder:
    """An order as it stands."""

    lines: list[NaiveLine]
    shipping: int
    quantity: int

    @property
    def net(self) -> int:
        return sum(line.net for line in self.lines)

    @property
    def left(self) -> int:
        return sum(line.left for line in self.lines)

    @property
    def spend(self) -> int:
        return sum(line.earning for line in self.lines) + self.shipping

    @property
    def is_gone(self) -> bool:
        """Wholly refunded."""
        items = sum(line.quantity for line in self.lines)
        return self.left == 0 and (self.net > 0 or items == 0)


def read_order(body: dict[str, Any], basis: dict[str, bool]) -> NaiveOrder:
    """The figures of an order under a basis; every switch of the basis is given."""
    told = body["lines"]
    gross = [line["quantity"] * line["unit_price_minor"] for line in told]
    value = [full - line["discount_minor"] for full, line in zip(gross, told, strict=True)]
    discounts = share_out(body["discount_minor"], value)
    made = []
    for line, worth, discount in zip(told, value, discounts, strict=True):
        net = worth - discount
        back = line.get("refunded_minor")
        if back is None:
            back = ratio(net, line.get("refunded_quantity", 0), line["quantity"])
        made.append(NaiveLine(line["line_ref"], line["categories"], net, max(0, net - back), 0))
    back_in_lines = sum(line.net - line.left for line in made)
    rest = body.get("refunded_minor", 0) - back_in_lines
    if rest > 0:
        left = [line.left for line in made]
        for one, more in zip(made, share_out(min(rest, sum(left)), left), strict=True):
            one.left -= more
    kinds = {"points": basis["paid_with_points"], "gift_card": basis["paid_with_gift_card"]}
    unearned = sum(
        payment["amount_minor"]
        for payment in body.get("payments", [])
        if not kinds.get(payment["kind"], True)
    )
    net_sum = sum(line.net for line in made)
    paid = share_out(min(unearned, net_sum), [line.net for line in made])
    for one, line, full, points_paid in zip(made, told, gross, paid, strict=True):
        one.quantity = line["quantity"] - line.get("refunded_quantity", 0)
        if one.left == 0 and one.net > 0:
            one.quantity = 0
        if line["is_gift_card"] and not basis["gift_card_lines"]:
            continue
        one.units = one.quantity
        amount = one.left
        if not basis["after_discounts"]:
            amount = ratio(full, one.left, one.net)
            if not one.net:
                amount = line["unit_price_minor"] * one.quantity
        one.earning = max(0, amount - ratio(points_paid, one.left, one.net))
    shipping = body["shipping_minor"] - body.get("shipping_refunded_minor", 0)
    ordered = sum(line["quantity"] for line in told)
    return NaiveOrder(made, shipping if basis["shipping"] else 0, ordered)


def is_met(when: dict[str, Any] | None, *, facts: dict[str, Any]) -> bool:
    """The few conditions that the random documents use."""
    if when is None:
        return True
    value, wanted = facts[when["fact"]], when["value"]
    if when["op"] == ">=":
        return bool(value >= wanted)
    if when["op"] == "contains":
        return wanted in value
    return bool(value == wanted)


def facts_of(order: NaiveOrder, *, is_whole: bool, is_first: bool) -> dict[str, Any]:
    """Facts of what is left, or of the order as it was bought."""
    there = [line for line in order.lines if is_whole or line.quantity or line.left]
    return {
        "order.net_minor": order.net if is_whole else order.left,
        "order.item_count": order.quantity
        if is_whole
        else sum(line.quantity for line in order.lines),
        "order.categories": {name for line in there for name in line.categories},
        "order.is_first": is_first,
    }


def lines_of(rule: dict[str, Any], order: NaiveOrder) -> list[NaiveLine]:
    """The lines that a rule's effect concerns."""
    when = (rule["effect"].get("lines") or {}).get("when")
    return [
        line for line in order.lines if is_met(when, facts={"line.categories": line.categories})
    ]


@dataclass
class NaiveProgram:
    """A document, and the member's level and metric before the order."""

    document: dict[str, Any]
    held: str | None
    before: int
    is_first: bool

    @property
    def earning(self) -> dict[str, Any]:
        section: dict[str, Any] = self.document["earning"]
        return section

    @property
    def levels(self) -> list[dict[str, Any]]:
        return list((self.document.get("tiers") or {}).get("levels", []))

    def fires(self, order: NaiveOrder) -> list[dict[str, Any]]:
        """The rules whose condition holds and that concern something."""
        found = []
        for rule in self.earning["rules"]:
            is_fixed = rule["effect"]["do"] == "add_points"
            is_kept = is_fixed and rule["on_refund"] in ("keep", "prorate")
            facts = facts_of(order, is_whole=is_kept, is_first=self.is_first)
            is_live = rule["state"] == "live" and is_met(rule["when"], facts=facts)
            if is_live and (is_fixed or not rule["effect"].get("lines") or lines_of(rule, order)):
                found.append(rule)
        return found

    def exact(
        self, fired: list[dict[str, Any]], order: NaiveOrder, kind: str, factor: Fraction
    ) -> Fraction:
        """Points of one kind before the rounding."""
        own = [rule for rule in fired if rule["effect"]["points_key"] == kind]
        cells: dict[str, Fraction] = {}
        for rule in own:
            effect = rule["effect"]
            if effect["do"] == "points_per_amount":
                money = {line.ref: line.earning for line in lines_of(rule, order)}
                if not effect.get("lines"):
                    money[LEVEL] = order.shipping
                for ref, minor in money.items():
                    more = Fraction(minor * effect["points"], effect["per_minor"])
                    cells[ref] = cells.get(ref, Fraction(0)) + more
            elif effect["do"] == "points_per_unit":
                for line in lines_of(rule, order):
                    units = Fraction(line.units * effect["points"])
                    cells[line.ref] = cells.get(line.ref, Fraction(0)) + units
        for rule in own:
            if rule["effect"]["do"] == "multiply_points":
                refs = {line.ref for line in lines_of(rule, order)}
                if not rule["effect"].get("lines"):
                    refs.add(LEVEL)
                for ref in refs & cells.keys():
                    cells[ref] *= Fraction(rule["effect"]["factor_bp"], BP)
        total = sum(cells.values(), Fraction(0)) * factor
        for rule in own:
            if rule["effect"]["do"] == "add_points":
                points = Fraction(rule["effect"]["points"])
                if rule["on_refund"] == "prorate" and order.net:
                    points *= Fraction(order.left, order.net)
                total += points
        return total

    def rounded(self, value: Fraction) -> int:
        """The one rounding."""
        how = self.earning["rounding"]
        if how == "half_up":
            return floor(value + HALF)
        return floor(value) if how == "floor" else ceil(value)

    def qualifying(self, fired: list[dict[str, Any]], order: NaiveOrder) -> int:
        """Points of the first kind that count for tiers, before the tier's multiplier."""
        counting = []
        for rule in fired:
            is_amount = rule["effect"]["do"] in ("points_per_amount", "points_per_unit")
            if rule["effect"].get("counts_for_tier", is_amount):
                counting.append(rule)
        return self.rounded(self.exact(counting, order, "points", Fraction(1)))

    def factor(self, fired: list[dict[str, Any]], order: NaiveOrder) -> Fraction:
        """The tier's multiplier of an order that may cross thresholds."""
        if not self.levels:
            return Fraction(1)
        metric = self.document["tiers"]["basis"]["metric"]
        more = {
            "orders": 1,
            "spend": order.spend,
            "points": self.qualifying(fired, order),
        }[metric]
        keys = [level["key"] for level in self.levels]
        lowest = keys.index(self.held) + 1 if self.held else 0

        def multiplier(at: int) -> Fraction:
            reached = sum(at >= level["enter_at"] for level in self.levels)
            rank = max(lowest, reached)
            return Fraction(self.levels[rank - 1]["multiplier_bp"] if rank else BP, BP)

        when = self.earning["tier_multiplier_at"]
        if when == "order_time" or more == 0:
            return multiplier(self.before) if lowest else Fraction(1)
        if when == "new_tier":
            return multiplier(self.before + more)
        # Each unit of the metric counts on the level that the units before it had reached.
        edges = {self.before, self.before + more}
        edges |= {
            level["enter_at"]
            for level in self.levels
            if self.before < level["enter_at"] < self.before + more
        }
        total = Fraction(0)
        for start, end in itertools.pairwise(sorted(edges)):
            total += (end - start) * multiplier(start)
        return total / more

    def decide(self, order: NaiveOrder) -> tuple[dict[str, int], int]:
        """Points by kind, and those that count for tiers, of an order that is paid."""
        if order.is_gone:
            return {}, 0
        fired = self.fires(order)
        free = [rule for rule in fired if not rule.get("stacking")]
        groups: dict[str, list[dict[str, Any]]] = {}
        for rule in fired:
            if rule.get("stacking"):
                groups.setdefault(rule["stacking"]["group"], []).append(rule)
        kinds = self.document["points"]

        def worth(choice: tuple[dict[str, Any], ...]) -> tuple[Any, ...]:
            counting = [*free, *choice]
            factor = self.factor(counting, order)
            value = number = Fraction(0)
            for kind in kinds:
                price = kind.get("value", {"points": 1, "minor": 1})
                exact = self.exact(counting, order, kind["key"], factor)
                value += exact * Fraction(price["minor"], price["points"])
                number += exact
            return (-value, -number, sorted((rule["priority"], rule["key"]) for rule in choice))

        best = min(itertools.product(*groups.values()), key=worth)
        counting = [*free, *best]
        factor = self.factor(counting, order)
        points = {
            kind["key"]: self.rounded(self.exact(counting, order, kind["key"], factor))
            for kind in kinds
        }
        earned = {key: value for key, value in points.items() if value}
        return earned, self.qualifying(counting, order)
