"""What a storefront is shown of members who redeem, and the same as the model has it.

Owns the comparison of the two, and what was done so far for whoever reads a failure.
"""

from datetime import datetime
from typing import Any

from tests.independent.ledger_terms import Terms
from tests.independent.ledger_views import (
    balances_modelled,
    balances_shown,
    lots_modelled,
    lots_shown,
    shown,
)
from tests.independent.rewards_model import Purse, Shop
from tests.independent.rewards_parts import Redemption
from tests.properties.redemption_steps import MEMBERS, OFFERS, PENDING_DAYS, POOL, START, STOCK
from tests.world import World


class Compared:
    """A program and the model of it, and what each redemption of the model is there."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.world.set_clock(str(shown(START)))
        self.world.put("/voucher-pools/winter", {"codes": POOL})
        self.shop = Shop(Purse(Terms(pending_days=PENDING_DAYS), START), dict(STOCK), len(POOL))
        self.ids: dict[Redemption, str] = {}
        self.numbers = 0
        #: Whether the clock moved without what fell due being written.
        self.is_unwritten = False
        self.log: list[str] = []

    @property
    def now(self) -> datetime:
        return self.shop.purse.now

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def note(self, *words: Any) -> None:
        self.log.append(f"{shown(self.now)} " + " ".join(str(word) for word in words))

    def send(self, method: str, path: str, body: Any, expected: str) -> Any:
        """A request that must end with this status, or with this problem of 404 or 409."""
        headers = {"Idempotency-Key": f"step-{self.number()}"}
        response = self.world.call(method, path, body, headers=headers)
        found = response.json
        is_done = response.status_code in (200, 201)
        told = str(response.status_code) if is_done else found.get("code")
        if told != expected:
            raise AssertionError(f"{method} {path}: {told}, not {expected}: {found}")
        return found

    def same(self, what: str, product: Any, model: Any) -> None:
        if product != model:
            raise AssertionError(f"{what}: the product has {product}, the model {model}")

    def look(self) -> None:
        self.shop.check()
        for member in MEMBERS:
            get, purse = self.world.get, self.shop.purse
            self.same("balances", balances_shown(get, member), balances_modelled(purse, member))
            self.same("lots", lots_shown(get, member), lots_modelled(purse, member))
            self.look_at_catalogue(member)
        rows = {one["id"]: one for one in self.world.get("/redemptions?limit=100")["data"]}
        for one, shown_id in self.ids.items():
            row = rows.pop(shown_id)
            self.same(f"state of {one.number}", row["state"], one.state)
            self.same(f"points of {one.number}", row["points"], one.points)
            if row["voucher"] is not None:
                one.code = row["voucher"]["code"]
            if one.offer.code != "none":
                self.look_at_code(one)
        self.same("redemptions", rows, {})
        taken = [one.code for one in self.ids if one.offer.code == "pool" and one.stands]
        assert len(set(taken)) == len(taken) and set(taken) <= set(POOL)

    def look_at_code(self, one: Redemption) -> None:
        # Where a pool's code went that was given up is its next owner's business.
        if one.offer.code == "pool" and not one.stands:
            return
        found = self.world.get(f"/vouchers/{one.code}")
        self.same(f"code of {one.number}", found["state"], one.code_state)
        if one.offer.is_card and one.stands:
            self.same(f"rest of {one.number}", found["remaining_minor"], one.remaining)

    def look_at_catalogue(self, member: str) -> None:
        listed = {one["key"]: one for one in self.world.get(f"/members/{member}/rewards")["data"]}
        for offer in OFFERS:
            item = listed[offer.key]
            reasons = [one["code"] for one in item["unavailable_reasons"]]
            expected = self.shop.reasons(offer, member)
            if self.is_unwritten and reasons != expected:
                # Limits and pools of others' holds that ran out are free for whoever redeems; the
                # list says so once that is written.
                reasons = [one for one in reasons if one in expected]
                self.same(f"{offer.key} for {member}, about", reasons, expected)
                continue
            self.same(f"{offer.key} for {member}", reasons, expected)
            self.same("availability", item["is_available"], not expected)
        self.same("stock", listed["mug"]["stock_left"], self.shop.left("mug"))
