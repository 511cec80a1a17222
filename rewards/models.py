"""Tables of rewards."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


def _of_member() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["program_id", "member_id"], ["members.program_id", "members.id"]
    )


def _where(text: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(text), "sqlite_where": sa.text(text)}


class Redemption(db.Base):
    """A reward, or points that pay, held for a member and ended once.

    Where points are held, the hold of the ledger has the same id and its state is the same, but
    that of a hold that ran out may be written first. `terms` are frozen when it is held.
    `has_stock` says that it takes one of the reward's stock while it is held or captured.
    `kept_by` is the order that keeps it or captured it: while an order keeps it, it never runs out.
    `is_undone` says that this order fell and undid it, so that it comes back with the order.
    `discount_minor` is what it took off the order that captured it, once that is known;
    `cost_minor` what it really cost, else `estimated_cost_minor` of the terms is told.
    """

    __tablename__ = "redemptions"
    __table_args__ = (
        _of_member(),
        sa.Index("ix_redemptions_member", "program_id", "member_id", "id"),
        sa.Index(
            "ix_redemptions_due",
            "program_id",
            "expires_at",
            **_where("state = 'held' AND expires_at IS NOT NULL"),
        ),
        sa.Index("ix_redemptions_reward", "program_id", "reward_key", "held_at"),
        sa.Index("ix_redemptions_order", "program_id", "kept_by", **_where("kept_by IS NOT NULL")),
        sa.Index("ix_redemptions_open", "program_id", "member_id", **_where("state = 'held'")),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    kind: Mapped[str] = mapped_column(sa.Text)
    reward_key: Mapped[str | None] = mapped_column(sa.Text)
    points_key: Mapped[str | None] = mapped_column(sa.Text)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    terms: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int] = mapped_column(sa.BigInteger)
    switches: Mapped[int] = mapped_column(sa.BigInteger)
    state: Mapped[str] = mapped_column(sa.Text)
    has_stock: Mapped[bool] = mapped_column(sa.Boolean)
    grant_id: Mapped[bytes | None] = mapped_column(db.Id)
    voucher_id: Mapped[bytes | None] = mapped_column(db.Id)
    cart_ref: Mapped[str | None] = mapped_column(sa.Text)
    kept_by: Mapped[str | None] = mapped_column(sa.Text)
    is_undone: Mapped[bool] = mapped_column(sa.Boolean)
    discount_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    cost_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    held_at: Mapped[int] = mapped_column(sa.BigInteger)
    expires_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    captured_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    ended_at: Mapped[int | None] = mapped_column(sa.BigInteger)


class RewardStock(db.Base):
    """The stock of a reward: how many there are in all, and how many are taken by redemptions held
    or captured and by grants that stand. The row exists from the first of either on."""

    __tablename__ = "reward_stock"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),
        sa.CheckConstraint("used >= 0", name="used_not_negative"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    reward_key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    total: Mapped[int] = mapped_column(sa.BigInteger)
    used: Mapped[int] = mapped_column(sa.BigInteger)


class StockMove(db.Base):
    """Stock that came or went by hand."""

    __tablename__ = "stock_moves"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),
        sa.Index("ix_stock_moves_reward", "program_id", "reward_key", "id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    reward_key: Mapped[str] = mapped_column(sa.Text)
    change: Mapped[int] = mapped_column(sa.BigInteger)
    total_after: Mapped[int] = mapped_column(sa.BigInteger)
    reason: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)


class VoucherPool(db.Base):
    """A pool of codes that were imported."""

    __tablename__ = "voucher_pools"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    updated_at: Mapped[int] = mapped_column(sa.BigInteger)


class Voucher(db.Base):
    """A code that the storefront accepts. The code itself is stored sealed, and found by a keyed
    digest of its canonical form (`rewards.codes`).

    States: `pooled` (of a pool, free to be bound), `reserved` (bound to a redemption that is held),
    then those of the contract: `active`, `redeemed` (used as often as it can be), `expired`,
    `void`, `frozen`. What its date ends is `expired` when read, before it is written.
    `value_minor` and `remaining_minor` are of stored value (gift cards, store credit) alone.
    """

    __tablename__ = "vouchers"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),
        sa.ForeignKeyConstraint(
            ["program_id", "pool_key"], ["voucher_pools.program_id", "voucher_pools.key"]
        ),
        sa.UniqueConstraint("program_id", "digest"),
        sa.CheckConstraint("remaining_minor >= 0", name="remaining_not_negative"),
        # No other index has this order, so that none of those that are bound is ever looked at.
        sa.Index(
            "ix_vouchers_pooled",
            "program_id",
            "pool_key",
            "issued_at",
            "id",
            **_where("state = 'pooled'"),
        ),
        sa.Index(
            "ix_vouchers_due",
            "program_id",
            "expires_at",
            **_where("state IN ('active', 'frozen') AND expires_at IS NOT NULL"),
        ),
        sa.Index(
            "ix_vouchers_member", "program_id", "member_id", **_where("member_id IS NOT NULL")
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    sealed: Mapped[str] = mapped_column(sa.Text)
    pool_key: Mapped[str | None] = mapped_column(sa.Text)
    kind: Mapped[str | None] = mapped_column(sa.Text)
    reward_key: Mapped[str | None] = mapped_column(sa.Text)
    terms: Mapped[str] = mapped_column(sa.Text)
    origin: Mapped[str] = mapped_column(sa.Text)
    member_id: Mapped[bytes | None] = mapped_column(db.Id)
    redemption_id: Mapped[bytes | None] = mapped_column(db.Id)
    grant_id: Mapped[bytes | None] = mapped_column(db.Id)
    order_ref: Mapped[str | None] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text)
    uses_max: Mapped[int] = mapped_column(sa.BigInteger)
    uses: Mapped[int] = mapped_column(sa.BigInteger)
    value_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    remaining_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    issued_at: Mapped[int] = mapped_column(sa.BigInteger)
    expires_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    ended_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    void_reason: Mapped[str | None] = mapped_column(sa.Text)
    void_actor: Mapped[str | None] = mapped_column(sa.Text)


class VoucherUse(db.Base):
    """What one order used of a voucher: once, or money of its value. `amount_minor` is what was
    taken of stored value, or what the discount came to where that is known; `returned_minor` what
    of it went back. A use that is released is none, and can be made again. One that was made by
    hand, not by an order that names the code, follows its order all the same: where it fell with
    it (`is_undone`) it comes back with it."""

    __tablename__ = "voucher_uses"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "voucher_id"], ["vouchers.program_id", "vouchers.id"]
        ),
        sa.CheckConstraint("returned_minor >= 0", name="returned_not_negative"),
        sa.CheckConstraint("amount_minor >= returned_minor", name="returned_at_most_amount"),
        sa.Index("ix_voucher_uses_order", "program_id", "order_ref"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    voucher_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    order_ref: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    member_id: Mapped[bytes | None] = mapped_column(db.Id)
    amount_minor: Mapped[int] = mapped_column(sa.BigInteger)
    returned_minor: Mapped[int] = mapped_column(sa.BigInteger)
    is_released: Mapped[bool] = mapped_column(sa.Boolean)
    used_at: Mapped[int] = mapped_column(sa.BigInteger)
    released_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    is_by_hand: Mapped[bool] = mapped_column(sa.Boolean)
    is_undone: Mapped[bool] = mapped_column(sa.Boolean)
    actor: Mapped[str | None] = mapped_column(sa.Text)


class Grant(db.Base):
    """A reward given without points: by a rule of a source, or by hand. It is a claim of its
    source: `rule` and `number` tell several of one source apart.

    States: `open` (can be used), `used`, `lapsed` (its date is over), `revoked` (its cause fell),
    `frozen` (not deserved for now). Where its reward comes with a voucher, that is issued with it
    and is the only way to use it; else a redemption is. `cause` is how what gave it stands: it
    `stands`, it `fell`, or a hand has `withdrawn` the grant for good. What was used is kept all
    the same; where its use is given up it is what its cause says. `due_at` is when an unused one
    ends by itself: by its date, or sooner with the term that it is frozen for.
    """

    __tablename__ = "grants"
    __table_args__ = (
        _of_member(),
        sa.UniqueConstraint("program_id", "source_id", "rule", "number"),
        sa.Index("ix_grants_member", "program_id", "member_id", "id"),
        sa.Index(
            "ix_grants_fallen",
            "program_id",
            "rule",
            "member_id",
            **_where("state = 'used' AND cause = 'fell'"),
        ),
        sa.Index(
            "ix_grants_due",
            "program_id",
            "due_at",
            **_where("due_at IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    reward_key: Mapped[str] = mapped_column(sa.Text)
    source_type: Mapped[str] = mapped_column(sa.Text)
    source_ref: Mapped[str] = mapped_column(sa.Text)
    source_id: Mapped[bytes] = mapped_column(db.Id)
    rule: Mapped[str] = mapped_column(sa.Text)
    number: Mapped[int] = mapped_column(sa.BigInteger)
    terms: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int] = mapped_column(sa.BigInteger)
    switches: Mapped[int] = mapped_column(sa.BigInteger)
    state: Mapped[str] = mapped_column(sa.Text)
    cause: Mapped[str] = mapped_column(sa.Text)
    has_stock: Mapped[bool] = mapped_column(sa.Boolean)
    voucher_id: Mapped[bytes | None] = mapped_column(db.Id)
    redemption_id: Mapped[bytes | None] = mapped_column(db.Id)
    decision_id: Mapped[bytes | None] = mapped_column(db.Id)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    granted_at: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)
    expires_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    due_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    ended_at: Mapped[int | None] = mapped_column(sa.BigInteger)


class Fulfilment(db.Base):
    """What staff sends a member: requested, shipped, delivered, or cancelled."""

    __tablename__ = "fulfilments"
    __table_args__ = (
        _of_member(),
        sa.UniqueConstraint("program_id", "redemption_id"),
        sa.Index("ix_fulfilments_state", "program_id", "state", "id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    redemption_id: Mapped[bytes] = mapped_column(db.Id)
    reward_key: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text)
    carrier: Mapped[str | None] = mapped_column(sa.Text)
    tracking: Mapped[str | None] = mapped_column(sa.Text)
    note: Mapped[str | None] = mapped_column(sa.Text)
    requested_at: Mapped[int] = mapped_column(sa.BigInteger)
    shipped_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    delivered_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    cancelled_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    updated_at: Mapped[int] = mapped_column(sa.BigInteger)


class FulfilmentChange(db.Base):
    """The log of fulfilments: every state, who set it, and when."""

    __tablename__ = "fulfilment_changes"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["program_id", "fulfilment_id"], ["fulfilments.program_id", "fulfilments.id"]
        ),
        sa.Index("ix_fulfilment_changes_of", "program_id", "fulfilment_id", "id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    fulfilment_id: Mapped[bytes] = mapped_column(db.Id)
    state: Mapped[str] = mapped_column(sa.Text)
    note: Mapped[str | None] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)


class WrongGuess(db.Base):
    """How many codes that are none somebody tried within a window of time. `subject` is a keyed
    digest of a member or of an address."""

    __tablename__ = "wrong_guesses"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    subject: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    window_at: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    count: Mapped[int] = mapped_column(sa.BigInteger)


class PayableExport(db.Base):
    """What was owed and handed on to be paid: a sum for each of `count` members, in all
    `total_minor`. `until` is up to when what was owed is in it."""

    __tablename__ = "payable_exports"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    until: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.Text)
    count: Mapped[int] = mapped_column(sa.BigInteger)
    total_minor: Mapped[int] = mapped_column(sa.BigInteger)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)


class Payable(db.Base):
    """Cash that a rule of a source came to owe a member (`minor` above zero), or owes no longer
    (below). Rows are only added: what stands of a source, a rule and a member is their sum.
    `decision_id` is of what decided it, null for what is withdrawn without any. `exported_by` and
    `payee_id`, the member to whom it was exported, are set together, once."""

    __tablename__ = "payables"
    __table_args__ = (
        _of_member(),
        sa.ForeignKeyConstraint(
            ["program_id", "exported_by"], ["payable_exports.program_id", "payable_exports.id"]
        ),
        sa.CheckConstraint("minor <> 0", name="moves_something"),
        sa.Index("ix_payables_source", "program_id", "source_id"),
        sa.Index("ix_payables_member", "program_id", "member_id", "id"),
        sa.Index("ix_payables_owed", "program_id", "member_id", **_where("exported_by IS NULL")),
        sa.Index(
            "ix_payables_exported",
            "program_id",
            "exported_by",
            "payee_id",
            **_where("exported_by IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    source_type: Mapped[str] = mapped_column(sa.Text)
    source_ref: Mapped[str] = mapped_column(sa.Text)
    source_id: Mapped[bytes] = mapped_column(db.Id)
    rule: Mapped[str] = mapped_column(sa.Text)
    minor: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.Text)
    decision_id: Mapped[bytes | None] = mapped_column(db.Id)
    exported_by: Mapped[bytes | None] = mapped_column(db.Id)
    payee_id: Mapped[bytes | None] = mapped_column(db.Id)
    effective_at: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)
