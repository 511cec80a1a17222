"""Owns what is sent: the program with ten earning rules, the members, the orders.

Everything follows from a running number, so two runs send the same things. Refuses to build
anything while a run is timed: requests are finished bytes before the clock starts.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

#: One hot member a round: each round starts with a member without history.
HOT_MEMBERS = tuple(f"member-hot-{number}" for number in range(20))
BATCH_ORDERS = 100

# Worked out by hand from PROBE_LINES below, a member without tier or earlier order, channel web.
# Base 1 per 1.00: 25 + 18 + 22; web 1 per 5.00: 5 + 3.6 + 4.4. Coffee doubles its line, tea takes
# 1.5; of the campaigns 1.3 (four items) beats 1.2 (three lines): 30 x 2 x 1.3 = 78, 21.6 x 1.5
# x 1.3 = 42.12, 26.4 x 1.3 = 34.32, together 154.44; 50 for a basket over 50.00: 204.44, down.
PROBE_POINTS = 204
_PROBE_LINES = (
    ("BEANS", "coffee", 2, 1250),
    ("SENCHA", "tea", 1, 1800),
    ("MUG", "mugs", 1, 2200),
)

_PRODUCTS = (
    ("BEANS", "coffee", 1250),
    ("SENCHA", "tea", 1800),
    ("MUG", "mugs", 2200),
    ("FILTER", "accessories", 450),
    ("POT", "accessories", 3900),
    ("COCOA", "chocolate", 990),
    ("CAKE", "bakery", 640),
)
_CHANNELS = ("web", "app", "store")


def _fact(name: str, operator: str, value: object) -> dict[str, object]:
    return {"fact": name, "op": operator, "value": value}


def _rule(
    key: str,
    effect: dict[str, object],
    *,
    when: dict[str, object] | None = None,
    group: str | None = None,
) -> dict[str, object]:
    rule: dict[str, object] = {"key": key, "trigger": "order", "effect": effect}
    if when is not None:
        rule["when"] = when
    if group is not None:
        rule["stacking"] = {"mode": "exclusive", "group": group}
    return rule


def _per_amount(per_minor: int) -> dict[str, object]:
    return {"do": "points_per_amount", "points": 1, "per_minor": per_minor}


def _multiply(factor_bp: int, *, category: str | None = None) -> dict[str, object]:
    effect: dict[str, object] = {"do": "multiply_points", "factor_bp": factor_bp}
    if category is not None:
        effect["lines"] = {"when": _fact("line.categories", "contains", category)}
    return effect


def program_document() -> dict[str, Any]:
    """Ten earning rules of every kind and a ladder by what was spent in the last year."""
    big_basket = _fact("order.net_minor", ">=", 5000)
    rules = [
        _rule("base", _per_amount(100)),
        _rule("coffee", _multiply(20_000, category="coffee")),
        _rule("tea", _multiply(15_000, category="tea")),
        _rule("web", _per_amount(500), when=_fact("order.channel", "=", "web")),
        _rule("regular", _per_amount(1000), when=_fact("member.order_count", ">=", 5)),
        _rule("top_tier", _multiply(11_000), when=_fact("member.tier", "in", ["gold", "platinum"])),
        _rule("big_basket", {"do": "add_points", "points": 50}, when=big_basket),
        _rule(
            "app_silver",
            {"do": "add_points", "points": 20},
            when={
                "all": [
                    _fact("order.channel", "=", "app"),
                    {
                        "any": [
                            _fact("member.tier", "=", "silver"),
                            _fact("order.net_minor", ">", 8000),
                        ]
                    },
                ]
            },
        ),
        _rule(
            "three_lines",
            _multiply(12_000),
            when=_fact("order.line_count", ">=", 3),
            group="campaign",
        ),
        _rule(
            "four_items",
            _multiply(13_000),
            when=_fact("order.item_count", ">=", 4),
            group="campaign",
        ),
    ]
    return {
        "name": "Bench",
        "timezone": "UTC",
        "currency": "USD",
        "points": [{"key": "points", "name": {"en": "points"}}],
        "earning": {"rules": rules},
        "tiers": {
            "basis": {"metric": "spend", "window": "rolling", "duration": "P12M"},
            "levels": [
                {"key": "silver", "enter_at": 40_000, "multiplier_bp": 12_500},
                {"key": "gold", "enter_at": 150_000, "multiplier_bp": 15_000},
                {"key": "platinum", "enter_at": 500_000, "multiplier_bp": 20_000},
            ],
        },
    }


def whole_document() -> dict[str, Any]:
    """The same with everything on that an order can meet: a card, a referral offer, and three
    surprises with luck, budgets, pacing, cool-down, limits and pity."""
    document = program_document()
    document["earning"]["rules"].append(
        _rule("stamp", {"do": "add_stamps", "card": "ten", "stamps": 1})
    )
    prize = {"effects": [{"do": "add_points", "points": 20}]}
    grand = {"weight": 2, "effects": [{"do": "add_points", "points": 100}]}
    total = 10**11
    return document | {
        "cards": [{"key": "ten", "stamps": 10, "effects": [{"do": "add_points", "points": 100}]}],
        "referral_offers": [
            {
                "key": "friends",
                "advocate": [{"do": "add_points", "points": 500}],
                "friend": [{"do": "add_points", "points": 300}],
                "landing_url": "https://shop.example/welcome",
            }
        ],
        "surprises": [
            {
                "key": "luck",
                "probability_ppm": 100_000,
                "cooldown": "P30D",
                "group": "luck",
                "holdout_bp": 1000,
                "budget": {
                    "total": total,
                    "pacing": True,
                    "ends_at": "2999-01-01T00:00:00Z",
                },
                "prizes": [prize | {"weight": 9}, grand],
            },
            {
                "key": "big",
                "when": _fact("order.net_minor", ">=", 3000),
                "probability_ppm": 50_000,
                "pity_after": 50,
                "group": "luck",
                "budget": {"total": total, "per_day": total},
                "prizes": [grand],
            },
            {
                "key": "tenth",
                "when": _fact("member.order_count", "in", [9, 19, 29]),
                "limits": [{"per": "member", "period": "month", "times": 1}],
                "prizes": [prize],
            },
        ],
    }


def http_request(method: str, path: str, *, key: str, body: object = None) -> bytes:
    """One finished HTTP/1.1 request with the program's secret key."""
    content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Accept: application/json\r\n"
    )
    if content:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return head.encode() + b"\r\n" + content


