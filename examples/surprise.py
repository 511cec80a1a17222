"""Surprises from the first hello to the kill switch: notes, a gift, luck that is owed, a refund.

    python -m examples.surprise --url http://127.0.0.1:8000 --key sk_test_...

Needs nothing but the standard library and a test program with the document that
`--print-document` prints.
"""

import argparse
import json
import sys
import uuid
from typing import Any

from examples.checkout import Dangol, Refused, say

#: 300 points to say hello; a mug with an order of 50.00, at most every thirty days; and luck that
#: never strikes by itself, but after two losses in a row the third draw wins.
DOCUMENT: dict[str, Any] = {
    "name": "Surprise example",
    "timezone": "Asia/Seoul",
    "currency": "EUR",
    "locales": ["en", "ko"],
    "points": [{"key": "points"}],
    "earning": {"rules": []},
    "rewards": [
        {
            "key": "mug",
            "name": {"en": "Mug", "ko": "머그컵"},
            "kind": "free_product",
            "value": {"sku": "MUG"},
            "needs_fulfilment": True,
            "estimated_cost_minor": 400,
        }
    ],
    "surprises": [
        {
            "key": "hello",
            "name": {"en": "Hello", "ko": "환영"},
            "trigger": "signup",
            "prizes": [
                {
                    "effects": [{"do": "add_points", "points": 300}],
                    "note": {
                        "en": "Welcome to {{program.name}}, {{member.name}}: {{points}} points!",
                        "ko": "{{member.name}}님, 환영합니다. {{points}}점을 드려요!",
                    },
                }
            ],
            "budget": {"unit": "points", "total": 1_000_000},
        },
        {
            "key": "gift",
            "name": {"en": "A gift", "ko": "선물"},
            "when": {"fact": "order.net_minor", "op": ">=", "value": 5000},
            "cooldown": "P30D",
            "prizes": [
                {
                    "effects": [{"do": "grant_reward", "reward": "mug"}],
                    "note": {"en": "{{reward.name}} for you", "ko": "{{reward.name}} 드려요"},
                }
            ],
        },
        {
            "key": "luck",
            "name": {"en": "Lucky day", "ko": "럭키데이"},
            "probability_ppm": 0,
            "pity_after": 2,
            "prizes": [
                {
                    "effects": [{"do": "add_points", "points": 50}],
                    "note": {"en": "{{points}} points!", "ko": "{{points}}점!"},
                }
            ],
            "limits": [{"per": "member", "period": "month", "times": 5}],
        },
    ],
}


def play(dangol: Dangol, *, suffix: str) -> None:
    """The story of one member."""
    anna = f"anna-{suffix}"

    # 1. Somebody signs up. The answer has what to say to them.
    joined = dangol.call("PUT", f"/members/{anna}", {"name": "Anna", "locale": "en"})
    [hello] = joined["surprises"]
    say(hello["note"]["en"])

    # 2. A large order brings a gift. A pack slip may show its note; staff sends what it is.
    first = tell(dangol, anna, f"{suffix}-1", 6000)
    [gift] = first["surprises"]
    say(f"60.00: {gift['note']['en']}")
    again = tell(dangol, anna, f"{suffix}-1", 6000)
    is_same = [one["draw_id"] for one in again["surprises"]] == [gift["draw_id"]]
    say(f"told again it is {'the same draw' if is_same else 'another draw'}")

    # 3. The next large order comes too soon for another gift: why says so, for staff and member.
    tell(dangol, anna, f"{suffix}-2", 7000)
    why = dangol.call("GET", f"/members/{anna}/why?source=order:{suffix}-2")
    for one in why["surprises"]:
        say(f"{one['rule']}: {one.get('reason', 'won')}. {one['summary']['en']}")

    # 4. Two draws of luck were lost, so the third is won. Its receipt says why.
    third = tell(dangol, anna, f"{suffix}-3", 1000)
    [luck] = third["surprises"]
    receipt = dangol.call("GET", f"/draws/{luck['draw_id']}")
    say(f"{luck['note']['en']} after {receipt['losses']} losses, by pity: {receipt['is_pity']}")

    # 5. What comes with an order goes with it. A preview says so beforehand.
    body = {"refunded_at": third["order"]["placed_at"], "amount_minor": 1000}
    path = f"/orders/{suffix}-3/refunds/r1"
    preview = dangol.call("PUT", f"{path}?dry_run=true", body)
    going = ", ".join(one["key"] for one in preview["surprises_revoked"])
    say(f"a refund would take back: {going}")
    dangol.call("PUT", path, body)
    for one in dangol.call("GET", f"/members/{anna}/surprises")["data"]:
        say(f"{one['key']}: {one['state']}")

    # 6. Something is wrong with the gift: the switch works at once, on every instance.
    switch = {"section": "surprises", "key": "gift", "state": "paused", "reason": "no more mugs"}
    dangol.call("POST", "/switches", switch, idempotency_key=str(uuid.uuid4()))
    told = tell(dangol, f"ben-{suffix}", f"{suffix}-4", 9000)
    say(f"after the switch an order of 90.00 brings {len(told['surprises'])} surprises")

    # 7. Nobody has to trust any of it: the seeds were promised before anything was drawn.
    epochs = dangol.call("GET", "/fairness/epochs")
    is_before = epochs["chains"][0]["published_at"] <= epochs["data"][-1]["opened_at"]
    say(f"the anchor was published {'before' if is_before else 'after'} the first draw")


def tell(dangol: Dangol, member: str, order: str, minor: int) -> dict[str, Any]:
    """Tell a paid order of a member's; the answer."""
    dangol.call("PUT", f"/members/{member}", {})
    now = dangol.call("GET", "/test-clock")["now"]
    body = {
        "member_ref": member,
        "status": "paid",
        "currency": "EUR",
        "placed_at": now,
        "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": minor}],
    }
    found: dict[str, Any] = dangol.call("PUT", f"/orders/{order}", body)
    return found


def main() -> int:
    """Play it once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", help="a secret key of a test program with that document")
    parser.add_argument("--print-document", action="store_true")
    arguments = parser.parse_args()
    if arguments.print_document:
        print(json.dumps(DOCUMENT, ensure_ascii=False, indent=2))
        return 0
    if not arguments.key:
        parser.error("--key is required")
    try:
        play(Dangol(arguments.url, arguments.key), suffix=uuid.uuid4().hex[:8])
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
