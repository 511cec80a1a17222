"""The figures of an order: what each line is worth, what of it stands, and what of that earns.

Pure. Money is in whole minor units throughout: the order's discount, points payments and tax are
each spread over the lines once, before any refund, by largest remainder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import FieldError, Problem, invalid
from core.money import AMOUNT_MAX, part, spread
from programs.compiled import Basis


@dataclass(slots=True)
class LineFigures:
    """A line: net of discounts, what of it is left, and the money of it that earns."""

    line_ref: str
    sku: str | None
    categories: list[str]
    attributes: Mapping[str, Any]
    is_gift_card: bool
    gross_minor: int
    net_minor: int
    left_minor: int
    left_quantity: int
    earning_minor: int
    earning_quantity: int


@dataclass(slots=True)
class OrderFigures:
    """An order: sums over its lines of what stands. `whole_*` are before refunds."""

    lines: tuple[LineFigures, ...]
    whole_net_minor: int
    net_minor: int
    gross_minor: int
    refunded_minor: int
    item_count: int
    shipping_earning_minor: int
    is_wholly_refunded: bool
    #: Shipping as displayed, less what of it was refunded.
    shipping_minor: int = 0

    @property
    def spend_minor(self) -> int:
        """The money on which points are earned, less refunds."""
        return sum(line.earning_minor for line in self.lines) + self.shipping_earning_minor


def check(body: Mapping[str, Any], *, currency: str, pointer: str = "") -> None:
    """422 when amounts contradict each other, with pointers below `pointer`; `currency_mismatch`
    for another currency."""
    if body["currency"] != currency:
        raise Problem(
            422,
            "currency_mismatch",
            f"The program's currency is {currency}; send the amounts in it, with currency "
            f"{currency} (they are in {body['currency']}).",
        )
    errors = _line_errors(body["lines"], pointer)
    if not errors:
        goods = sum(_net(line) for line in body["lines"])
        if body["discount_minor"] > goods:
            errors.append(
                FieldError(
                    f"{pointer}/discount_minor", "invalid", f"is more than the goods ({goods})"
                )
            )
        gross = sum(line["quantity"] * line["unit_price_minor"] for line in body["lines"])
        if gross > AMOUNT_MAX:
            errors.append(
                FieldError(f"{pointer}/lines", "invalid", f"sum up to more than {AMOUNT_MAX}")
            )
        if body.get("refunded_minor", 0) > gross:
            errors.append(
                FieldError(
                    f"{pointer}/refunded_minor", "invalid", f"is more than the goods ({gross})"
                )
            )
        if body.get("shipping_refunded_minor", 0) > body["shipping_minor"]:
            errors.append(
                FieldError(
                    f"{pointer}/shipping_refunded_minor", "invalid", "is more than the shipping"
                )
            )
    if errors:
        raise invalid(errors)


def _line_errors(lines: Sequence[Mapping[str, Any]], pointer: str) -> list[FieldError]:
    errors = []
    seen: set[str] = set()
    for index, line in enumerate(lines):
        at = f"{pointer}/lines/{index}"
        gross = line["quantity"] * line["unit_price_minor"]
        if line["line_ref"] in seen:
            errors.append(FieldError(f"{at}/line_ref", "duplicate", "occurs twice in the order"))
        seen.add(line["line_ref"])
        if line["discount_minor"] > gross:
            errors.append(
                FieldError(f"{at}/discount_minor", "invalid", f"is more than the line ({gross})")
            )
        errors += [
            FieldError(f"{at}/{name}", "invalid", "is more than the quantity")
            for name in ("refunded_quantity", "fulfilled_quantity")
            if line.get(name, 0) > line["quantity"]
        ]
        if line.get("refunded_minor", 0) > gross:
            errors.append(
                FieldError(f"{at}/refunded_minor", "invalid", f"is more than the line ({gross})")
            )
    return errors


def _net(line: Mapping[str, Any]) -> int:
    amount: int = line["quantity"] * line["unit_price_minor"] - line["discount_minor"]
    return amount


def nets(body: Mapping[str, Any]) -> list[int]:
    """The net of each line, its share of the order's discount taken off, before any refund."""
    displayed = [_net(line) for line in body["lines"]]
    if not body["discount_minor"]:
        return displayed
    shares = spread(body["discount_minor"], displayed)
    return [amount - share for amount, share in zip(displayed, shares, strict=True)]


