"""Random ladders, and members with orders and standings that a ladder led to, written at once."""

import random  # noqa: TID251
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock, db, http, ids, jsontext
from loyalty.models import Adjustment
from loyalty.tiers import moving
from loyalty.tiers.contributions import Contribution, History
from loyalty.tiers.models import TIERS
from loyalty.tiers.standing import Assured, Place, place_of
from members.models import Member
from orders.models import Order
from orders.schemas import NOT_STORED, OrderSchema
from programs.ladder import Ladder

SEOUL = ZoneInfo("Asia/Seoul")
NOW = clock.parse_instant("2026-08-20T03:00:00Z")
_DAY = 86_400 * clock.SECOND
_METRICS = (["spend"], ["points"], ["orders"], ["spend", "orders"], ["points", "spend"])
_STEPS = {"spend": 10_000, "points": 100, "orders": 1}


def ladder_document(chance: random.Random) -> dict[str, Any]:
    """A ladder of up to three levels, of any kind that a document may say."""
    metrics = chance.choice(_METRICS)
    basis: dict[str, Any] = {
        "metric": metrics if len(metrics) > 1 else metrics[0],
        "window": chance.choice(["lifetime", "rolling", "rolling", "calendar_year"]),
        "require": chance.choice(["all", "any"]),
    }
    if basis["window"] == "rolling":
        basis["duration"] = chance.choice(["P12M", "P3M", "P90D", "P1M1D"])
    tiers: dict[str, Any] = {"basis": basis, "downgrade": chance.choice(["none", "full"])}
    policy = chance.choice(["none", "from_entry", "calendar_year"])
    if policy != "none":
        tiers["term"] = {"policy": policy}
        if policy == "from_entry":
            tiers["term"]["duration"] = chance.choice(["P12M", "P3M", "P40D"])
        if chance.random() < 0.5:
            tiers["grace"] = chance.choice(["P30D", "P2M"])
        tiers["downgrade"] = chance.choice(["none", "full", "one_down"])
    steps = sorted(chance.sample(range(1, 9), chance.randint(1, 3)))
    names = chance.sample(["bronze", "silver", "gold", "black"], len(steps))
    tiers["levels"] = []
    for name, step in zip(names, steps, strict=True):
        enter_at = {metric: step * _STEPS[metric] for metric in metrics}
        level: dict[str, Any] = {"key": name, "enter_at": _threshold(enter_at)}
        if chance.random() < 0.5:
            kept = {metric: max(1, one * 2 // 3) for metric, one in enter_at.items()}
            level["retain_at"] = _threshold(kept)
        tiers["levels"].append(level)
    return tiers


def _threshold(values: dict[str, int]) -> Any:
    return values if len(values) > 1 else next(iter(values.values()))


@dataclass(slots=True)
class Person:
    """A member with what they did, and their place as a ladder left it."""

    id: bytes
    contributions: list[Contribution] = field(default_factory=list)
    place: Place = field(default_factory=Place)

    def history(self, ladder: Ladder) -> History:
        """What they did, as a ladder measures it."""
        return History(ladder, sorted(self.contributions, key=lambda one: one.at), SEOUL)


def people(chance: random.Random, ladder: Ladder, *, count: int) -> list[Person]:
    """Members with a year and a half of orders, placed by the ladder."""
    return [_person(chance, ladder) for _ in range(count)]


def _person(chance: random.Random, ladder: Ladder) -> Person:
    person = Person(ids.new_id())
    for _ in range(chance.randint(0, 6)):
        at = NOW - chance.randint(0, 540) * _DAY - chance.randint(0, 10**9)
        minor = chance.randint(0, 30_000)
        person.contributions.append(Contribution(at, minor, minor // 100))
    if chance.random() < 0.1:
        at = NOW - chance.randint(0, 300) * _DAY
        person.contributions.append(Contribution(at, 0, chance.choice([-150, 90]), count=0))
    history = person.history(ladder)
    derived = moving.replayed(history, at=NOW)
    place = Place(derived)
    for name in ("assured", "manual"):
        if ladder.levels and chance.random() < 0.08:
            until = NOW + chance.choice([5, 40, 400]) * _DAY
            given = Assured(chance.choice(ladder.levels), NOW - _DAY, until)
            is_manual = name == "manual"
            place = replace(place, manual=given) if is_manual else replace(place, assured=given)
    dates = [at for at in place.ends if at > NOW]
    change = moving.next_change(ladder, derived, history, now=NOW)
    dates += [] if change is None else [change]
    person.place = replace(place, due_at=min(dates, default=None))
    return person


def write(program_id: bytes, found: Sequence[Person]) -> None:
    """Store members, their orders and adjustments, and where they stand."""

    def work(connection: sa.Connection) -> None:
        _insert(connection, Member.__table__, [_member(program_id, one) for one in found])
        orders = [row for one in found for row in _orders(program_id, one)]
        _insert(connection, Order.__table__, orders)
        adjusted = [row for one in found for row in _adjustments(program_id, one)]
        _insert(connection, Adjustment.__table__, adjusted)
        placed = [one for one in found if one.place != Place()]
        _insert(connection, TIERS, [_tier(program_id, one) for one in placed])

    db.in_transaction(work)


def _insert(connection: sa.Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _member(program_id: bytes, person: Person) -> dict[str, Any]:
    return {
        "program_id": program_id,
        "id": person.id,
        "member_ref": person.id.hex(),
        "contact_verified": "[]",
        "attributes": "{}",
        "is_enrolled": True,
        "joined_at": 0,
        "created_at": 0,
    }


def _snapshot(one: Contribution) -> str:
    """What a storefront would have told: other programs' tests prove the whole database."""
    told = {
        "status": "paid",
        "currency": "EUR",
        "placed_at": clock.format_instant(one.at),
        "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": one.spend}],
    }
    body = http.load(_ORDER, told)
    return jsontext.sorted_text({name: body[name] for name in body if name not in NOT_STORED})


_ORDER = OrderSchema()


def _orders(program_id: bytes, person: Person) -> list[dict[str, Any]]:
    return [
        {
            "program_id": program_id,
            "id": ids.new_id(),
            "order_ref": ids.new_id().hex(),
            "member_id": person.id,
            "status": "paid",
            "placed_at": one.at,
            "snapshot": _snapshot(one),
            "net_minor": one.spend,
            "refunded_minor": 0,
            "spend_minor": one.spend,
            "qualifying_points": one.points,
            "stands": True,
            "is_first": False,
            "is_history": False,
            "created_at": one.at,
            "updated_at": one.at,
            "points_returned": 0,
        }
        for one in person.contributions
        if one.count
    ]


def _adjustments(program_id: bytes, person: Person) -> list[dict[str, Any]]:
    return [
        {
            "program_id": program_id,
            "id": ids.new_id(),
            "member_id": person.id,
            "points_key": "points",
            "points": one.points,
            "reason": "test",
            "counts_for_tier": True,
            "tier_member_id": person.id,
            "effective_at": one.at,
        }
        for one in person.contributions
        if not one.count
    ]


def _tier(program_id: bytes, person: Person) -> dict[str, Any]:
    place = person.place
    row: dict[str, Any] = {
        "program_id": program_id,
        "member_id": person.id,
        "level_key": place.derived.key,
        "since": place.derived.since,
        "until": place.derived.until,
        "grace_until": place.derived.grace_until,
        "is_at_risk": place.derived.is_at_risk,
        "due_at": place.due_at,
    }
    for name, given in (("assured", place.assured), ("manual", place.manual)):
        row |= {
            f"{name}_key": None if given is None else given.level.key,
            f"{name}_since": None if given is None else given.since,
            f"{name}_until": None if given is None else given.until,
        }
    return row


def places(program_id: bytes, ladder: Ladder) -> dict[bytes, Place]:
    """Where members stand as stored."""

    def read(connection: sa.Connection) -> dict[bytes, Place]:
        rows = connection.execute(sa.select(TIERS).where(TIERS.c.program_id == program_id))
        return {bytes(row.member_id): place_of(ladder, row) for row in rows}

    return db.reading(read)
