"""A checkout with rewards, as a storefront would write it: quote, hold, order, partial refund.

    python -m examples.checkout --url http://127.0.0.1:8000 --key sk_test_...

Needs nothing but the standard library and a program with the document that `--print-document`
prints. Every call is safe to send again: orders and refunds go by the storefront's own references,
everything else by an idempotency key that is made once and kept with the cart.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

#: 1 point for each 1.00; 100 points pay 1.00, at most half of an order; a mug for 300 points.
DOCUMENT: dict[str, Any] = {
    "name": "Checkout example",
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "points": [{"key": "points", "value": {"points": 100, "minor": 100}}],
    "earning": {
        "rules": [
            {
                "key": "welcome",
                "trigger": "signup",
                "effect": {"do": "add_points", "points": 1000},
            },
            {
                "key": "base",
                "effect": {"do": "points_per_amount", "points": 1, "per_minor": 100},
            },
        ]
    },
    "pay_with_points": {"min_points": 200, "step_points": 100, "max_order_bp": 5000},
    "rewards": [
        {
            "key": "ten-percent",
            "name": {"en": "10 % off", "ko": "10% 할인"},
            "kind": "discount_percent",
            "value": {"percent_bp": 1000},
            "max_discount_minor": 1000,
            "cost_points": 300,
        }
    ],
}


class Refused(Exception):  # noqa: N818
    """The answer was a problem; what it says is meant for whoever reads the log."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem['code']}: {problem['detail']}")
        self.problem = problem


class Dangol:
    """A client: one method, since the API is JSON over HTTP and nothing else."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url.rstrip("/"), key

    def call(
        self, method: str, path: str, body: Any = None, *, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """One request; its answer, or Refused with the problem."""
        request = urllib.request.Request(f"{self._url}/v1{path}", method=method)
        request.add_header("Authorization", f"Bearer {self._key}")
        if idempotency_key is not None:
            request.add_header("Idempotency-Key", idempotency_key)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(json.load(error)) from None
        return found


def cart() -> dict[str, Any]:
    """Two plates at 20.00, and 4.90 for shipping."""
    return {
        "currency": "EUR",
        "lines": [{"line_ref": "1", "sku": "PLATE", "quantity": 2, "unit_price_minor": 2000}],
        "shipping_minor": 490,
    }


def play(dangol: Dangol, *, suffix: str) -> None:
    """The story of one order."""
    member, order, now = f"member-{suffix}", f"order-{suffix}", _now()
    joined = dangol.call("PUT", f"/members/{member}", {"email": f"{suffix}@example.com"})
    say(f"{member} joins with {joined['balances'][0]['available']} points")

    # 1. What could be used, and what would be earned, before anything is decided.
    quote = dangol.call("POST", "/quotes", {"member_ref": member, "cart": cart()})
    slider = quote["pay_with_points"]
    say(f"the cart would earn {quote['earned'][0]['points']} points")
    say(f"up to {slider['max']} points pay {money(slider['value_minor'])}, by {slider['step']}")

    # 2. Points are held for this cart: nobody can spend them twice. A second hold for the same
    #    cart would replace this one, so the slider may be moved as often as the member likes.
    body = {"member_ref": member, "pay_with_points": {"points": slider["max"]}, "cart": cart()}
    held = dangol.call(
        "POST",
        "/redemptions",
        {**body, "cart_ref": f"cart-{suffix}", "ttl": "PT30M"},
        idempotency_key=str(uuid.uuid4()),
    )["redemption"]
    paid = held["discount"]["minor"]
    say(f"{held['points']} points are held until {held['expires_at']}: {money(paid)}")

    # 3. The order, once it is paid: it captures what it names, in one step with earning.
    total = 4490
    told = dangol.call(
        "PUT",
        f"/orders/{order}",
        {
            **cart(),
            "member_ref": member,
            "status": "paid",
            "placed_at": now,
            "paid_at": now,
            "payments": [
                {"kind": "points", "amount_minor": paid, "redemption_id": held["id"]},
                {"kind": "card", "amount_minor": total - paid},
            ],
            "redemptions": [held["id"]],
        },
    )
    for problem in told["problems"]:
        say(f"could not be done: {problem['code']} at {problem['pointer']}: {problem['detail']}")
    say(f"the order earned {told['earned'][0]['points']}; {told['balances'][0]['available']} left")

    # 4. One plate comes back: what it earned goes, and the points that paid for it come back.
    refund = {"refunded_at": _now(), "lines": [{"line_ref": "1", "quantity": 1}]}
    preview = dangol.call("PUT", f"/orders/{order}/refunds/r1?dry_run=true", refund)
    say(f"a refund would return {preview['points_returned']} points")
    refunded = dangol.call("PUT", f"/orders/{order}/refunds/r1", refund)
    say(
        f"refunded: {refunded['points_returned']} points came back, "
        f"{sum(one['points'] for one in refunded['reversed'])} were taken back, "
        f"{refunded['balances'][0]['available']} left"
    )


def money(minor: int) -> str:
    """Euros and cents."""
    return f"{minor // 100}.{minor % 100:02} EUR"


def say(text: str) -> None:
    """A line of the story."""
    print(text, flush=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def main(arguments: list[str]) -> int:
    """Play it once; 1 when the instance refused something."""
    parser = argparse.ArgumentParser(prog="python -m examples.checkout", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where Dangol is served")
    parser.add_argument("--key", help="a secret key of the program")
    parser.add_argument("--print-document", action="store_true", help="print the program and stop")
    given = parser.parse_args(arguments)
    if given.print_document:
        print(json.dumps(DOCUMENT, ensure_ascii=False, indent=2))
        return 0
    if not given.key:
        parser.error("--key is needed: flask program create prints one")
    try:
        play(Dangol(given.url, given.key), suffix=uuid.uuid4().hex[:8])
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
