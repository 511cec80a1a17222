"""Histories: steps done to a program and to the model of it, and whether the two agree.

Owns what each step means, and what of the product is compared with what of the model.
"""

import copy
import random  # noqa: TID251
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask

from tests.independent.ledger_views import shown
from tests.independent.program_ladder import FOR_EVER, TICK
from tests.independent.program_model import Model
from tests.independent.program_parts import Source
from tests.properties import program_worlds
from tests.properties.program_steps import WAITS, Step, Told
from tests.world import World, points

MEMBERS = ("mina", "jun")
START = datetime(2026, 10, 20, 3, tzinfo=UTC)


class DivergedError(AssertionError):
    """The product and the model do not agree."""


def play(app: Flask, number: int, steps: list[Step], *, is_verified: bool = False) -> str | None:
    """Live through a history, verifying at the end or also after each step; where they part."""
    history = History(app, program_worlds.draw(random.Random(f"program {number}")))
    try:
        for step in steps:
            history.do(step)
            if is_verified:
                history.verify()
        history.close()
    except AssertionError as error:
        told = "\n".join(history.log)
        return f"{error}\n{told}\n{history.document}"
    return None


class History:
    """A program and its model, and what was told to both."""

    def __init__(self, app: Flask, document: dict[str, Any]) -> None:
        self.document = document
        self.world = World(app, **document)
        self.world.set_clock(str(shown(START)))
        self.model = Model(document, START, MEMBERS)
        self.orders: list[Told] = []
        self.activities: list[Told] = []
        self.log: list[str] = []
        self.members = self.model.members.items()
        self.keys = 0
        for name in MEMBERS:
            self.world.member(name)

    def do(self, step: Step) -> None:
        """One step, if it can be done now, and a look at everything."""
        getattr(self, "_" + step.name.replace(" ", "_"))(step)
        self.look()

    def note(self, *words: Any) -> None:
        """For whoever reads a history that failed."""
        self.log.append(f"{shown(self.model.now)} " + " ".join(str(word) for word in words))

    # Orders

    def _order(self, step: Step) -> None:
        self._place(step, self.model.now)

    def _late_order(self, step: Step) -> None:
        days = (0.2, 1, 3, 10, 40)[step.three % 5]
        self._place(step, self.model.now - timedelta(days=days))

    def _place(self, step: Step, at: datetime) -> None:
        lines = [100 * (step.one % 70 + 1)]
        if step.two % 3 == 0:
            lines.append(100 * (step.two % 40 + 1))
        self.orders.append(self._new(lines, MEMBERS[step.three % 2], at))
        told = self.orders[-1]
        if at == self.model.now and step.two % 4 == 0:
            told.source.net = told.left
            quote = self.world.quote(
                *told.lines, at=str(shown(at)), member_ref=told.source.member, currency="EUR"
            )
            self.tell(told)
            expected = self.model.sources[told.source.ref].points
            self.same("quote", points(quote), expected)
        else:
            self.tell(told)

    def _new(self, lines: list[int], member: str, at: datetime) -> Told:
        ref = f"A-{len(self.orders) + 1}"
        return Told(Source(ref, "order", member, at, "paid", sum(lines)), lines, resources={})

    def recent(self, pick: int) -> Told | None:
        """One of the last few orders."""
        return self.orders[-1 - pick % min(5, len(self.orders))] if self.orders else None

    def _refund(self, step: Step) -> None:
        if told := self.recent(step.one):
            most = told.most(0) if len(told.lines) > 1 or not told.resources else 0
            told.refunded += self.part(most, step.two)
            self.tell(told)

    def part(self, most: int, share: int) -> int:
        """All of it, a half or a third, in whole points."""
        return -(-most // (share % 3 + 1) // 100) * 100 if share % 3 else most

    def _resource(self, step: Step) -> None:
        told = self.recent(step.one)
        if told is None or told.resources is None:
            return
        if told.resources and step.two % 3 == 0:
            ref = list(told.resources)[step.three % len(told.resources)]
            amount, status = told.resources.pop(ref), "withdrawn"
        else:
            ref, status = f"R-{step.three}", "succeeded"
            most = told.most(len(told.lines) - 1)
            amount = self.part(most, step.two) if len(told.lines) > 1 or not told.refunded else 0
            if amount <= 0 or ref in told.resources:
                return
            told.resources[ref] = amount
        line = {"line_ref": str(len(told.lines)), "amount_minor": amount}
        body = {"refunded_at": shown(self.model.now), "status": status, "lines": [line]}
        self.note("refund", told.source.ref, ref, status, amount)
        answer = self.world.put(f"/orders/{told.source.ref}/refunds/{ref}", body)
        self.model_of(told)
        self.compare_told(told, answer)

    def _correct(self, step: Step) -> None:
        if told := self.recent(step.one):
            told.refunded = told.refunded // 200 * 100 if step.two % 2 else 0
            self.tell(told)

    def _enlarge(self, step: Step) -> None:
        if told := self.recent(step.one):
            told.lines[0] += 100 * (step.two % 40 + 1)
            self.tell(told)

    def _cancel(self, step: Step) -> None:
        self._status(step, "cancelled" if step.two % 4 else "pending")

    def _pay(self, step: Step) -> None:
        self._status(step, "paid" if step.two % 4 else "fulfilled")

    def _status(self, step: Step, status: str) -> None:
        if told := self.recent(step.one):
            told.source.status = status
            self.tell(told)

    def _hand_over(self, step: Step) -> None:
        tiers = self.document["tiers"]
        if tiers["term"]["policy"] != "none" and tiers["on_refund"] != "immediate":
            # Not modelled: see the test.
            return
        found = self.recent(step.one)
        if self.activities and step.two % 3 == 0:
            found = self.activities[-1 - step.one % min(4, len(self.activities))]
        if found is not None:
            found.source.member = MEMBERS[1 - MEMBERS.index(found.source.member)]
            self.tell(found)

    def _batch(self, step: Step) -> None:
        """Up to three orders at once: new ones, and old ones that fall or stand again."""
        chosen: list[Told] = []
        for number in range(3):
            pick = step.one // 7**number
            told = self.recent(pick)
            if told is None or pick % 3 == 0 or any(told is one for one in chosen):
                told = self._new([100 * (pick % 60 + 1)], MEMBERS[pick % 2], self.model.now)
                self.orders.append(told)
            elif told.resources:
                continue
            else:
                told.source.status = "cancelled" if told.source.status == "paid" else "paid"
            chosen.append(told)
        if not chosen:
            return
        bodies = [self.body(told) | {"order_ref": told.source.ref} for told in chosen]
        self.note("batch", *(self.words(told) for told in chosen))
        self.keys += 1
        answer = self.world.post("/orders/batch", {"orders": bodies}, key=f"batch-{self.keys}")
        for told, one in zip(chosen, answer["results"], strict=True):
            self.model_of(told)
            self.compare_told(told, one)

    # Activities

    def _visit(self, step: Step) -> None:
        self._act("visit", step)

    def _review(self, step: Step) -> None:
        self._act("review", step)

    def _act(self, kind: Any, step: Step) -> None:
        at = self.model.now - timedelta(hours=(0, 0, 0, 5, 60)[step.two % 5])
        ref = f"V-{len(self.activities) + 1}"
        source = Source(ref, kind, MEMBERS[step.one % 2], at, "done", rating=step.three % 5 + 1)
        self.activities.append(Told(source, []))
        self.tell(self.activities[-1])

    def deed(self, pick: int) -> Told | None:
        """One of the last few activities."""
        return (
            self.activities[-1 - pick % min(4, len(self.activities))] if self.activities else None
        )

    def _rate(self, step: Step) -> None:
        if told := self.deed(step.one):
            told.source.rating = step.two % 5 + 1
            self.tell(told)

    def _withdraw(self, step: Step) -> None:
        if told := self.deed(step.one):
            told.source.status = "withdrawn"
            self.tell(told)

    def _do_again(self, step: Step) -> None:
        if told := self.deed(step.one):
            told.source.status = "done"
            self.tell(told)

    # Telling

    def body(self, told: Told) -> dict[str, Any]:
        """As the storefront tells it."""
        source = told.source
        body: dict[str, Any] = {"member_ref": source.member, "status": source.status}
        if source.kind != "order":
            facts = {"rating": source.rating} if source.kind == "review" else {}
            return body | {"kind": source.kind, "occurred_at": shown(source.at), "facts": facts}
        lines = [
            {"line_ref": str(place), "quantity": 1, "unit_price_minor": minor}
            for place, minor in enumerate(told.lines, start=1)
        ]
        lines[0]["refunded_minor"] = told.refunded
        return body | {"currency": "EUR", "placed_at": shown(source.at), "lines": lines}

    def words(self, told: Told) -> str:
        """For the log."""
        one = told.source
        rating = f"rating {one.rating}" if one.kind == "review" else ""
        amounts = f"{told.lines} refunded {told.refunded}" if told.lines else rating
        return f"{one.ref} {one.kind} {one.member} {one.status} {amounts} at {shown(one.at)};"

    def tell(self, told: Told) -> None:
        """To both."""
        self.note(self.words(told))
        path = "orders" if told.source.kind == "order" else "activities"
        answer = self.world.put(f"/{path}/{told.source.ref}", self.body(told))
        self.model_of(told)
        self.compare_told(told, answer)

    def model_of(self, told: Told) -> None:
        """To the model alone."""
        if told.lines:
            told.source.gross, told.source.net = sum(told.lines), told.left
        self.model.tell(told.source)

    def compare_told(self, told: Told, answer: dict[str, Any]) -> None:
        """What the answer says of the source and of its member."""
        ref, name = told.source.ref, told.source.member
        source = self.model.sources[ref]
        self.same(f"points of {ref}", points(answer), source.points)
        decision_id = answer.get("decision_id") or answer.get("activity", {}).get("decision_id")
        decision = self.world.get(f"/decisions/{decision_id}")
        outcomes = {
            one["rule"]: (one["is_fired"], one.get("reason"), one.get("withheld"))
            for one in decision["outcomes"]
            if one["rule"] in source.outcomes
        }
        self.same(f"outcomes of {ref}", outcomes, source.outcomes)
        member = self.model.members[name]
        self.same("answered balance", answer["balances"][0]["available"], member.balance)
        self.same("answered cards", _cards_shown(answer["cards"]), self._cards(name))
        if "tier" in answer:
            self.same("answered tier", _tier_shown(answer["tier"]), self._tier(name))

    # By hand, and time

    def _by_hand(self, step: Step) -> None:
        name, key = MEMBERS[step.one % 2], ("silver", "gold")[step.two % 2]
        until = self.model.now + WAITS[2 + step.three % 6]
        self.hand(name, {"key": key, "until": shown(until)}, until)

    def _end_by_hand(self, step: Step) -> None:
        self.hand(MEMBERS[step.one % 2], {"key": None}, None)

    def hand(self, name: str, body: dict[str, Any], until: datetime | None) -> None:
        """A level by hand."""
        self.note("by hand", name, body)
        self.world.post(f"/members/{name}/tier", body | {"reason": "sponsor"})
        self.model.give_level(name, body["key"], until)

    def _adjust(self, step: Step) -> None:
        name, change = MEMBERS[step.one % 2], step.two % 60 + 1
        if step.three % 3 == 0 and self.model.members[name].balance >= change:
            change = -change
        self.note("adjust", name, change)
        body = {"member_ref": name, "points": change, "reason": "goodwill"}
        self.world.post("/adjustments", body, status=201)
        self.model.adjust(name, change)

    def _wait(self, step: Step) -> None:
        self.move(self.model.now + WAITS[step.one % len(WAITS)], is_worked=step.two % 3 > 0)

    def _wait_for_an_end(self, step: Step) -> None:
        """Until a term, a grace, a window or what was given by hand ends, or just before."""
        member = self.model.members[MEMBERS[step.one % 2]]
        ends = [member.place.until, member.place.grace_until, member.given and member.given.until]
        ends += [member.ladder.leaves_at(row) for row in member.rows.values()]
        coming = sorted(one for one in ends if one and self.model.now < one < FOR_EVER)
        if coming:
            to = coming[step.two % min(2, len(coming))] - (step.three % 3 == 0) * TICK
            if to > self.model.now:
                self.move(to, is_worked=step.two % 5 > 0)

    def move(self, to: datetime, *, is_worked: bool) -> None:
        """The clock of both, with the worker or without it. Levels are true when read; what
        entering one pays when a hand is taken off is there once the worker has written it."""
        ahead = copy.deepcopy(self.model)
        ahead.move(to)
        is_paid = any(one.balance != ahead.members[name].balance for name, one in self.members)
        if is_worked or is_paid:
            self.world.post("/test-clock", {"now": shown(to)})
        else:
            self.world.set_clock(str(shown(to)))
        self.model.move(to)
        self.note("now, with the worker" if is_worked else "now, without the worker")

    # Looking

    def same(self, what: str, product: Any, model: Any) -> None:
        """They agree."""
        if product != model:
            raise DivergedError(f"{what}: the product has {product}, the model {model}")

    def _cards(self, name: str) -> dict[str, tuple[int, int]]:
        cards = self.model.members[name].cards
        return {key: card.shown(self.model.now) for key, card in cards.items()}

    def _tier(self, name: str) -> dict[str, Any]:
        place, is_manual = self.model.place(name)
        ladder = self.model.program.ladder
        return {
            "key": ladder.key(place.rank),
            "since": shown(place.since) if place.rank else None,
            "until": shown(place.until),
            "grace_until": shown(place.grace_until),
            "is_manual": is_manual,
        } | ({} if is_manual else {"at_risk": place.at_risk})

    def look(self) -> None:
        """Everything that both members are shown."""
        self.model.check()
        for name in MEMBERS:
            cards = self.world.get(f"/members/{name}/cards")["data"]
            self.same(f"cards of {name}", _cards_shown(cards), self._cards(name))
            tier = _tier_shown(self.world.tier(name))
            self.same(f"tier of {name}", tier, self._tier(name))
            balance = self.world.balance(name)
            self.same(f"balance of {name}", balance, self.model.members[name].balance)

    def close(self) -> None:
        """Undo everything, and let the ledger be verified."""
        self.verify()
        for told in self.orders:
            told.source.status = "cancelled"
            self.tell(told)
        for told in self.activities:
            told.source.status = "withdrawn"
            self.tell(told)
        self.look()
        self.verify()

    def verify(self) -> None:
        """Nothing in the product disagrees with itself."""
        self.same("verify", self.world.verify()["mismatches"], [])


def _cards_shown(cards: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    return {one["key"]: (one["completed_count"], one["stamps"]) for one in cards}


def _tier_shown(tier: dict[str, Any]) -> dict[str, Any]:
    names = ["key", "since", "until", "grace_until", "is_manual"]
    names += [] if tier["is_manual"] else ["at_risk"]
    return {name: tier[name] for name in names}