class Workload:
    """The requests for one program: members first, then orders that never repeat."""

    def __init__(self, *, key: str, member_count: int) -> None:
        self._key = key
        self._member_count = member_count
        self._numbers = count(1)
        # An hour back and a millisecond per order: always in the past, always in time order.
        self._first_placed_at = datetime.fromtimestamp(time.time() - 3600, UTC)

    def member_refs(self) -> list[str]:
        """Every member of the bench, the hot ones last."""
        return [*(self._member(number) for number in range(self._member_count)), *HOT_MEMBERS]

    def members(self) -> Iterator[bytes]:
        """PUT of every member."""
        return iter(
            [
                http_request(
                    "PUT",
                    f"/v1/members/{ref}",
                    key=self._key,
                    body={"email": f"{ref}@example.com", "locale": "en"},
                )
                for ref in self.member_refs()
            ]
        )

    def orders(self, how_many: int, *, member_ref: str | None = None) -> Iterator[bytes]:
        """PUT of new orders, spread over all members or all of one."""
        return iter(
            [
                http_request("PUT", f"/v1/orders/{ref}", key=self._key, body=body)
                for ref, body in self._snapshots(how_many, member_ref=member_ref)
            ]
        )

    def batches(self, how_many: int) -> Iterator[bytes]:
        """POST of new orders by the hundred, spread over all members."""
        requests = []
        for _ in range(how_many):
            orders = [
                {"order_ref": ref, **body}
                for ref, body in self._snapshots(BATCH_ORDERS, member_ref=None)
            ]
            requests.append(
                http_request("POST", "/v1/orders/batch", key=self._key, body={"orders": orders})
            )
        return iter(requests)

    def balances(self, how_many: int) -> Iterator[bytes]:
        """GET of the balances of one member after the other."""
        return iter(
            [
                http_request("GET", f"/v1/members/{self._spread(number)}/balances", key=self._key)
                for number in range(how_many)
            ]
        )

    def probe(self) -> tuple[bytes, bytes]:
        """PUT of a fresh member and of its first order, which earns PROBE_POINTS."""
        member = http_request(
            "PUT", "/v1/members/member-probe", key=self._key, body={"locale": "en"}
        )
        body = self._order_body("member-probe", _PROBE_LINES, channel="web")
        return member, http_request("PUT", "/v1/orders/order-probe", key=self._key, body=body)

    def _snapshots(
        self, how_many: int, *, member_ref: str | None
    ) -> Iterator[tuple[str, dict[str, object]]]:
        for number in islice(self._numbers, how_many):
            lines = tuple(
                (sku, category, 1 + (number + place) % 3, price)
                for place, (sku, category, price) in enumerate(
                    _PRODUCTS[(number * 3 + place) % len(_PRODUCTS)] for place in range(3)
                )
            )
            yield (
                f"order-{number}",
                self._order_body(
                    member_ref or self._spread(number),
                    lines,
                    channel=_CHANNELS[number % len(_CHANNELS)],
                    number=number,
                ),
            )

    def _order_body(
        self,
        member_ref: str,
        lines: tuple[tuple[str, str, int, int], ...],
        *,
        channel: str,
        number: int = 0,
    ) -> dict[str, object]:
        placed_at = self._first_placed_at + timedelta(milliseconds=number)
        instant = placed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        total = sum(quantity * price for _, _, quantity, price in lines)
        return {
            "member_ref": member_ref,
            "status": "paid",
            "currency": "USD",
            "placed_at": instant,
            "paid_at": instant,
            "lines": [
                {
                    "line_ref": str(place),
                    "sku": sku,
                    "categories": [category],
                    "name": sku.title(),
                    "quantity": quantity,
                    "unit_price_minor": price,
                }
                for place, (sku, category, quantity, price) in enumerate(lines, 1)
            ],
            "shipping_minor": 300,
            "payments": [{"kind": "card", "amount_minor": total + 300}],
            "channel": channel,
        }

    def _spread(self, number: int) -> str:
        """A member for a number: all alike often and in no order, by a multiplicative hash."""
        return self._member((number * 2_654_435_761 >> 7) % self._member_count)

    @staticmethod
    def _member(number: int) -> str:
        return f"member-{number}"
