"""Telling: one order on its way in, from its locks to what was read of it.

The member is locked first. When the stored order turns out to belong to somebody else or to
nobody, the unit starts again and takes every lock at once: members in sorted order, then the
order. A stale snapshot names nobody: it neither moves an order nor enrols a member.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from core import clock, db, ids, jsontext, outbox, rawsql
from core.errors import FieldError, Problem, invalid
from core.writing import Writes
from members import members
from members.members import Known
from members.models import Member
from orders.models import Order, OrderRefund
from orders.refunds import Folded, Refund, fold
from programs import versions
from programs.compiled import Compiled
from storefront import standing
from storefront.standing import Item, Read, StoredOrder

YEAR = clock.Duration(months=12)
FUTURE = 5 * 60 * clock.SECOND
_INSTANTS = ("placed_at", "paid_at", "fulfilled_at", "cancelled_at")

ORDER_REFUNDS: sa.Table = OrderRefund.__table__  # type: ignore[assignment]

_refunds_of = db.Statement(
    sa.select(
        OrderRefund.refund_ref,
        OrderRefund.status,
        OrderRefund.refunded_at,
        OrderRefund.body,
        OrderRefund.is_applied,
        OrderRefund.created_at,
        OrderRefund.updated_at,
        OrderRefund.points_returned,
        OrderRefund.suggested_deduction_minor,
        OrderRefund.told_id,
    ).where(
        OrderRefund.program_id == sa.bindparam("program_id"),
        OrderRefund.order_ref == sa.bindparam("order_ref"),
    )
)

_order_of = {
    is_locking: db.Statement(
        statement.with_for_update(key_share=True, of=Order) if is_locking else statement
    )
    for is_locking, statement in (
        (
            is_locking,
            sa.select(Order.member_id, Order.revision, Member.erased_at)
            .outerjoin(
                Member,
                sa.and_(Member.program_id == Order.program_id, Member.id == Order.member_id),
            )
            .where(
                Order.program_id == sa.bindparam("program_id"),
                Order.order_ref == sa.bindparam("order_ref"),
            ),
        )
        for is_locking in (False, True)
    )
}


@dataclass(slots=True)
class Telling:
    """One order being told: what was sent, and what is known of it so far."""

    order_ref: str
    body: Mapping[str, Any]
    member: Known | None = None
    item: Item | None = None
    #: Set when the unit must take every lock at once, with whom the order belongs to.
    is_careful: bool = False
    owner_id: bytes | None = None
    #: Who else must be locked: whose codes the order uses (`storefront.vouchers.named`).
    others: set[bytes] = field(default_factory=set)
    #: The order's refunds, since when what this telling takes back is gone, what went back of
    #: the points that the order was paid with, what of these should have been taken again and was
    #: not, and what else could not be done.
    refunds: list[Refund] = field(default_factory=list)
    reversal_at: int | None = None
    points_returned: int = 0
    points_missed: int = 0
    problems: list[dict[str, str]] = field(default_factory=list)
    #: The vouchers whose codes it names, once they were looked for.
    named: Any = None
    #: The redemptions that the order names, as the answer shows them.
    redemptions: list[dict[str, Any]] = field(default_factory=list)
    #: What it did with codes, likewise (`storefront.vouchers.told`).
    codes: list[dict[str, Any]] = field(default_factory=list)
    #: What became of the friend's referral by it (`storefront.referring.rewarding.told_orders`).
    referral: dict[str, Any] | None = None
    #: What stands of the surprises that it brought (`storefront.surprising.chances`).
    surprises: list[dict[str, Any]] = field(default_factory=list)
    #: What of them it took back.
    surprises_revoked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def member_ref(self) -> str | None:
        """Whose order the storefront says it is."""
        ref: str | None = self.body.get("member_ref")
        return ref

    @property
    def has_news(self) -> bool:
        """Whether a refund is still to be applied."""
        return any(not refund.is_applied for refund in self.refunds)

    def fold(self) -> Folded:
        """The order as told, with its refunds told in it."""
        return fold(self.body, self.refunds)

    def start(self, refunds: list[Refund]) -> None:
        """Begin to decide it with these refunds, forgetting an attempt that was lost."""
        self.refunds, self.problems, self.redemptions, self.codes = refunds, [], [], []
        self.points_returned = self.points_missed = 0
        self.referral = None

    def note(self, code: str, pointer: str, detail: str) -> None:
        """Note what could not be done."""
        self.problems.append({"code": code, "pointer": pointer, "detail": detail})

    def be_careful(self, owner_id: bytes | None) -> db.Restart:
        """Start again with every lock, for an order that belongs to `owner_id`."""
        self.is_careful, self.owner_id = True, owner_id
        return db.Restart()


def is_stale(body: Mapping[str, Any], stored_revision: int | None) -> bool:
    """Whether a snapshot is older than the stored one."""
    revision = body.get("revision")
    return revision is not None and stored_revision is not None and revision < stored_revision


def is_same_member(stored: StoredOrder, telling: Telling) -> bool:
    """Whether the stored order belongs to the member that the telling is for."""
    return stored.member_id == (telling.member.id if telling.member else None)


def lock(
    connection: sa.Connection, program_id: bytes, live: Compiled, telling: Telling
) -> Known | None:
    """Lock the order's member; returns the member it had before, when that is another one."""
    if telling.is_careful:
        return _lock_all(connection, program_id, live, telling)
    ref = telling.member_ref
    if ref is None:
        _announce(connection)
    else:
        telling.member = members.find(connection, program_id, ref, is_locking=True)
        if telling.member is None:
            owner_id, is_old = _stored(connection, program_id, telling, is_locking=False)
            if is_old and owner_id is not None:
                raise telling.be_careful(owner_id)
            telling.member = enrol(connection, live, ref, telling.body["placed_at"])
    return None


