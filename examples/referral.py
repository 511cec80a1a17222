"""A referral from the link to the claw-back: an advocate, a friend, a bot and a cheat.

    python -m examples.referral --url http://127.0.0.1:8000 --key sk_test_...

Needs nothing but the standard library and a test program with the document that
`--print-document` prints: its clock is moved over the fourteen days of the hold.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

from examples.checkout import Dangol, Refused, money, say

BROWSER = (
    "Mozilla/5.0 (Linux; Android 15; SM-S921N) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile"
    " Safari/537.36"
)
PREVIEW = "kakaotalk-scrap/1.0; +https://devtalk.kakao.com/"

#: 500 points for whoever brings a friend, 300 for the friend, once 50.00 were spent and kept for
#: fourteen days.
DOCUMENT: dict[str, Any] = {
    "name": "Referral example",
    "timezone": "Asia/Seoul",
    "currency": "EUR",
    "points": [{"key": "points"}],
    "earning": {"rules": []},
    "referral_offers": [
        {
            "key": "friends",
            "name": {"en": "Bring a friend", "ko": "친구 초대"},
            "advocate": [{"do": "add_points", "points": 500}],
            "friend": [{"do": "add_points", "points": 300}],
            "qualifies": {"min_net_minor": 5000},
            "hold": "P14D",
            "landing_url": "https://shop.example/welcome",
        }
    ],
}


class _Stay(urllib.request.HTTPRedirectHandler):
    """A browser that looks where it is sent, and does not go."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def click(url: str, *, agent: str) -> str | None:
    """Open a link; the token that the landing page is given, or None."""
    request = urllib.request.Request(url, headers={"User-Agent": agent})
    try:
        urllib.request.build_opener(_Stay).open(request, timeout=10)
    except urllib.error.HTTPError as answer:
        found = parse_qs(urlsplit(answer.headers["Location"]).query).get("rt")
        return found[0] if found else None
    raise AssertionError("a link redirects")


def play(dangol: Dangol, url: str, *, suffix: str) -> None:
    """The story of one link."""
    anna, ben = f"anna-{suffix}", f"ben-{suffix}"

    # 1. A member's link. The storefront shows it, or one of the ready texts to share.
    dangol.call("PUT", f"/members/{anna}", {"email": f"anna.{suffix}@gmail.com", "name": "Anna"})
    link = dangol.call("POST", f"/members/{anna}/links", {}, idempotency_key=str(uuid.uuid4()))
    say(f"Anna's code has {len(link['code'])} symbols; KakaoTalk looks at the link before anybody")

    # 2. A messenger fetches a preview: nobody clicked, so there is no token.
    at = f"{url.rstrip('/')}/r/{link['code']}?ch=kakao"
    say(f"the preview gets {click(at, agent=PREVIEW) or 'no token'}")

    # 3. Ben clicks. The landing page hands the token on when he signs up.
    token = click(at, agent=BROWSER)
    joined = dangol.call(
        "PUT",
        f"/members/{ben}",
        {"email": f"{suffix}@naver.com", "name": "Ben", "referral": {"token": token}},
    )
    say(f"Ben signs up: {joined['referral']['state']}")

    # 4. His orders. One is too small, the next qualifies and is held for fourteen days.
    small = tell(dangol, ben, f"{suffix}-1", 4000)
    say(f"40.00: {small['reason']}, {money(small['missing_minor'])} are missing")
    say(f"60.00: {tell(dangol, ben, f'{suffix}-2', 6000)['state']}")

    # 5. Anna tries to be her own friend, a stranger guesses codes, another forges a token.
    for who, member, fields in (
        ("Anna's second mailbox", "cheat", {"email": f"an.na.{suffix}+2@googlemail.com"}),
        ("a guesser", "guesser", {"referral": {"code": "0000-0000"}}),
        ("a forger", "forger", {"referral": {"token": f"{token}x"}}),
    ):
        body = {"referral": {"code": link["code"]}} | fields
        told = dangol.call("PUT", f"/members/{member}-{suffix}", body)["referral"]
        say(f"{who}: {told['state']}, {told['reason']}")

    # 6. The hold ends: both are paid.
    dangol.call("POST", "/test-clock", {"advance": "P14D"}, idempotency_key=str(uuid.uuid4()))
    say(f"after fourteen days Anna has {balance(dangol, anna)} and Ben {balance(dangol, ben)}")

    # 7. Ben sends half of it back: less than the minimum is left, so both give back what they got.
    now = dangol.call("GET", "/test-clock")["now"]
    refund = {"refunded_at": now, "amount_minor": 3000}
    order = f"/orders/{suffix}-2/refunds/r1"
    preview = dangol.call("PUT", f"{order}?dry_run=true", refund)["referral"]
    going = sum(one["points"] for side in preview["sides"] for one in side["reversed"])
    say(f"a refund of 30.00 would take back {going} points")
    dangol.call("PUT", order, refund)
    say(f"after it Anna has {balance(dangol, anna)} and Ben {balance(dangol, ben)}")

    # 8. What staff sees of it.
    [referral] = dangol.call("GET", f"/members/{anna}/referrals")["data"][-1:]
    log = dangol.call("GET", f"/referrals/{referral['id']}")["transitions"]
    say(" > ".join(dict.fromkeys(one["to"] for one in log)))


def tell(dangol: Dangol, member: str, order: str, minor: int) -> dict[str, Any]:
    """Tell a paid order; what became of the referral."""
    now = dangol.call("GET", "/test-clock")["now"]
    body = {
        "member_ref": member,
        "status": "paid",
        "currency": "EUR",
        "placed_at": now,
        "paid_at": now,
        "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": minor}],
    }
    found: dict[str, Any] = dangol.call("PUT", f"/orders/{order}", body)["referral"]
    return found


def balance(dangol: Dangol, member: str) -> int:
    """Available points."""
    found: int = dangol.call("GET", f"/members/{member}/balances")["data"][0]["available"]
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
        play(Dangol(arguments.url, arguments.key), arguments.url, suffix=uuid.uuid4().hex[:8])
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
