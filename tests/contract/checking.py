"""What contract tests ask of an answer and of the database behind it."""

import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from flask import Flask

from core.auth import OPEN
from server import access
from tests.world import World, document, line, order


def problem(response: Any, status: int, code: str) -> Any:
    """The body of a problem, once it has been found to be the one expected."""
    told = response.get_data(as_text=True)
    assert response.status_code == status, told
    assert response.mimetype == "application/problem+json", told
    body = response.json
    assert body["status"] == status
    assert body["code"] == code, told
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert body["title"] and body["detail"] and body["type"].endswith(f"#{code}")
    return body


def send(world: World, method: str, path: str, body: Any) -> Any:
    """A request whose body may hold what our own writer refuses: lone surrogates, huge integers."""
    return world.app.test_client().open(
        f"/v1{path}",
        method=method,
        data=json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {world.key}", "Idempotency-Key": "sent-1"},
    )


def pointers(body: Any) -> list[str]:
    """Where the findings of a problem point to."""
    return [one["pointer"] for one in body.get("errors", [])]


@functools.cache
def _rows_of_every_table() -> dict[str, sa.Select[Any]]:
    """Made once: making and naming them anew takes longer than running them."""
    from core import db

    return {
        name: sa.select(table).where(table.c.program_id == sa.bindparam("program_id"))
        for name, table in db.Base.metadata.tables.items()
        if "program_id" in table.columns
    }


