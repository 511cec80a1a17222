"""Random program documents and orders, small enough that their rules often meet."""

from typing import Any

from hypothesis import strategies as st

from tests.world import document

KINDS = ("points", "stars")
MINORS = st.sampled_from([0, 1, 99, 333, 1000, 1999, 3333, 5000, 12_345])
THRESHOLDS = st.sampled_from([0, 500, 1000, 3000, 5000, 10_000])
FACTORS = st.sampled_from([5_000, 10_000, 12_500, 15_000, 20_000, 33_333])


def _leaf(fact: str, op: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"fact": st.just(fact), "op": st.just(op), "value": values})


conditions = st.one_of(
    st.none(),
    _leaf("order.net_minor", ">=", THRESHOLDS),
    _leaf("order.item_count", ">=", st.integers(1, 4)),
    _leaf("order.categories", "contains", st.sampled_from("ab")),
    _leaf("order.is_first", "=", st.booleans()),
)
line_conditions = st.one_of(
    st.none(),
    _leaf("line.categories", "contains", st.sampled_from("ab")).map(lambda when: {"when": when}),
)


@st.composite
def effects(draw: st.DrawFn) -> dict[str, Any]:
    """An effect of any kind that this version has."""
    do = draw(
        st.sampled_from(["points_per_amount", "points_per_unit", "add_points", "multiply_points"])
    )
    effect: dict[str, Any] = {"do": do, "points_key": draw(st.sampled_from(KINDS))}
    if do == "multiply_points":
        effect["factor_bp"] = draw(FACTORS)
    else:
        effect["points"] = draw(st.sampled_from([1, 2, 7, 100]))
    if do == "points_per_amount":
        effect["per_minor"] = draw(st.sampled_from([1, 7, 100, 1000]))
    if do != "add_points":
        lines = draw(line_conditions)
        if lines is not None:
            effect["lines"] = lines
    if draw(st.booleans()):
        effect["counts_for_tier"] = draw(st.booleans())
    return effect


@st.composite
def rules(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to five rules, some in exclusive groups."""
    made = []
    for index in range(draw(st.integers(1, 5))):
        rule: dict[str, Any] = {
            "key": f"r{index}",
            "trigger": "order",
            "effect": draw(effects()),
            "when": draw(conditions),
            "priority": draw(st.integers(0, 1)),
            "on_refund": draw(st.sampled_from(["recheck", "keep", "prorate"])),
            "state": draw(st.sampled_from(["live", "live", "live", "paused"])),
        }
        group = draw(st.sampled_from([None, None, "luck", "club"]))
        if group is not None:
            rule["stacking"] = {"mode": "exclusive", "group": group}
        made.append(rule)
    return made


@st.composite
def tiers(draw: st.DrawFn) -> dict[str, Any] | None:
    """No ladder, or one of up to three levels."""
    thresholds = sorted(draw(st.sets(st.sampled_from([1, 2, 50, 1000, 5000]), max_size=3)))
    if not thresholds:
        return None
    basis: dict[str, Any] = {"metric": draw(st.sampled_from(["spend", "points", "orders"]))}
    if draw(st.booleans()):
        basis |= {"window": "rolling", "duration": draw(st.sampled_from(["P1M", "P29D"]))}
    levels = [
        {
            "key": f"l{at}",
            "enter_at": at,
            "retain_at": draw(st.integers(0, at)),
            "multiplier_bp": draw(FACTORS),
        }
        for at in thresholds
    ]
    downgrade = draw(st.sampled_from(["none", "full"]))
    return {"basis": basis, "downgrade": downgrade, "levels": levels}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A program document."""
    basis = {
        name: draw(st.booleans())
        for name in (
            "after_discounts",
            "shipping",
            "gift_card_lines",
            "paid_with_points",
            "paid_with_gift_card",
        )
    }
    return document(
        points=[
            {"key": "points"},
            {"key": "stars", "value": {"points": 1, "minor": draw(st.integers(1, 3))}},
        ],
        earning={
            "basis": basis,
            "rounding": draw(st.sampled_from(["floor", "half_up", "ceil"])),
            "tier_multiplier_at": draw(st.sampled_from(["order_time", "new_tier", "split"])),
            "rules": draw(rules()),
        },
        tiers=draw(tiers()),
    )


@st.composite
def lines(draw: st.DrawFn, *, refs: list[str]) -> list[dict[str, Any]]:
    """A line for each reference, nothing of it refunded."""
    made = []
    for ref in refs:
        quantity, price = draw(st.integers(1, 4)), draw(MINORS)
        made.append(
            {
                "line_ref": ref,
                "quantity": quantity,
                "unit_price_minor": price,
                "discount_minor": draw(st.integers(0, quantity * price)),
                "categories": draw(st.sampled_from([[], ["a"], ["b"], ["a", "b"]])),
                "is_gift_card": draw(st.sampled_from([False, False, False, True])),
            }
        )
    return made


def goods(body: dict[str, Any]) -> int:
    """What the lines cost before the order's discount."""
    return sum(
        line["quantity"] * line["unit_price_minor"] - line["discount_minor"]
        for line in body["lines"]
    )


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """A paid order, nothing of it refunded."""
    body: dict[str, Any] = {
        "member_ref": "mina",
        "status": "paid",
        "currency": "EUR",
        "placed_at": "2026-03-01T10:00:00Z",
        "lines": draw(lines(refs=["1", "2", "3", "4"][: draw(st.integers(1, 4))])),
        "shipping_minor": draw(st.sampled_from([0, 500])),
    }
    value = goods(body)
    body["discount_minor"] = draw(st.sampled_from([0, value // 10, min(7, value)]))
    left = value - body["discount_minor"]
    body["payments"] = [
        {"kind": kind, "amount_minor": draw(st.integers(0, left // 2))}
        for kind in ("points", "gift_card")
        if draw(st.booleans())
    ]
    return body


@st.composite
def refunded(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """The order after some refunds: by quantity, by amount, or of the order as a whole."""
    again = body | {"lines": []}
    for line in body["lines"]:
        changed = dict(line)
        how = draw(st.sampled_from(["none", "quantity", "amount", "both"]))
        if how in ("quantity", "both"):
            changed["refunded_quantity"] = draw(st.integers(0, line["quantity"]))
        if how in ("amount", "both"):
            most = line["quantity"] * line["unit_price_minor"] - line["discount_minor"]
            changed["refunded_minor"] = draw(st.integers(0, most))
        again["lines"].append(changed)
    if draw(st.booleans()):
        again["refunded_minor"] = draw(st.integers(0, goods(body)))
    if draw(st.booleans()):
        again["shipping_refunded_minor"] = draw(st.integers(0, body["shipping_minor"]))
    return again
