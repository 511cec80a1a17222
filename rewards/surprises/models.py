"""The table of receipts: every chance that a surprise took up, and what became of it."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


def _where(text: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(text), "sqlite_where": sa.text(text)}


class Draw(db.Base):
    """A receipt: one surprise, one member, one happening, for ever (SEMANTICS 55).

    Written when the happening met the surprise's condition. `guard` is the first guard behind the
    condition that stood against it (holdout, excluded, limit_reached, cooldown, budget; of a
    holdout `holdout_scope` says whether it is the program's or the rule's); without one there was a
    draw: `roll` (millionths) below `threshold_ppm` won, which is `probability_ppm` by what pacing
    left of it (`pace_ppm`); after `pity_after` losses in a row (`losses` before this one) it wins
    whatever the roll. `prize` is the place of the won one, from 0.

    `activity_ref` names what happened as the roll was made with it: the order's or activity's own
    reference, for others `<what>:<which>`. `member_ref` is the reference that the member was
    created with. Both go, with `is_erased`, when the member is erased. Its number and
    leaf are given when the epoch is closed (`rewards.luck`).

    A won prize `stands` while what caused it does; a shadow rule's never does. `cost` is what it
    takes of the budget, in the budget's unit. `decision_id` is of the decision that pays it.
    `seen_at` is when the member saw it.
    """

    __tablename__ = "draws"
    __table_args__ = (
        # None to the member: looking that up for each of ten receipts is a third of writing them.
        # `flask ledger verify` looks.
        sa.ForeignKeyConstraint(
            ["program_id", "epoch"], ["draw_epochs.program_id", "draw_epochs.number"]
        ),
        sa.UniqueConstraint("program_id", "source_id", "surprise_key", "member_id"),
        sa.Index("ix_draws_member", "program_id", "member_id", "surprise_key", "id"),
        sa.Index(
            "ix_draws_won",
            "program_id",
            "member_id",
            "surprise_key",
            "drawn_at",
            **_where("won AND NOT is_shadow"),
        ),
        sa.Index("ix_draws_surprise", "program_id", "surprise_key", "id"),
        sa.Index("ix_draws_epoch", "program_id", "epoch", "surprise_key", "id"),
        # What a surprise was expected to spend on a day, read from the index alone.
        sa.Index(
            "ix_draws_expected",
            "program_id",
            "surprise_key",
            "recorded_at",
            "expected_cost_micro",
            **_where("expected_cost_micro IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    surprise_key: Mapped[str] = mapped_column(sa.Text)
    #: The program version in which the surprise last changed.
    version: Mapped[int] = mapped_column(sa.Integer)
    #: The version and switches by which it was judged: whose prizes are paid.
    live_version: Mapped[int] = mapped_column(sa.Integer)
    switches: Mapped[int] = mapped_column(sa.Integer)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    member_ref: Mapped[str | None] = mapped_column(sa.Text)
    trigger: Mapped[str] = mapped_column(sa.Text)
    source_type: Mapped[str] = mapped_column(sa.Text)
    source_ref: Mapped[str | None] = mapped_column(sa.Text)
    source_id: Mapped[bytes] = mapped_column(db.Id)
    activity_ref: Mapped[str | None] = mapped_column(sa.Text)
    guard: Mapped[str | None] = mapped_column(sa.Text)
    holdout_scope: Mapped[str | None] = mapped_column(sa.Text)
    is_shadow: Mapped[bool] = mapped_column(sa.Boolean)
    probability_ppm: Mapped[int] = mapped_column(sa.Integer)
    pace_ppm: Mapped[int] = mapped_column(sa.Integer)
    threshold_ppm: Mapped[int] = mapped_column(sa.Integer)
    losses: Mapped[int] = mapped_column(sa.Integer)
    pity_after: Mapped[int | None] = mapped_column(sa.Integer)
    is_pity: Mapped[bool] = mapped_column(sa.Boolean)
    weights: Mapped[str] = mapped_column(sa.Text)
    roll: Mapped[int | None] = mapped_column(sa.Integer)
    won: Mapped[bool] = mapped_column(sa.Boolean)
    prize: Mapped[int | None] = mapped_column(sa.Integer)
    stands: Mapped[bool] = mapped_column(sa.Boolean)
    #: Why a won prize does not stand: what caused it fell (`not_paid`), or when it stood again the
    #: budget was gone.
    why_fallen: Mapped[str | None] = mapped_column(sa.Text)
    cost: Mapped[int] = mapped_column(sa.BigInteger)
    #: What the draw was expected to take of the budget, in millionths of its unit and without
    #: pacing, also where an empty budget stopped it; None behind other guards, or without a budget.
    expected_cost_micro: Mapped[int | None] = mapped_column(sa.BigInteger)
    decision_id: Mapped[bytes | None] = mapped_column(db.Id)
    epoch: Mapped[int] = mapped_column(sa.Integer)
    body_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    is_erased: Mapped[bool] = mapped_column(sa.Boolean)
    drawn_at: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)
    seen_at: Mapped[int | None] = mapped_column(sa.BigInteger)


class SurprisePace(db.Base):
    """How much of a surprise's probability its budget can bear on a day of the program.

    Computed once, at the first draw of the day, from what was left of the total then, and the same
    for every draw of the day. `version` is the one in which the surprise last changed.
    """

    __tablename__ = "surprise_paces"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    surprise_key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    version: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    paced_on: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    remaining: Mapped[int] = mapped_column(sa.BigInteger)
    days_left: Mapped[int] = mapped_column(sa.Integer)
    #: What a day without pacing would spend, in millionths of the budget's unit.
    expected_micro: Mapped[int] = mapped_column(sa.BigInteger)
    pace_ppm: Mapped[int] = mapped_column(sa.Integer)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)


class BudgetAlert(db.Base):
    """An alert that was sent of a budget: once for each threshold of each total it ever had.

    `rule` is the key that the budget is claimed under, with `@` and the date where it is a day's
    share of it. Raising the total arms the alerts anew.
    """

    __tablename__ = "budget_alerts"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    rule: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    total: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    percent: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    used: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)


class Silence(db.Base):
    """When a member's silence is to be looked at next: it begins with their last order.

    Nothing of it falls due before `due_at`, which may be early (then it is put off) and is null
    while nothing is to come. Whatever order it began with, all that fell due by `settled_at` is
    over. Kept only where a program has surprises of silence.
    """

    __tablename__ = "silences"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index("ix_silences_due", "program_id", "due_at", **_where("due_at IS NOT NULL")),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    due_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    order_id: Mapped[bytes | None] = mapped_column(db.Id)
    settled_at: Mapped[int | None] = mapped_column(sa.BigInteger)


class SilenceLook(db.Base):
    """Up to which member those of a program who ordered before have their row of `silences`, for
    silences of these `lengths`; `cursor` is null when all of them have."""

    __tablename__ = "silence_looks"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    lengths: Mapped[str] = mapped_column(sa.Text)
    cursor: Mapped[bytes | None] = mapped_column(db.Id)
