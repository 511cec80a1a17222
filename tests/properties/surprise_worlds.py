"""Surprises as somebody would keep them on paper, who has nothing but the seed: own rolls, own
guards, own budgets. What the product does is compared with this."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.world import World

SEOUL = ZoneInfo("Asia/Seoul")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Paper:
    """A surprise, with prizes of so many points by weight."""

    key: str
    ppm: int = 1_000_000
    prizes: tuple[tuple[int, int], ...] = ((1, 7),)
    priority: int = 0
    group: bool = False
    holdout_bp: int = 0
    least: int | None = None
    a_day: int | None = None
    in_all: int | None = None
    cooldown: int | None = None
    budget: int | None = None
    pity: int | None = None

    def document(self) -> dict[str, Any]:
        """As the program's document has it."""
        found: dict[str, Any] = {
            "key": self.key,
            "probability_ppm": self.ppm,
            "priority": self.priority,
            "holdout_bp": self.holdout_bp,
            "prizes": [
                {"weight": weight, "effects": [{"do": "add_points", "points": points}]}
                for weight, points in self.prizes
            ],
            "limits": [],
        }
        if self.group:
            found["group"] = "g"
        if self.least is not None:
            found["when"] = {"fact": "order.net_minor", "op": ">=", "value": self.least}
        if self.a_day is not None:
            found["limits"].append({"per": "member", "period": "day", "times": self.a_day})
        if self.in_all is not None:
            found["limits"].append({"per": "program", "period": "ever", "times": self.in_all})
        if self.cooldown is not None:
            found["cooldown"] = f"P{self.cooldown}D"
        if self.budget is not None:
            found["budget"] = {"unit": "points", "total": self.budget}
        if self.pity is not None and self.ppm < 1_000_000:
            found["pity_after"] = self.pity
        return found


@dataclass
class Slip:
    """A receipt on paper."""

    key: str
    member: str
    order: str
    at: datetime
    guard: str | None = None
    roll: int | None = None
    losses: int = 0
    prize: int | None = None
    stands: bool = False


@dataclass
class Told:
    """An order as it was last told."""

    member: str
    minor: int
    status: str


@dataclass
class Book:
    """Everything that was drawn, in its order, and the orders it was drawn for."""

    surprises: list[Paper]
    seed: bytes
    salt: str
    slips: list[Slip] = field(default_factory=list)
    orders: dict[str, Told] = field(default_factory=dict)

    def tell(self, order: str, told: Told, at: datetime) -> None:
        """What a storefront says, and what follows."""
        before = self.orders.get(order)
        if before == told:
            return
        self.orders[order] = told
        if before is not None and before.member != told.member:
            for slip in self.of(order, before.member):
                slip.stands = False
        known = self.of(order, told.member)
        for slip in known:
            self._follow(slip, is_paid=told.status == "paid")
        if told.status == "paid":
            groups = any(s.prize is not None and self._paper(s).group for s in known)
            drawn = {slip.key for slip in known}
            for one in sorted(self.surprises, key=lambda one: (one.priority, one.key)):
                if one.key in drawn or (one.least is not None and told.minor < one.least):
                    continue
                slip = Slip(one.key, told.member, order, at)
                slip.guard = self._guard(one, slip, has_group=groups)
                if slip.guard is None:
                    self._draw(one, slip)
                self.slips.append(slip)
                groups = groups or (one.group and slip.prize is not None)

    def of(self, order: str, member: str) -> list[Slip]:
        """What was drawn for a member's order."""
        return [slip for slip in self.slips if (slip.order, slip.member) == (order, member)]

    def balance(self, member: str) -> int:
        """The points of what stands."""
        return sum(self._cost(s) for s in self.slips if s.stands and s.member == member)

    def _paper(self, slip: Slip) -> Paper:
        return next(one for one in self.surprises if one.key == slip.key)

    def _cost(self, slip: Slip) -> int:
        assert slip.prize is not None
        return self._paper(slip).prizes[slip.prize][1]

    def _follow(self, slip: Slip, *, is_paid: bool) -> None:
        if slip.prize is None or slip.stands == is_paid:
            return
        one = self._paper(slip)
        if is_paid and (self._is_limited(one, slip) or self._left(one) < self._cost(slip)):
            return
        slip.stands = is_paid

    def _guard(self, one: Paper, slip: Slip, *, has_group: bool) -> str | None:
        digest = hashlib.sha256(f"{self.salt}:surprise:{one.key}:{slip.member}".encode()).digest()
        if int.from_bytes(digest, "big") * 10_000 >> 256 < one.holdout_bp:
            return "holdout"
        if one.group and has_group:
            return "excluded"
        if self._is_limited(one, slip):
            return "limit_reached"
        wins = [s for s in self._mine(slip) if s.prize is not None]
        if one.cooldown is not None and any(
            abs(slip.at - win.at) < one.cooldown * DAY for win in wins
        ):
            return "cooldown"
        if self._left(one) < max(points for _, points in one.prizes):
            return "budget"
        return None

    def _mine(self, slip: Slip) -> list[Slip]:
        return [s for s in self.slips if (s.key, s.member) == (slip.key, slip.member)]

    def _is_limited(self, one: Paper, slip: Slip) -> bool:
        standing = [s for s in self.slips if s.key == one.key and s.stands and s is not slip]
        today = _day(slip.at)
        mine = [s for s in standing if s.member == slip.member and _day(s.at) == today]
        return (one.a_day is not None and len(mine) >= one.a_day) or (
            one.in_all is not None and len(standing) >= one.in_all
        )

    def _left(self, one: Paper) -> int:
        if one.budget is None:
            return 10**9
        return one.budget - sum(self._cost(s) for s in self.slips if s.key == one.key and s.stands)

    def _hash(self, one: Paper, slip: Slip, k: int) -> int:
        text = json.dumps(
            ["draw.v1", one.key, 1, slip.member, slip.order, k], separators=(",", ":")
        )
        return int.from_bytes(hmac.new(self.seed, text.encode(), "sha256").digest(), "big")

    def _draw(self, one: Paper, slip: Slip) -> None:
        before = [s for s in self._mine(slip) if s.roll is not None]
        if before:
            slip.losses = 0 if before[-1].prize is not None else before[-1].losses + 1
        slip.roll = self._hash(one, slip, 0) * 10**6 >> 256
        is_owed = one.pity is not None and one.ppm < 10**6 and slip.losses >= one.pity
        if slip.roll < one.ppm or is_owed:
            place = self._hash(one, slip, 1) * sum(w for w, _ in one.prizes) >> 256
            for number, (weight, _) in enumerate(one.prizes):
                if place < weight:
                    slip.prize, slip.stands = number, True
                    break
                place -= weight


def _day(at: datetime) -> date:
    return at.astimezone(SEOUL).date()


def seed_of(world: World) -> bytes:
    """The seed of the program's first epoch, which nobody but a test may know before its time."""
    from core import clock, db, ids
    from rewards.luck import epochs

    program_id = ids.read_id("prg", world.program_id)
    assert program_id is not None
    now = clock.parse_instant(NOW)
    with world.app.app_context():
        return db.in_transaction(
            lambda connection: epochs.open_now(connection, program_id, now).seed
        )


NOW = "2026-04-01T00:00:00Z"
