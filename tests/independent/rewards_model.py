"""Rewards once more, on the independent ledger: redemptions, stock, limits, codes, gift cards, and
what orders do to them.

Owns what every redemption, every code and every stock must be after a step, written from the
requirements (B14, B15, C19, C20, E34 to E38) and for reading. What can be derived is: a stock is
what stands of its redemptions, a card is worth what orders left of it. Refuses to import anything
of the application, and to say which code a redemption gets: codes are nobody's to foresee.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Literal

from tests.independent.ledger_model import Ledger, RefusedError
from tests.independent.ledger_terms import Hold, HoldState, Lot, Take
from tests.independent.rewards_parts import PAY, WHOLE, Offer, Redemption, Sale

GRACE_DAYS = 14
Policy = Literal["strict", "grace"]


class Purse(Ledger):
    """The ledger with gifts of any date, and holds that are made again or undone in part."""

    def give(self, member: str, points: int, expires_at: datetime | None) -> None:
        """Points by hand, with a date of their own."""
        lot = self._new_lot(
            member, points, earned_at=self.now, available_at=self.now, expires_at=expires_at
        )
        self._credit(member, [Take(lot, points)], "adjusted_up")

    def hold_again(self, hold: Hold, points: int) -> None:
        """What ran out or was released is reserved anew, as long as nobody ends it."""
        hold.takes = self._take_again(hold.member, hold.takes, points)
        for take in hold.takes:
            take.lot.held += take.points
        hold.state, hold.expires_at = "held", None

    def _take_again(self, member: str, own: list[Take], points: int) -> list[Take]:
        """Out of the lots it was taken of before, while they have it; then like any spending."""
        if points > self.available(member):
            raise RefusedError("insufficient_points", self.available(member))
        found: dict[int, Take] = {}
        for take in own:
            part = min(take.points, take.lot.free, points)
            take.lot.free -= part
            points -= part
            found.setdefault(take.lot.number, Take(take.lot, 0)).points += part
        for more in self._take(member, points):
            found.setdefault(more.lot.number, Take(more.lot, 0)).points += more.points
        takes = [take for take in found.values() if take.points]
        return sorted(takes, key=lambda take: take.lot.turn)

    def spend(self, hold: Hold) -> None:
        """What is held is spent."""
        hold.state = "captured"
        self._unhold(hold)
        self._count(hold.member, "spent", sum(take.points for take in hold.takes))

    def unhold(self, hold: Hold, state: HoldState) -> None:
        """What is held goes back to its lots."""
        hold.state = state
        self._unhold(hold)
        self._come_back(hold.member, hold.takes)

    def give_back(self, hold: Hold, points: int, *, skipped: int, policy: Policy) -> None:
        """So much of what was spent goes back, the last taken first, after what went before."""
        backs = [Take(lot, part) for lot, part in _slice(hold, skipped, points)]
        for back in backs:
            ends_at = back.lot.expires_at
            if policy == "grace" and ends_at is not None and ends_at <= self.now:
                back.lot = self._new_lot(
                    hold.member,
                    back.points,
                    earned_at=back.lot.earned_at,
                    available_at=self.now,
                    expires_at=self._grace_end(),
                )
        self._come_back(hold.member, backs, "unspent")

    def _grace_end(self) -> datetime:
        local = self.now.astimezone(self.terms.zone).date()
        day = local + timedelta(days=GRACE_DAYS + 1)
        return datetime.combine(day, time(), tzinfo=self.terms.zone).astimezone(UTC)

    def spend_again(self, hold: Hold, points: int, *, returned: int) -> None:
        """What went back is spent anew, the last given back first."""
        missing = [Take(*part) for part in _slice(hold, 0, returned - points)]
        again = [Take(*part) for part in _slice(hold, returned - points, points)]
        kept = [Take(*part) for part in _slice(hold, returned, WHOLE)]
        taken = self._take_again(hold.member, again, points)
        # What is still missing stays the part that went back already: the last.
        stands = sorted(kept + taken, key=lambda take: take.lot.turn)
        hold.takes = stands + missing[::-1]
        self._count(hold.member, "spent", points)


def _slice(hold: Hold, skipped: int, points: int) -> Iterator[tuple[Lot, int]]:
    """The parts of a hold from the last taken on, after so many, for so many."""
    for take in reversed(hold.takes):
        gone = min(skipped, take.points)
        skipped -= gone
        part = min(points, take.points - gone)
        points -= part
        if part:
            yield take.lot, part


class Shop:
    """Members, what they redeem, and their orders, at a clock that is moved by hand."""

    def __init__(self, purse: Purse, stock: dict[str, int], pool: int) -> None:
        self.purse = purse
        #: How many there are in all, by reward; and codes of the pool.
        self.stock = stock
        self.pool = pool
        self.redemptions: list[Redemption] = []

    # Holds

    def hold(
        self, offer: Offer, member: str, *, points: int, cart: str | None, seconds: int
    ) -> Redemption:
        """Hold a reward; the open one of its kind and cart is released for it."""
        replaced = self.open_of_cart(offer, member, cart)
        for code in self.reasons(offer, member, without=replaced):
            raise RefusedError(code)
        if replaced is not None:
            self.release(replaced)
        number = len(self.redemptions) + 1
        self.purse.hold(str(number), member, points, seconds=seconds)
        made = Redemption(number, offer, points, self.purse.holds[str(number)], cart)
        self.redemptions.append(made)
        return made

    def open_of_cart(self, offer: Offer, member: str, cart: str | None) -> Redemption | None:
        """What a new hold for the cart replaces."""
        for one in self.redemptions:
            is_same = cart is not None and one.cart == cart and one.offer.kind == offer.kind
            if is_same and one.state == "held" and one.hold.member == member:
                return one
        return None

    def reasons(self, offer: Offer, member: str, *, without: Redemption | None = None) -> list[str]:
        """Why a member cannot have it now, in the contract's order, once another is released."""
        available = self.purse.available(member)
        for take in without.hold.takes if without else []:
            ends_at = take.lot.expires_at
            available += take.points if ends_at is None or ends_at > self.purse.now else 0
        is_poor = available < offer.cost
        return self._scarcity(offer, member, without) + ["insufficient_points"] * is_poor

    def _scarcity(self, offer: Offer, member: str, without: Redemption | None = None) -> list[str]:
        found = []
        standing = [one for one in self._of(offer.key) if one.stands and one is not without]
        own = [one for one in standing if one.hold.member == member]
        for count, most in ((len(own), offer.per_member), (len(standing), offer.per_program)):
            if most is not None and count >= most:
                found.append("limit_reached")
        is_gone = offer.key in self.stock and len(standing) >= self.stock[offer.key]
        # A code of the pool that was reversed was shown, and is void.
        void = [one for one in self._of(offer.key) if one.state == "reversed"]
        if is_gone or (offer.code == "pool" and len(standing) + len(void) >= self.pool):
            found.append("out_of_stock")
        return found

    def _of(self, key: str) -> list[Redemption]:
        return [one for one in self.redemptions if one.offer.key == key]

    def left(self, key: str) -> int:
        """What of a stock is left; a stock lowered beneath what is taken has nothing left."""
        return max(0, self.stock[key] - sum(one.stands for one in self._of(key)))

    # Ends

    def capture(self, one: Redemption, order: str | None = None) -> None:
        """What is held is had, by an order where one is said; again is the same."""
        is_other = order is not None and one.order not in (None, order)
        is_used = order is not None and one.order is None and set(one.uses) - {order}
        if is_other or (one.state == "captured" and is_used):
            raise RefusedError("state_conflict")
        if order is not None and one.order is None and one.state in ("held", "captured"):
            one.order, one.is_unnamed = order, True
        if one.state == "captured":
            self._use_with_order(one)
        if self._is_to_end(one, "captured"):
            self.purse.spend(one.hold)
            self._use_with_order(one)

    @staticmethod
    def _use_with_order(one: Redemption) -> None:
        """A discount is used by the order whose redemption it is; nobody else can use its code."""
        if one.order is not None and one.offer.code != "none" and not one.offer.is_card:
            one.uses[one.order] = 1

    def give_up(self, one: Redemption) -> None:
        """The same by hand, of what no order keeps."""
        if one.state == "held" and one.order is not None:
            raise RefusedError("state_conflict")
        self.release(one)

    def release(self, one: Redemption) -> None:
        """What is held is given up; again is the same."""
        if self._is_to_end(one, "released"):
            self.purse.unhold(one.hold, "released")

    @staticmethod
    def _is_to_end(one: Redemption, end: HoldState) -> bool:
        if one.state not in ("held", end):
            raise RefusedError("state_conflict")
        return one.state == "held"

    def reverse(self, one: Redemption, policy: Policy = "strict") -> None:
        """What was captured is undone, unless its code was used elsewhere."""
        if one.state == "reversed":
            return
        if one.state != "captured" or set(one.uses) - {one.order}:
            raise RefusedError("state_conflict")
        self.purse.give_back(
            one.hold, one.points - one.returned, skipped=one.returned, policy=policy
        )
        one.hold.state, one.returned = "reversed", one.points
        one.uses.clear()

    # Codes

    def redeem(self, one: Redemption, ref: str, minor: int) -> None:
        """Use a code for an order: once, or a card for as much of it as there is. The code of
        what is only held captures it."""
        before = one.uses.get(ref, 0)
        is_kept = one.state == "held" and one.order not in (None, ref)
        is_open = one.code_state in ("frozen", "active") and not is_kept
        if not (before or is_open):
            raise RefusedError("not_found")
        self.capture(one)
        one.uses[ref] = min(minor, one.remaining + before) if one.offer.is_card else 1

    def give_code_back(self, one: Redemption, ref: str) -> None:
        """What an order used of a code can be used again."""
        one.uses.pop(ref, None)

    # Orders

    def tell(self, sale: Sale) -> list[str]:
        """Bring everything that hangs on an order to what it is now; the problems, sorted."""
        self.purse.tell(sale.ref, sale.member, deserved=sale.deserved, paid_at=sale.paid_at)
        problems = []
        for one in self.redemptions:
            if one.order == sale.ref and one not in sale.named:
                is_own = one.is_unnamed and one.hold.member == sale.member
                if is_own and sale.is_open:
                    problems += self._follow(one, sale)
                elif is_own or not one.is_unnamed:
                    problems += self._undo(one, sale)
        for one in sale.named:
            if one.hold.member == sale.member and one.order in (None, sale.ref):
                one.is_unnamed = False
            if one.hold.member != sale.member:
                problems.append("not_found")
            elif one.order not in (None, sale.ref):
                problems.append("state_conflict")
            else:
                problems += self._honour(one, sale) if sale.is_open else self._undo(one, sale)
        return sorted(problems + self._tell_codes(sale))

    def _follow(self, one: Redemption, sale: Sale) -> list[str]:
        """What was captured for an order that never named it comes back with it and shares in its
        refunds (B14, B15)."""
        if one.state == "captured" or one.undone_by == sale.ref:
            return self._honour(one, sale)
        return []

    def _honour(self, one: Redemption, sale: Sale) -> list[str]:
        fell_otherwise = one.state in ("released", "reversed") and one.undone_by != sale.ref
        is_used = one.order is None and set(one.uses) - {sale.ref}
        if fell_otherwise or is_used:
            return ["state_conflict"]
        try:
            self._stand_again(one, sale)
        except RefusedError as refused:
            return [refused.code]
        one.order, one.undone_by = sale.ref, None
        if one.state == "held":
            one.hold.expires_at = None
        if sale.stands:
            self.capture(one)
            self._settle_points(one, sale)
        if one.state == "captured":
            self._use_with_order(one)
        return []

    def _stand_again(self, one: Redemption, sale: Sale) -> None:
        """What ran out, or fell with its order, is had again on its old terms if it can be."""
        if one.stands:
            return
        for code in self._scarcity(one.offer, one.hold.member):
            raise RefusedError(code)
        if one.state != "reversed":
            self.purse.hold_again(one.hold, one.points)
            return
        back = int(one.points * sale.refunded) if one.offer.kind == PAY else 0
        self.purse.spend_again(one.hold, one.points - back, returned=one.points)
        one.hold.state, one.returned = "captured", back

    def _settle_points(self, one: Redemption, sale: Sale) -> None:
        """Points that paid go back by the share that is refunded; other rewards stay (B15)."""
        due = int(one.points * sale.refunded) if one.offer.kind == PAY else 0
        if due > one.returned:
            self.purse.give_back(
                one.hold, due - one.returned, skipped=one.returned, policy="strict"
            )
            one.returned = due

    def _undo(self, one: Redemption, sale: Sale) -> list[str]:
        """An order that is bought no longer, or names it no longer, gives it up."""
        if not one.stands:
            return []
        if set(one.uses) - {sale.ref}:
            return ["state_conflict"]
        one.order = one.undone_by = sale.ref
        (self.release if one.state == "held" else self.reverse)(one)
        return []

    def _tell_codes(self, sale: Sale) -> list[str]:
        problems = []
        for one in self.redemptions:
            is_code = sale.stands and (one in sale.codes or one is sale.card)
            is_its = one in sale.named or one.is_unnamed
            is_own = is_its and one.order == sale.ref and not one.offer.is_card
            if not (is_code or is_own):
                self.give_code_back(one, sale.ref)
        for one in sale.codes if sale.stands else []:
            try:
                self.redeem(one, sale.ref, 0)
            except RefusedError as refused:
                problems.append(refused.code)
        if sale.card is not None and sale.stands:
            problems += self._pay_by_card(sale.card, sale)
        return problems

    def _pay_by_card(self, card: Redemption, sale: Sale) -> list[str]:
        """What the card pays of what is left of the order, as far as it goes."""
        wanted = sale.card_minor - int(sale.card_minor * sale.refunded)
        before = card.uses.get(sale.ref, 0)
        if wanted <= before:
            card.uses[sale.ref] = wanted
            return []
        if not before:
            try:
                self.redeem(card, sale.ref, 0)
            except RefusedError as refused:
                return [refused.code]
        card.uses[sale.ref] = before
        card.uses[sale.ref] += min(wanted - before, card.remaining)
        sale.is_short = card.uses[sale.ref] < wanted
        return ["insufficient_value"] if sale.is_short else []

    def check(self) -> None:
        """What must hold at any time."""
        self.purse.check()
        assert all(one.remaining >= 0 for one in self.redemptions if one.offer.is_card)
        assert all(len(one.uses) <= 1 for one in self.redemptions if not one.offer.is_card)