def _announce(connection: sa.Connection) -> None:
    """Be seen as under way from the start, as who locks a member is: a refund that is parked
    waits for the orders that may not have seen it (`storefront.refunding.refunds`)."""
    if connection.dialect.name == "postgresql":
        rawsql.later(connection, "SELECT pg_current_xact_id()")


def _lock_all(
    connection: sa.Connection, program_id: bytes, live: Compiled, telling: Telling
) -> Known | None:
    owner_id, is_old = _stored(connection, program_id, telling, is_locking=False)
    # An order keeps its member when a snapshot names none, or is too old to name one, and for
    # ever when they were erased.
    ref = None if is_old and owner_id is not None else telling.member_ref
    wanted = set(telling.others) if owner_id is None else {owner_id, *telling.others}
    named = None
    if ref is not None:
        named = members.find(connection, program_id, ref)
        if named is None:
            named = enrol(connection, live, ref, telling.body["placed_at"])
        wanted.add(named.id)
    locked = members.lock_ids(connection, program_id, sorted(wanted)) if wanted else {}
    if (owner_id, is_old) != _stored(connection, program_id, telling, is_locking=True):
        raise db.Restart
    owner = None if owner_id is None else locked[owner_id]
    telling.owner_id = owner_id
    telling.member = owner if named is None else locked[named.id]
    is_other = owner is not None and telling.member is not None and owner.id != telling.member.id
    return owner if is_other else None


def _stored(
    connection: sa.Connection, program_id: bytes, telling: Telling, *, is_locking: bool
) -> tuple[bytes | None, bool]:
    """Whose the stored order is, and whether the telling does not say so: it is older, or they
    were erased, whose orders stay with them."""
    row = _order_of[is_locking].first(
        connection, {"program_id": program_id, "order_ref": telling.order_ref}
    )
    if row is None:
        return None, False
    is_old = row[2] is not None or is_stale(telling.body, row[1])
    return None if row[0] is None else bytes(row[0]), is_old


def check_owner(telling: Telling, read: Read) -> None:
    """Start again with every lock when the stored order is not the locked member's: a guest's
    order has no member whose lock could stand for its own."""
    stored = read.stored
    if stored is None or telling.is_careful:
        return
    if telling.member is None or not is_same_member(stored, telling):
        raise telling.be_careful(stored.member_id)