def told_back(line: Mapping[str, Any], net_minor: int) -> int:
    """What a snapshot says was refunded of a line's net: in money, else by quantity."""
    back: int | None = line.get("refunded_minor")
    if back is None:
        return part(net_minor, line["refunded_quantity"], line["quantity"])
    return min(back, net_minor)


def figure(body: Mapping[str, Any], basis: Basis, *, prices_include_tax: bool) -> OrderFigures:
    """The figures of a checked order or cart under a basis."""
    lines = body["lines"]
    net = nets(body)
    left = _left(body, net)
    quantities = [
        0 if gone and net[i] else line["quantity"] - line["refunded_quantity"]
        for i, (line, gone) in enumerate(zip(lines, [amount == 0 for amount in left], strict=True))
    ]
    earning = _earning(
        body,
        basis,
        net=net,
        left=left,
        quantities=quantities,
        include_tax=body.get("prices_include_tax", prices_include_tax),
    )
    figures = tuple(
        LineFigures(
            line_ref=line["line_ref"],
            sku=line.get("sku"),
            categories=line.get("categories") or [],
            attributes=line.get("attributes") or {},
            is_gift_card=line["is_gift_card"],
            gross_minor=line["quantity"] * line["unit_price_minor"],
            net_minor=net[i],
            left_minor=left[i],
            left_quantity=quantities[i],
            earning_minor=earning[i],
            earning_quantity=0
            if line["is_gift_card"] and not basis.gift_card_lines
            else quantities[i],
        )
        for i, line in enumerate(lines)
    )
    refunded = sum(net) - sum(left)
    items_back = sum(line["refunded_quantity"] for line in lines)
    return OrderFigures(
        lines=figures,
        whole_net_minor=sum(net),
        net_minor=sum(left),
        gross_minor=sum(left)
        + sum(_discount_left(line, net[i], left[i], quantities[i]) for i, line in enumerate(lines)),
        refunded_minor=refunded,
        item_count=sum(quantities),
        shipping_earning_minor=earning[-1],
        is_wholly_refunded=(refunded > 0 and sum(left) == 0)
        or (items_back > 0 and sum(quantities) == 0 and sum(left) == 0),
        shipping_minor=max(0, body["shipping_minor"] - body.get("shipping_refunded_minor", 0)),
    )


def _left(body: Mapping[str, Any], net: list[int]) -> list[int]:
    """What is left of each line's net. The order's own figure is a total: what of it is not in
    the lines yet is spread over what is left of them by value."""
    left = [
        amount - told_back(line, amount) for amount, line in zip(net, body["lines"], strict=True)
    ]
    unplaced = body.get("refunded_minor", 0) - (sum(net) - sum(left))
    if unplaced > 0:
        shares = spread(min(unplaced, sum(left)), left)
        left = [amount - share for amount, share in zip(left, shares, strict=True)]
    return left


def _discount_left(line: Mapping[str, Any], net: int, left: int, quantity: int) -> int:
    """The discount on what is left of a line: in proportion, as a refund in money is none; of a
    line that cost nothing, the price of the pieces that are left."""
    price: int = line["unit_price_minor"]
    if net == 0:
        return price * quantity
    discount: int = line["quantity"] * price - net
    return discount * left // net