def rows(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that the program has, by table: equal before and after means nothing changed."""
    from core import db, ids

    program_id = ids.read_id("prg", world.program_id)

    def read(connection: sa.Connection) -> dict[str, list[tuple[Any, ...]]]:
        own = {"program_id": program_id}
        return {
            name: sorted((tuple(row) for row in connection.execute(statement, own)), key=repr)
            for name, statement in _rows_of_every_table().items()
        }

    with world.app.app_context():
        return db.reading(read)


def addresses(app: Flask, arguments: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and address of every route that asks for a secret key; an argument that is
    not given is `unknown`. tests/widget looks at those for browsers."""
    for endpoint, method, path in closed(app, arguments):
        if access.TABLE[endpoint].kind == "secret":
            yield endpoint, method, path


def is_for_browsers(path: str) -> bool:
    """Whether no secret key opens an address of the contract: tests/widget looks at those."""
    return path == "/v1/me" or path.startswith(("/v1/me/", "/v1/public/"))


def closed(app: Flask, arguments: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The same of every route that asks for a key or a token of any kind."""
    for rule in app.url_map.iter_rules():
        if access.TABLE.get(rule.endpoint, OPEN).is_open:
            continue
        path = re.sub(
            r"<(?:[^:>]+:)?([^>]+)>", lambda match: arguments.get(match[1], "unknown"), rule.rule
        )
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield rule.endpoint, method, path


#: Sections of a program in which there is something to redeem; the reward's key is a rule's too.
REWARDS: dict[str, Any] = {
    "rewards": [
        {
            "key": "base",
            "kind": "discount_amount",
            "value": {"minor": 500},
            "cost_points": 1,
            "stock": 1000,
        },
        {
            "key": "parcel",
            "kind": "custom",
            "needs_fulfilment": True,
        },
    ],
    "pay_with_points": {"min_points": 1},
    "segments": [{"key": "base"}],
    "referral_offers": [
        {
            "key": "friends",
            "landing_url": "https://shop.example.org/hello",
            "advocate": [{"do": "add_points", "points": 5}],
            "friend": [{"do": "add_points", "points": 5}],
            "milestones": [{"at": 3, "effects": [{"do": "add_points", "points": 10}]}],
        }
    ],
    "surprises": [
        {
            "key": "luck",
            # A note alone: what the others do with points is their own affair.
            "prizes": [{"note": {"en": "Thank you, {{member.name}}!"}}],
        }
    ],
}


class Known:
    """A world with something behind every address, and a body that every route accepts."""

    def __init__(self, world: World) -> None:
        from core import clock
        from webhooks import deliveries

        self.world = world
        self.numbers = itertools.count()
        for ref in ("mina", "jun", "twin", "leaver"):
            world.member(ref)
        hook = {"url": "https://hooks.example.org/", "types": ["points.earned"]}
        told_of = world.post("/webhook-endpoints", hook, status=201)
        world.publish(**REWARDS)
        told = world.order("K-1", 5000)
        visit = {"member_ref": "mina", "kind": "visit", "occurred_at": "2026-03-01T10:00:00Z"}
        world.put("/activities/V-1", visit)
        with world.app.app_context():
            while not (sent := world.get("/webhook-deliveries")["data"]):
                assert deliveries.dispatch_due(clock.system_now())
        spare = world.post("/webhook-endpoints", hook, status=201)
        today = clock.format_instant(clock.system_now())
        self.token = world.order("G-1", 700, member_ref=None, placed_at=today)["claim_token"]
        lost_key = world.post("/keys", {"name": "lost", "scopes": ["read"]}, status=201)
        seen = world.order("J-1", 500, member_ref="jun")["surprises"][0]["draw_id"]
        held = {"member_ref": "jun", "reward": "base"}
        redeemed = [
            world.post("/redemptions", held, status=201)["redemption"]["id"] for _ in range(4)
        ]
        answer = world.call("POST", "/members/jun/tokens", {"expires_in": 3600})
        self.member_token = answer.json["token"]
        world.post(f"/redemptions/{redeemed[2]}/capture", {})
        gift = {"member_ref": "jun", "reward": "base", "reason": "late"}
        grants = [world.post("/grants", gift, status=201)["grant"]["id"] for _ in range(2)]
        parcel = gift | {"reward": "parcel", "is_sent": True}
        world.post("/grants", parcel, status=201)
        card = {"kind": "gift_card", "minor": 5000}
        codes = [world.post("/vouchers", card, status=201)["voucher"]["code"] for _ in range(3)]
        for code in codes[:2]:
            used = {"order_ref": "K-1", "order_minor": 10}
            world.post(f"/vouchers/{code}/redeem", used, status=201)
        world.put("/voucher-pools/base", {"codes": ["CINEMA-1111"]})
        tried = {"version": 1, "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}
        backtests = [world.post("/backtests", tried, status=202)["id"] for _ in range(2)]
        exported = world.post("/payables/exports", {}, status=201)["export"]["id"]
        link = world.post("/members/mina/links", {}, status=201)
        referred = self._refer(link["code"])
        self.arguments = {
            "code": codes[0],
            "link_code": link["code"],
            "referral_id": referred["undo"],
            "grant_id": grants[0],
            "export_id": exported,
            "backtest_id": backtests[0],
            "fulfilment_id": world.get("/fulfilments")["data"][0]["id"],
            "redemption_id": redeemed[0],
            "member_ref": "mina",
            "order_ref": "K-1",
            "refund_ref": "R-1",
            "activity_ref": "V-1",
            "decision_id": told["decision_id"],
            "draw_id": told["surprises"][0]["draw_id"],
            "number": self._close_epoch(),
            "surprise_id": seen,
            "entry_id": world.get("/members/mina/entries")["data"][0]["id"],
            "section": "rules",
            "key": "base",
            "version": "2",
            "key_id": lost_key["id"],
            "endpoint_id": told_of["id"],
            "delivery_id": sent[0]["id"],
        }
        #: What a request uses up is not what the others are about.
        self.spare = {
            "granting.revoke_grant": {"grant_id": grants[1]},
            "redemptions.release_redemption": {"redemption_id": redeemed[1]},
            "vouchers.release_voucher": {"code": codes[1]},
            "vouchers.void_voucher": {"code": codes[2]},
            "widget.release_mine": {"redemption_id": redeemed[3]},
            "redemptions.reverse_redemption": {"redemption_id": redeemed[2]},
            "backtests.delete_backtest": {"backtest_id": backtests[1]},
            "membership.erase_member": {"member_ref": "leaver"},
            "membership.merge_members": {"member_ref": "twin"},
            "webhooks.delete_endpoint": {"endpoint_id": spare["id"]},
            "referrals.approve_referral": {"referral_id": referred["approve"]},
            "referrals.reject_referral": {"referral_id": referred["reject"]},
            "referrals.block_referral": {"referral_id": referred["block"]},
            "referrals.trust_household": {"referral_id": referred["trust"]},
        }

    def _close_epoch(self) -> str:
        """The epoch of what was drawn so far, as if its day were over."""
        from core import db, ids
        from rewards.luck.models import EPOCHS
        from storefront.fairness import closing

        program_id = ids.read_id("prg", self.world.program_id)
        assert program_id is not None
        over = sa.update(EPOCHS).where(EPOCHS.c.program_id == program_id).values(ends_at=0)
        with self.world.app.app_context():
            db.in_transaction(lambda connection: connection.execute(over))
            assert closing.settle_due(program_id) == 1
        return "1"

    def _refer(self, code: str) -> dict[str, str]:
        """A referral for each decision of a reviewer: those to be cleared look like the advocate
        herself, who is not blocked with whom she did not bring; of one a decision was made before.
        """
        self.world.put("/members/mina", {"visitor": {"payment_fingerprint": "one"}})
        other = self.world.post("/members/jun/links", {}, status=201)["code"]
        seen = {"visitor": {"payment_fingerprint": "one"}}
        found = {}
        for action in ("approve", "reject", "block", "trust", "undo"):
            more = seen if action in ("approve", "trust") else {}
            told = {"referral": {"code": other if action == "block" else code}}
            answer = self.world.put(f"/members/to-{action}", told | more)
            found[action] = answer["referral"]["id"]
        self.world.post(f"/referrals/{found['undo']}/reject", {"reason": "a mistake"})
        return found

    def credential(self, path: str) -> str:
        """The key or token that an address of the contract asks for."""
        if path.startswith("/v1/public/"):
            return self.world.publishable_key
        if path == "/v1/me" or path.startswith("/v1/me/"):
            return str(self.member_token)
        return self.world.key

    def requests(self) -> Iterator[tuple[str, str, str, Any]]:
        """Endpoint, method, address and an acceptable body of every route that asks for a key."""
        bodies = self.bodies()
        usual = {one: path for one, _, path in addresses(self.world.app, self.arguments)}
        usual |= {
            endpoint: next(
                path
                for one, _, path in closed(self.world.app, self.arguments | arguments)
                if one == endpoint
            )
            for endpoint, arguments in self.spare.items()
        }
        usual["storefront.get_why"] += "?source=order:K-1"
        usual["vouchers.list_vouchers"] += "?member_ref=mina"
        for endpoint, method, _ in addresses(self.world.app, {}):
            yield endpoint, method, usual[endpoint].removeprefix("/v1"), bodies.get(endpoint)

    def bodies(self) -> dict[str, Any]:
        """An acceptable body by endpoint, with its nested objects filled in."""
        cart = {"currency": "EUR", "lines": [line("1", 1000)]}
        hook = {"url": "https://hooks.example.org/", "types": ["points.*"], "description": "ours"}
        lot = {"points_key": "points", "points": 5, "earned_at": "2025-01-01T00:00:00Z"}
        payment = {"kind": "card", "amount_minor": 1000}
        return {
            "program.put_draft": document(name="Renamed", **REWARDS),
            "program.patch_draft": [{"op": "test", "path": "/name", "value": "Bloom"}],
            "program.put_draft_item": document()["earning"]["rules"][0],
            "program.publish_draft": {"note": "why"},
            "program.throw_switch": {
                "section": "rules",
                "key": "base",
                "state": "live",
                "reason": "back",
            },
            "program_impact.preview_impact": {"orders": 10},
            "webhooks.create_endpoint": hook,
            "webhooks.change_endpoint": hook | {"state": "enabled"},
            "keys.create_key": {"name": "another", "scopes": ["read"]},
            "storefront.put_member": {"name": "Mina", "email": "mina@example.org"},
            "storefront.search_members": {"email": "mina@example.org"},
            "storefront.put_order": order(5000, payments=[payment | {"amount_minor": 5000}]),
            "storefront.put_orders": {"orders": [order(5000, order_ref="K-1")]},
            "storefront.put_refund": {
                "refunded_at": "2026-03-05T10:00:00Z",
                "status": "succeeded",
                "lines": [{"line_ref": "1", "quantity": 1, "amount_minor": 1000}],
                "shipping_minor": 0,
                "payments": [payment],
            },
            "storefront.quote": {"member_ref": "mina", "cart": cart, "at": "2026-03-01T10:00:00Z"},
            "membership.put_members": {
                "members": [
                    {
                        "member_ref": "moved",
                        "is_history": True,
                        "opening": {"lots": [lot], "lifetime_earned": 5},
                    }
                ]
            },
            "activities.put_activity": {
                "member_ref": "mina",
                "kind": "visit",
                "occurred_at": "2026-03-01T10:00:00Z",
                "facts": {"minutes": 20},
                "status": "done",
            },
            "membership.merge_members": {"into_member_ref": "jun"},
            "membership.set_tier": {"key": None, "until": None, "reason": "over"},
            "membership.claim_order": {"token": self.token, "member_ref": "mina"},
            "points.post_adjustment": {
                "member_ref": "mina",
                "points_key": "points",
                "points": 5,
                "reason": "sorry",
                "note": "late",
                "counts_for_tier": False,
                "expires_at": "2999-01-01T00:00:00Z",
                "expected_version": 1,
                "allow_negative": False,
            },
            "points.post_transfer": {
                "from_member_ref": "mina",
                "to_member_ref": "jun",
                "points_key": "points",
                "points": 1,
                "reason": "a gift",
            },
            "links.post_link": {"offer": "friends", "channel": "kakao"},
            "clicks.post_click": {
                "code": self.arguments["link_code"],
                "channel": "kakao",
                "visitor": {"ip": "203.0.113.9", "user_agent": "Mozilla/5.0", "device": "d-1"},
                "occurred_at": "2026-03-01T10:00:00Z",
            },
            "referrals.bring_by_hand": {
                "friend": "jun",
                "advocate": "mina",
                "offer": "friends",
                "reason": "they told us at the till",
                "is_confirmed": True,
            },
            "referrals.approve_referral": {"reason": "siblings"},
            "referrals.reject_referral": {"reason": "one person"},
            "referrals.block_referral": {"reason": "many people", "who": "friend"},
            "referrals.trust_household": {"reason": "siblings"},
            "referrals.undo_review": {"reason": "a mistake"},
            "backtests.ask_backtest": {
                "draft": True,
                "from": "2026-03-01T00:00:00Z",
                "to": "2026-03-02T00:00:00Z",
                "seeds": 1,
            },
            "points.move_test_clock": {"advance": "PT1S"},
            "widget.issue_token": {"expires_in": 600},
            "redemptions.post_redemption": {
                "member_ref": "mina",
                "reward": "base",
                "cart": cart,
                "cart_ref": "cart-1",
                "ttl": "PT10M",
            },
            "granting.post_grant": {
                "member_ref": "mina",
                "reward": "base",
                "reason": "late",
                "expires_at": "2999-01-01T00:00:00Z",
                "is_sent": False,
            },
            "granting.revoke_grant": {"reason": "sent twice"},
            "payables.post_export": {"until": "2026-03-01T10:00:00Z"},
            "granting.change_fulfilment": {"state": "shipped", "carrier": "CJ", "cost_minor": 5},
            "redemptions.capture_redemption": {"order_ref": "K-1"},
            "redemptions.reverse_redemption": {"reason": "broken", "policy": "grace"},
            "redemptions.move_stock": {"change": 5, "reason": "delivered"},
            "vouchers.redeem_voucher": {
                "order_ref": "K-1",
                "member_ref": "mina",
                "order_minor": 10,
                "visitor": {"ip": "203.0.113.9"},
            },
            "vouchers.release_voucher": {"order_ref": "K-1"},
            "vouchers.void_voucher": {"reason": "lost"},
            "vouchers.sell_voucher": {
                "kind": "gift_card",
                "minor": 500,
                "member_ref": "mina",
                "order_ref": "K-1",
                "expires_at": "2999-01-01T00:00:00Z",
            },
            "vouchers.put_pool": {"codes": ["CINEMA-1111"]},
        }