def enrol(connection: sa.Connection, live: Compiled, ref: str, placed_at: int) -> Known:
    """A member not seen before: enrolled when the program says so, otherwise 422.

    Joined with the order: signup effects belong to a signup and are not paid here.
    """
    if not live.auto_enrol or ids.read_id(members.PREFIX, ref) is not None:
        raise Problem(
            422,
            "validation_failed",
            "/member_ref: this member is not known; PUT the member first, or let the program "
            "enrol with members.auto_enrol.",
            errors=[FieldError("/member_ref", "unknown_member", "no member has this reference")],
        )
    program_id = live.program_id
    _, now = versions.get_live(connection, program_id)
    writes, joined_at = Writes(), min(placed_at, now)
    row = members.insert(writes, program_id, ref, {}, joined_at=joined_at, now=now, is_told=False)
    outbox.add(
        writes,
        program_id,
        type="member.created",
        payload={"member_ref": ref},
        now=now,
        member_id=row["id"],
    )
    writes.run(connection)
    return Known(row["id"], ref, is_enrolled=True, joined_at=joined_at, locale=None, attributes={})


def read(
    connection: sa.Connection, program_id: bytes, live: Compiled, telling: Telling
) -> tuple[clock.Instant, Read]:
    """The standing, read with the windows of the live version and by the program's clock."""
    now = clock.system_now()
    telling.item = item_of(telling, live, now)
    [found] = standing.read(connection, program_id, [telling.item])
    if found.edition != live.edition:
        versions.expect(connection, program_id, found.edition)
        raise db.Restart
    if found.clock_at is not None:
        now = clock.Instant(found.clock_at)
        telling.item = item_of(telling, live, now)
        [found] = standing.read(connection, program_id, [telling.item])
    return now, found


def read_refunds(connection: sa.Connection, program_id: bytes, order_ref: str) -> list[Refund]:
    """What was told of the refunds of an order, by reference."""
    rows = _refunds_of.rows(connection, {"program_id": program_id, "order_ref": order_ref})
    found = [
        Refund(
            order_ref=order_ref,
            refund_ref=refund_ref,
            status=status,
            refunded_at=refunded_at,
            body=jsontext.parse(body),
            is_applied=bool(is_applied),
            created_at=created_at,
            updated_at=updated_at,
            points_returned=returned,
            suggested_deduction_minor=deduction,
            told_id=None if told_id is None else bytes(told_id),
        )
        for (
            refund_ref,
            status,
            refunded_at,
            body,
            is_applied,
            created_at,
            updated_at,
            returned,
            deduction,
            told_id,
        ) in rows
    ]
    return sorted(found, key=lambda refund: refund.refund_ref)


def find_owner(
    connection: sa.Connection, program_id: bytes, order_ref: str, *, is_locking: bool = False
) -> tuple[bytes | None] | None:
    """Whose a stored order is (nobody's: None in the tuple); None when it is not known."""
    row = _order_of[is_locking].first(
        connection, {"program_id": program_id, "order_ref": order_ref}
    )
    return None if row is None else (None if row[0] is None else bytes(row[0]),)


def item_of(telling: Telling, live: Compiled, now: clock.Instant) -> Item:
    """What to read for an order: sums as of its instant, over the windows before it."""
    at = min(telling.body["placed_at"], now)
    ladder = live.ladder
    year_from = clock.before(at, YEAR, live.zone)
    if ladder.window == "rolling" and ladder.duration == YEAR:
        window_from = int(year_from)
    else:
        window_from = ladder.window_from(at, live.zone)
    now_from = window_from if at == now else ladder.window_from(now, live.zone)
    return Item(
        member_id=telling.member.id if telling.member else None,
        order_ref=telling.order_ref,
        at=at,
        year_from=year_from,
        window_from=window_from,
        now_from=now_from,
    )


def ahead(pointer: str, now: int) -> FieldError:
    """The finding for an instant more than 5 minutes ahead of the program's clock."""
    shown = clock.format_instant(now // clock.SECOND * clock.SECOND)
    return FieldError(
        pointer,
        "invalid",
        f"is more than 5 minutes in the future; the program's clock is at {shown}",
    )


def check_times(body: Mapping[str, Any], now: clock.Instant) -> None:
    """422 for instants more than 5 minutes ahead of the program's clock."""
    errors = [ahead(f"/{name}", now) for name in _INSTANTS if (body.get(name) or 0) > now + FUTURE]
    if errors:
        raise invalid(errors)
