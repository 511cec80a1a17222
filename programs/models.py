"""Tables of programs, their versions and drafts, and the decisions taken under a version."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class Program(db.Base):
    """A tenant. `clock_at` is a test program's own clock; without one, real time runs. It is
    moved to `clock_target` through everything that falls due on the way. `switches` is the number
    of the last switch made."""

    __tablename__ = "programs"

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    mode: Mapped[str] = mapped_column(sa.Text)
    clock_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    clock_target: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: What members are put into buckets of holdouts by; by default the program's id.
    holdout_salt: Mapped[str | None] = mapped_column(sa.Text)
    live_version: Mapped[int] = mapped_column(sa.Integer)
    switches: Mapped[int] = mapped_column(sa.Integer, default=0, server_default=sa.text("0"))
    created_at: Mapped[int] = mapped_column(sa.BigInteger)


class ProgramVersion(db.Base):
    """A published document; never changed afterwards."""

    __tablename__ = "program_versions"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    version: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    document: Mapped[str] = mapped_column(sa.Text)
    note: Mapped[str | None] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    approver: Mapped[str | None] = mapped_column(sa.Text)
    restored_from: Mapped[int | None] = mapped_column(sa.Integer)
    #: In which version each surprise last changed, by key; null where there is none.
    surprise_versions: Mapped[str | None] = mapped_column(sa.Text)
    published_at: Mapped[int] = mapped_column(sa.BigInteger)
    #: The newest finished back-test of exactly this document, when it was published.
    backtest_id: Mapped[bytes | None] = mapped_column(db.Id)


class ProgramDraft(db.Base):
    """The document being worked on; without a row the draft equals what is published."""

    __tablename__ = "program_drafts"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    revision: Mapped[int] = mapped_column(sa.Integer)
    document: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    updated_at: Mapped[int] = mapped_column(sa.BigInteger)


class ProgramSwitch(db.Base):
    """An item of the document paused or set live at once, without a new version: a log by number,
    of which the last line about an item is in force."""

    __tablename__ = "program_switches"
    __table_args__ = (sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    section: Mapped[str] = mapped_column(sa.Text)
    key: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    switched_at: Mapped[int] = mapped_column(sa.BigInteger)


class Decision(db.Base):
    """A program version, with the switches made until then, applied to facts: pinned inputs and
    the outcome of every rule.

    `version` has no foreign key: every order would lock the one row of the live version.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        sa.Index(
            "ix_decisions_member",
            "program_id",
            "member_id",
            postgresql_where=sa.text("member_id IS NOT NULL"),
            sqlite_where=sa.text("member_id IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    source_type: Mapped[str] = mapped_column(sa.Text)
    source_ref: Mapped[str] = mapped_column(sa.Text)
    member_id: Mapped[bytes | None] = mapped_column(db.Id)
    version: Mapped[int] = mapped_column(sa.Integer)
    switches: Mapped[int] = mapped_column(sa.Integer, default=0, server_default=sa.text("0"))
    facts: Mapped[str] = mapped_column(sa.Text)
    outcomes: Mapped[str] = mapped_column(sa.Text)
    effective_at: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)


class Backtest(db.Base):
    """A document tried on what was told in a period, as it was asked for and what came of it.

    `tested` is document, draft or version, `digest` the SHA-256 of the canonical document, by which
    its publication finds it. Run by `analytics.backtests`; the result is text in its words.
    """

    __tablename__ = "backtests"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),
        sa.Index(
            "ix_backtests_of",
            "program_id",
            "digest",
            "id",
            postgresql_where=sa.text("state = 'done'"),
            sqlite_where=sa.text("state = 'done'"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    state: Mapped[str] = mapped_column(sa.Text)
    progress: Mapped[int] = mapped_column(sa.Integer)
    document: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    tested: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int | None] = mapped_column(sa.Integer)
    from_at: Mapped[int] = mapped_column(sa.BigInteger)
    to_at: Mapped[int] = mapped_column(sa.BigInteger)
    seeds: Mapped[int] = mapped_column(sa.Integer)
    result: Mapped[str | None] = mapped_column(sa.Text)
    error: Mapped[str | None] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    finished_at: Mapped[int | None] = mapped_column(sa.BigInteger)
