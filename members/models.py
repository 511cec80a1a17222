"""Tables of members: their contacts, consents and signup claims, what they did, their days."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class Member(db.Base):
    """A member. Its row is the one lock that every unit touching the member takes first.

    An erased member keeps the row, because the ledger refers to it: emptied, and under a
    reference that nobody can guess. `told_at` is when a storefront first told of the member
    themselves; nobody has yet of whom an order enrolled.
    """

    __tablename__ = "members"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),
        sa.UniqueConstraint("program_id", "member_ref"),
        sa.Index(
            "ix_members_merged",
            "program_id",
            "merged_into_id",
            postgresql_where=sa.text("merged_into_id IS NOT NULL"),
            sqlite_where=sa.text("merged_into_id IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_ref: Mapped[str] = mapped_column(sa.Text)
    email: Mapped[str | None] = mapped_column(sa.Text)
    phone: Mapped[str | None] = mapped_column(sa.Text)
    contact_verified: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str | None] = mapped_column(sa.Text)
    birthday_on: Mapped[str | None] = mapped_column(sa.Text)
    locale: Mapped[str | None] = mapped_column(sa.Text)
    card_ref: Mapped[str | None] = mapped_column(sa.Text)
    attributes: Mapped[str] = mapped_column(sa.Text)
    is_enrolled: Mapped[bool] = mapped_column(sa.Boolean)
    joined_at: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    merged_into_id: Mapped[bytes | None] = mapped_column(db.Id)
    erased_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    told_at: Mapped[int | None] = mapped_column(sa.BigInteger)


class ContactDigest(db.Base):
    """A keyed digest of a canonical contact, for matching and search."""

    __tablename__ = "contact_digests"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index("ix_contact_digests_member", "program_id", "member_id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)


class SignupClaim(db.Base):
    """A canonical contact for which signup effects were paid: they are paid once.

    While the member lives the claim has no end. An erased member's is a tombstone: it ends at
    `ends_at` and no longer says whose it was.
    """

    __tablename__ = "signup_claims"
    __table_args__ = (
        sa.Index(
            "ix_signup_claims_member",
            "program_id",
            "member_id",
            postgresql_where=sa.text("member_id IS NOT NULL"),
            sqlite_where=sa.text("member_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_signup_claims_ending",
            "program_id",
            "ends_at",
            postgresql_where=sa.text("ends_at IS NOT NULL"),
            sqlite_where=sa.text("ends_at IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    claimed_at: Mapped[int] = mapped_column(sa.BigInteger)
    member_id: Mapped[bytes | None] = mapped_column(db.Id)
    ends_at: Mapped[int | None] = mapped_column(sa.BigInteger)


class Consent(db.Base):
    """One statement of consent or its withdrawal; appended, never overwritten."""

    __tablename__ = "consents"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    purpose: Mapped[str] = mapped_column(sa.Text)
    channel: Mapped[str | None] = mapped_column(sa.Text)
    is_granted: Mapped[bool] = mapped_column(sa.Boolean)
    at: Mapped[int] = mapped_column(sa.BigInteger)
    source: Mapped[str] = mapped_column(sa.Text)
    text_version: Mapped[str | None] = mapped_column(sa.Text)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)


class Erasure(db.Base):
    """That a member was erased, and what the erasure answered; it names nobody."""

    __tablename__ = "erasures"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    erased_at: Mapped[int] = mapped_column(sa.BigInteger)
    answer: Mapped[str] = mapped_column(sa.Text)


class ErasedReference(db.Base):
    """A keyed digest of a reference that an erased member had, so that erasing them once more
    answers as the first time; kept as long as the tombstones of their contacts."""

    __tablename__ = "erased_references"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index("ix_erased_references_ending", "program_id", "ends_at"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    ends_at: Mapped[int] = mapped_column(sa.BigInteger)


class Activity(db.Base):
    """What a member did, as the storefront last told it: a visit, a review, any kind.

    `said_at` is when it happened as the storefront said; `occurred_at` is that, or the clock when
    what was said lay ahead of it. `qualifying_points` are what of its points counts for tiers.
    """

    __tablename__ = "activities"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.UniqueConstraint("program_id", "activity_ref"),
        sa.Index("ix_activities_member", "program_id", "member_id", "kind", "occurred_at"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    activity_ref: Mapped[str] = mapped_column(sa.Text)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    kind: Mapped[str] = mapped_column(sa.Text)
    said_at: Mapped[int] = mapped_column(sa.BigInteger)
    occurred_at: Mapped[int] = mapped_column(sa.BigInteger)
    facts: Mapped[str] = mapped_column(sa.Text)
    status: Mapped[str] = mapped_column(sa.Text)
    qualifying_points: Mapped[int] = mapped_column(sa.BigInteger)
    decision_id: Mapped[bytes] = mapped_column(db.Id)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    updated_at: Mapped[int] = mapped_column(sa.BigInteger)


class Occasion(db.Base):
    """When a member's birthday or anniversary is to be looked at next, and when it was last paid.

    Nothing of it falls due before `due_at`, which may be early (then it is put off) and is null
    while there is no such day. `told_at` is when the present day of the year was told, `last_on`
    the last local day that was paid.
    """

    __tablename__ = "occasions"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index(
            "ix_occasions_due",
            "program_id",
            "kind",
            "due_at",
            postgresql_where=sa.text("due_at IS NOT NULL"),
            sqlite_where=sa.text("due_at IS NOT NULL"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    due_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    told_at: Mapped[int] = mapped_column(sa.BigInteger)
    last_on: Mapped[str | None] = mapped_column(sa.Text)


class OccasionPayment(db.Base):
    """One birthday or anniversary that was paid: what the lots it made come from."""

    __tablename__ = "occasion_payments"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id", "member_id"], ["members.program_id", "members.id"]),
        sa.Index("ix_occasion_payments_member", "program_id", "member_id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    kind: Mapped[str] = mapped_column(sa.Text)
    paid_on: Mapped[str] = mapped_column(sa.Text)
    decision_id: Mapped[bytes] = mapped_column(db.Id)
