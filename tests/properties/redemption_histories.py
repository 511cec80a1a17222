"""Histories of redemptions: steps done to a program and to the model of it, and whether the two
agree.

Owns what each step means to either.
"""

from datetime import timedelta
from fractions import Fraction
from typing import Any

from flask import Flask

from tests.independent.ledger_model import RefusedError
from tests.independent.ledger_views import shown
from tests.independent.rewards_model import Policy
from tests.independent.rewards_parts import PAY, WHOLE, Offer, Redemption, Sale
from tests.properties.redemption_steps import (
    DOCUMENT,
    LINES,
    MEMBERS,
    OFFERS,
    PAID,
    PENDING_DAYS,
    START,
    WAITS,
    Step,
)
from tests.properties.redemption_views import Compared
from tests.world import World


class History(Compared):
    """A program and the model of it, and what was told to both."""

    def __init__(self, app: Flask) -> None:
        super().__init__(World(app, **DOCUMENT))
        self.sales: list[Sale] = []
        self.lines: dict[str, list[int]] = {}
        self.bodies: dict[str, list[dict[str, Any]]] = {}
        #: How many halves of a line of an order were refunded.
        self.halves: dict[str, dict[int, int]] = {}
        self.was_paid: set[str] = set()
        for member in MEMBERS:
            self.world.member(member)
            for points, days in ((400, 1), (600, 15), (900, None)):
                self.gift(member, points, days)

    def do(self, step: Step) -> None:
        """One step, if it can be done now, and a look at everything."""
        getattr(self, step.name)(step)
        self.look()

    # Points and time

    def give(self, step: Step) -> None:
        days = (1, 3, 15, 40, None)[step.two % 5]
        self.gift(MEMBERS[step.one % 2], 100 * (step.three % 9 + 1), days)

    def gift(self, member: str, points: int, days: int | None) -> None:
        expires_at = None if days is None else self.now + timedelta(days=days)
        self.note("give", member, points, shown(expires_at))
        body = {"member_ref": member, "points": points, "reason": "goodwill"}
        if expires_at is not None:
            body["expires_at"] = str(shown(expires_at))
        self.world.post("/adjustments", body, status=201)
        self.shop.purse.give(member, points, expires_at)

    def wait(self, step: Step) -> None:
        self.pass_time(step, is_run=True)

    def let_time_pass(self, step: Step) -> None:
        self.pass_time(step, is_run=False)

    def pass_time(self, step: Step, *, is_run: bool) -> None:
        to = self.now + WAITS[step.one % len(WAITS)]
        due = self.shop.purse.next_due(self.now + timedelta(days=30))
        if step.two % 3 == 0 and due is not None and due > self.now:
            # Up to a second before something is due, or to the very instant.
            to = max(self.now, due - timedelta(seconds=step.three % 2))
        if to >= START + timedelta(days=PENDING_DAYS - 1):
            return
        self.note("wait until" if is_run else "unwritten until", shown(to))
        if is_run:
            self.world.post("/test-clock", {"now": shown(to)})
        else:
            self.world.set_clock(str(shown(to)))
        self.is_unwritten = not is_run
        self.shop.purse.move(to)

    # Redemptions

    def hold(self, step: Step) -> None:
        self.begin(OFFERS[step.two % len(OFFERS)], step)

    def pay_with_points(self, step: Step) -> None:
        points = PAID[step.two % len(PAID)]
        self.begin(Offer(PAY, PAY, points, minor=points), step)

    def begin(self, offer: Offer, step: Step) -> None:
        member = MEMBERS[step.one % 2]
        cart = (None, None, "cart-1", "cart-2")[step.three % 4]
        minutes = (5, 30, 30, 24 * 60)[step.three // 4 % 4]
        old = self.shop.open_of_cart(offer, member, cart)
        if old is not None and old.order is not None:
            cart = None
        body: dict[str, Any] = {"member_ref": member, "ttl": f"PT{minutes}M"}
        if cart is not None:
            body["cart_ref"] = cart
        if offer.kind == PAY:
            body["pay_with_points"] = {"points": offer.cost}
        else:
            body["reward"] = offer.key
        self.note("hold", member, offer.key, offer.cost, cart, minutes)
        expected, made = "201", None
        try:
            made = self.shop.hold(offer, member, points=offer.cost, cart=cart, seconds=minutes * 60)
        except RefusedError as refused:
            expected = refused.code
        found = self.send("POST", "/redemptions", body, expected)
        if made is not None:
            self.ids[made] = found["redemption"]["id"]
            self.same("what it takes off", self.worth_of(found), self.worth_modelled(made))

    def worth_of(self, found: Any) -> Any:
        discount = found["redemption"]["discount"]
        return {k: v for k, v in discount.items() if k in ("minor", "percent_bp", "max_minor")}

    def worth_modelled(self, made: Redemption) -> Any:
        offer = made.offer
        if offer.percent:
            return {"percent_bp": offer.percent * 100, "max_minor": offer.most}
        return {"minor": offer.minor} if offer.minor else {}

    def capture(self, step: Step) -> None:
        self.end("capture", step)

    def release(self, step: Step) -> None:
        self.end("release", step)

    def reverse(self, step: Step) -> None:
        self.end("reverse", step)

    def end(self, how: str, step: Step) -> None:
        one = self.some(step.one, "captured" if how == "reverse" else "held", step.two)
        if one is None:
            return
        policy: Policy = "grace" if step.three % 2 else "strict"
        body: dict[str, Any] = {}
        expected = "200"
        ref = self.order_ref(step) if how == "capture" else None
        self.note(how, one.number, policy, ref)
        try:
            if how == "reverse":
                body = {"reason": "fault", "policy": policy}
                self.shop.reverse(one, policy)
            elif how == "release":
                self.shop.give_up(one)
            else:
                body = {} if ref is None else {"order_ref": ref}
                self.shop.capture(one, ref)
        except RefusedError as refused:
            expected = refused.code
        self.send("POST", f"/redemptions/{self.ids[one]}/{how}", body, expected)

    def order_ref(self, step: Step) -> str | None:
        """By which order something is captured: none, one of the last or the next one."""
        known = [sale.ref for sale in self.sales[-3:]] + [f"A-{len(self.sales)}"]
        return known[step.two % len(known)] if step.three // 2 % 2 else None

    def some(self, pick: int, state: str, any_pick: int) -> Redemption | None:
        """One of the last few in a state, sometimes one in any."""
        found = [one for one in self.shop.redemptions if one.state == state or any_pick % 6 == 0]
        return found[-1 - pick % min(4, len(found))] if found else None

    def move_stock(self, step: Step) -> None:
        change = (1, 2, -1)[step.one % 3]
        if self.shop.stock["mug"] + change < 0:
            return
        self.note("stock", change)
        self.shop.stock["mug"] += change
        self.send("POST", "/rewards/mug/stock", {"change": change, "reason": "count"}, "200")

    # Codes

    def redeem(self, step: Step) -> None:
        one = self.coded(step)
        if one is None:
            return
        ref, minor = f"till-{step.two % 3}", 500 * (step.three % 3 + 1)
        expected = "200" if ref in one.uses else "201"
        self.note("redeem", one.number, ref, minor)
        try:
            self.shop.redeem(one, ref, minor)
        except RefusedError as refused:
            expected = refused.code
        body = {"order_ref": ref, "order_minor": minor}
        self.send("POST", f"/vouchers/{one.code}/redeem", body, expected)

    def give_code_back(self, step: Step) -> None:
        used = [one for one in self.shop.redemptions if any("till" in ref for ref in one.uses)]
        if not used:
            return
        one = used[step.one % len(used)]
        ref = next(ref for ref in one.uses if "till" in ref)
        self.note("give code back", one.number, ref)
        self.shop.give_code_back(one, ref)
        self.send("POST", f"/vouchers/{one.code}/release", {"order_ref": ref}, "200")

    def coded(self, step: Step) -> Redemption | None:
        """One with a code; seldom one that is void, since wrong guesses are counted."""
        states = ("held", "captured", "expired" if step.three % 4 == 0 else "captured")
        found = [one for one in self.shop.redemptions if one.code and one.state in states]
        found = [one for one in found if one.stands or one.offer.code != "pool"]
        return found[-1 - step.one % min(4, len(found))] if found else None

    # Orders

    def order(self, step: Step) -> None:
        member = MEMBERS[step.one % 2]
        sale = Sale(
            f"A-{len(self.sales)}", member, self.now, ("paid", "pending")[step.one // 2 % 2]
        )
        self.sales.append(sale)
        self.lines[sale.ref] = list(LINES[step.two % len(LINES)])
        for pick in (step.two // 3, step.two // 50):
            self.name(sale, pick)
        coupons = [o for o in self.shop.redemptions if self.is_own_coupon(o, sale)]
        if coupons and step.three % 3 == 0:
            sale.codes.append(coupons[-1 - step.three % min(3, len(coupons))])
        cards = [one for one in self.shop.redemptions if one.code and one.offer.is_card]
        cards = [o for o in cards if o.stands and o.remaining and o not in sale.named]
        if cards and step.three % 2 == 0:
            sale.card = cards[step.three % len(cards)]
            sale.card_minor = 500 * (step.three // 2 % 5 + 1)
        self.tell(sale)

    def is_own_coupon(self, one: Redemption, sale: Sale) -> bool:
        is_coupon = one.code is not None and not one.offer.is_card and one.stands
        return is_coupon and one.hold.member == sale.member and one not in sale.named

    def name(self, sale: Sale, pick: int, *, is_payer_named: bool = True) -> None:
        if pick % 3 == 0 or not self.shop.redemptions:
            return
        recent = self.shop.redemptions[-6:]
        one = recent[pick // 3 % len(recent)]
        is_payer = one.offer.kind == PAY
        if is_payer and (sale.points_minor or not is_payer_named):
            return
        if one not in [*sale.named, *sale.codes, sale.card]:
            sale.named.append(one)

    def recent(self, pick: int) -> Sale | None:
        """One of the last few orders."""
        return self.sales[-1 - pick % min(4, len(self.sales))] if self.sales else None

    def change_status(self, step: Step) -> None:
        sale = self.recent(step.one)
        if sale is None:
            return
        others = ["paid", "cancelled", "cancelled", "fulfilled"]
        if sale.ref not in self.was_paid:
            others.append("pending")
        sale.status = others[step.two % len(others)]
        self.tell(sale)

    def name_otherwise(self, step: Step) -> None:
        sale = self.recent(step.one)
        # Refund figures are in terms of the line's net, which points as a discount change.
        if sale is None or sale.refunded or sale.points_minor:
            return
        if sale.named and step.two % 2:
            sale.named.pop()
        else:
            self.name(sale, step.three, is_payer_named=False)
        self.tell(sale)

    def tell(self, sale: Sale) -> None:
        self.note(
            *("order", sale.ref, sale.member, sale.status),
            *("names", [one.number for one in sale.named]),
            *("codes", [one.number for one in sale.codes]),
            *("card", sale.card and sale.card.number, sale.card_minor),
        )
        body = self.body(sale)
        self.bodies.setdefault(sale.ref, []).append(body)
        if sale.status in ("paid", "fulfilled"):
            self.was_paid.add(sale.ref)
        problems = self.shop.tell(sale)
        answer = self.world.put(f"/orders/{sale.ref}", body)
        self.same("problems", sorted(one["code"] for one in answer["problems"]), problems)

    def body(self, sale: Sale) -> dict[str, Any]:
        paid = sale.points_minor
        is_discount = int(sale.ref[2:]) % 2 == 1
        payments: list[dict[str, Any]] = []
        for one in sale.named if not is_discount else []:
            if one.offer.kind == PAY:
                how = {"kind": "points", "amount_minor": paid, "redemption_id": self.ids[one]}
                payments.append(how)
        if sale.card is not None:
            how = {"kind": "gift_card", "amount_minor": sale.card_minor, "code": sale.card.code}
            payments.append(how)
        rest = WHOLE - paid - sale.card_minor
        payments.append({"kind": "card", "amount_minor": rest})
        by_payment = [one for one in sale.named if one.offer.kind == PAY and not is_discount]
        return {
            "member_ref": sale.member,
            "status": sale.status,
            "currency": "EUR",
            "placed_at": shown(sale.paid_at),
            "revision": self.number(),
            "lines": [
                {"line_ref": str(number), "quantity": 1, "unit_price_minor": minor}
                for number, minor in enumerate(self.lines[sale.ref])
            ],
            "discount_minor": paid if is_discount else 0,
            "payments": payments,
            "redemptions": [self.ids[one] for one in sale.named if one not in by_payment],
            "codes": [one.code for one in sale.codes],
        }

    def refund(self, step: Step) -> None:
        sale = self.recent(step.one)
        if sale is None or not sale.stands or sale.is_short:
            return
        lines, halves = self.lines[sale.ref], self.halves.setdefault(sale.ref, {})
        line = step.two % len(lines)
        count = min(step.three % 2 + 1, 2 - halves.get(line, 0))
        if not count:
            return
        halves[line] = halves.get(line, 0) + count
        is_discount = int(sale.ref[2:]) % 2 == 1
        part = Fraction(lines[line] * count, 2)
        amount = part * (WHOLE - sale.points_minor) / WHOLE if is_discount else part
        assert amount.denominator == 1
        self.note("refund", sale.ref, line, int(amount))
        sale.refunded += part / WHOLE
        told = [{"line_ref": str(line), "amount_minor": int(amount)}]
        path = f"/orders/{sale.ref}/refunds/R-{self.number()}"
        before = self.returned(sale)
        self.shop.tell(sale)
        answer = self.world.put(path, {"refunded_at": shown(self.now), "lines": told})
        self.same("points returned", answer["points_returned"], self.returned(sale) - before)

    def returned(self, sale: Sale) -> int:
        own = [one for one in self.shop.redemptions if one.is_unnamed and one.order == sale.ref]
        own = [one for one in own if one.hold.member == sale.member]
        return sum(one.returned for one in [*sale.named, *own])

    def repeat(self, step: Step) -> None:
        """The newest message once more: nothing changes."""
        sale = self.recent(step.one)
        if sale is not None:
            self.note("repeat", sale.ref)
            self.world.put(f"/orders/{sale.ref}", self.bodies[sale.ref][-1])

    def tell_late(self, step: Step) -> None:
        """A message that was overtaken: nothing changes."""
        sale = self.recent(step.one)
        if sale is not None and len(self.bodies[sale.ref]) > 1:
            self.note("late", sale.ref)
            answer = self.world.put(f"/orders/{sale.ref}", self.bodies[sale.ref][0])
            self.same("staleness", answer["stale"], True)

    def close(self) -> None:
        """Nothing is lost: when all is undone, what was given and has not expired is there."""
        for sale in self.sales:
            sale.status = "cancelled"
            self.tell(sale)
        for one in self.shop.redemptions:
            for ref in list(one.uses):
                self.shop.give_code_back(one, ref)
                self.send("POST", f"/vouchers/{one.code}/release", {"order_ref": ref}, "200")
        for one in self.shop.redemptions:
            if one.stands:
                how = "release" if one.state == "held" else "reverse"
                getattr(self.shop, how)(one)
                body = {"reason": "end"} if how == "reverse" else {}
                self.send("POST", f"/redemptions/{self.ids[one]}/{how}", body, "200")
        self.look()
        self.same("proof", self.world.verify()["mismatches"], [])