def _earning(
    body: Mapping[str, Any],
    basis: Basis,
    *,
    net: list[int],
    left: list[int],
    quantities: list[int],
    include_tax: bool,
) -> list[int]:
    """The money that earns on each line, and on shipping as the last."""
    lines = body["lines"]
    paid = _not_earning_payments(body, basis, net)
    taxes = _taxes(body, basis, net, include_tax=include_tax)
    earning = []
    for i, line in enumerate(lines):
        if line["is_gift_card"] and not basis.gift_card_lines:
            earning.append(0)
            continue
        whole, share = net[i], left[i]
        amount = share
        if not basis.after_discounts:
            gross = line["quantity"] * line["unit_price_minor"]
            amount = (
                part(gross, share, whole) if whole else line["unit_price_minor"] * quantities[i]
            )
        if taxes[i]:
            amount += part(taxes[i], share, whole)
        if paid[i]:
            amount -= part(paid[i], share, whole)
        earning.append(max(0, amount))
    shipping = 0
    if basis.shipping:
        whole = body["shipping_minor"]
        shipping = whole - body.get("shipping_refunded_minor", 0)
        shipping = max(0, shipping + part(taxes[-1], shipping, whole))
    return [*earning, shipping]


def _not_earning_payments(body: Mapping[str, Any], basis: Basis, net: list[int]) -> list[int]:
    kinds = set()
    if not basis.paid_with_points:
        kinds.add("points")
    if not basis.paid_with_gift_card:
        kinds.add("gift_card")
    total = sum(
        payment["amount_minor"]
        for payment in body.get("payments") or ()
        if payment["kind"] in kinds
    )
    return spread(min(total, sum(net)), net) if total else [0] * len(net)


def _taxes(
    body: Mapping[str, Any], basis: Basis, net: list[int], *, include_tax: bool
) -> list[int]:
    """Tax to add to (or, negative, to take from) each line and the shipping as displayed.

    The order's tax is all of it. What the lines do not say is the shipping's when they say
    anything, and is spread over goods and shipping by value when they say nothing.
    """
    wanted = {
        "as_displayed": 0,
        "include": 0 if include_tax else 1,
        "exclude": -1 if include_tax else 0,
    }[basis.tax]
    if wanted == 0:
        return [0] * (len(net) + 1)
    taxes = [line["tax_minor"] for line in body["lines"]]
    rest = max(0, body["tax_minor"] - sum(taxes))
    if sum(taxes) and body["shipping_minor"]:
        shares = [0] * len(net) + [rest]
    else:
        shares = spread(rest, [*net, body["shipping_minor"]])
    return [wanted * (tax + share) for tax, share in zip([*taxes, 0], shares, strict=True)]


def order_facts(
    body: Mapping[str, Any], figures: OrderFigures, *, is_whole: bool
) -> dict[str, Any]:
    """Facts of an order; `is_whole` asks as if nothing had been refunded.

    `order.is_first` is no fact of the order alone and is added by the decision.
    """
    facts: dict[str, Any] = {"order.currency": body["currency"]}
    facts["order.is_renewal"] = body["is_renewal"]
    facts["order.codes"] = body.get("codes") or []
    for name in ("channel", "location_ref"):
        if body.get(name) is not None:
            facts[f"order.{name}"] = body[name]
    for name, value in (body.get("attributes") or {}).items():
        facts[f"order.attributes.{name}"] = value
    lines = figures.lines
    if is_whole:
        net, gross = figures.whole_net_minor, sum(line.gross_minor for line in lines)
        items = sum(line["quantity"] for line in body["lines"])
        standing = list(lines)
    else:
        net, gross, items = figures.net_minor, figures.gross_minor, figures.item_count
        standing = [line for line in lines if line.left_quantity or line.left_minor]
    facts["order.net_minor"] = net
    facts["order.gross_minor"] = gross
    facts["order.discount_minor"] = max(0, gross - net)
    facts["order.item_count"] = items
    facts["order.line_count"] = len(standing)
    facts["order.skus"] = sorted({line.sku for line in standing if line.sku is not None})
    facts["order.categories"] = sorted({name for line in standing for name in line.categories})
    return facts


def line_facts(line: LineFigures) -> dict[str, Any]:
    """Facts of a line, of what is left of it."""
    facts: dict[str, Any] = {
        "line.categories": line.categories,
        "line.net_minor": line.left_minor,
        "line.quantity": line.left_quantity,
    }
    if line.sku is not None:
        facts["line.sku"] = line.sku
    for name, value in line.attributes.items():
        facts[f"line.attributes.{name}"] = value
    return facts
