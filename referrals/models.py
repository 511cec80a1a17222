"""Tables of referrals."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


def _of(column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["program_id", column], ["members.program_id", "members.id"])


def _of_referral() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["program_id", "referral_id"], ["referrals.program_id", "referrals.id"]
    )


def _of_link() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["program_id", "link_id"], ["links.program_id", "links.id"])


def _where(text: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(text), "sqlite_where": sa.text(text)}


class Link(db.Base):
    """The link of a member for one offer; `code` is the one that is shown now."""

    __tablename__ = "links"
    __table_args__ = (_of("member_id"), sa.UniqueConstraint("program_id", "member_id", "offer_key"))

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    offer_key: Mapped[str] = mapped_column(sa.Text)
    code: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)


class LinkCode(db.Base):
    """A code that leads to a link: the directory of the whole instance, by the code's canonical
    form (`referrals.codes`). A row is for ever: what once led to a member never leads to another.
    One that `is_closed` (its advocate was erased) leads nowhere."""

    __tablename__ = "link_codes"
    __table_args__ = (_of_link(), sa.Index("ix_link_codes_link", "program_id", "link_id"))

    canonical: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    program_id: Mapped[bytes] = mapped_column(db.Id)
    link_id: Mapped[bytes] = mapped_column(db.Id)
    code: Mapped[str] = mapped_column(sa.Text)
    is_vanity: Mapped[bool] = mapped_column(sa.Boolean)
    is_closed: Mapped[bool] = mapped_column(sa.Boolean)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)


class LinkCount(db.Base):
    """How often a link was shared, clicked, clicked again by the same visitor, previewed by a
    machine: per channel ('' where none was named) and local day."""

    __tablename__ = "link_counts"
    __table_args__ = (_of_link(), sa.Index("ix_link_counts_day", "program_id", "day"))

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    link_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    day: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    channel: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    count: Mapped[int] = mapped_column(sa.BigInteger)


class Click(db.Base):
    """A click of a visitor who is known again by a keyed digest, kept as long as an offer's window:
    by it a visitor's repeats of a day count once, and their other clicks are candidates. What is
    evidence lives in the token; without a visitor there is no row."""

    __tablename__ = "clicks"
    __table_args__ = (
        _of_link(),
        sa.UniqueConstraint("program_id", "link_id", "day", "visitor"),
        sa.Index("ix_clicks_visitor", "program_id", "visitor", "clicked_at"),
        sa.Index("ix_clicks_age", "program_id", "expires_at"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    link_id: Mapped[bytes] = mapped_column(db.Id)
    day: Mapped[str] = mapped_column(sa.Text)
    channel: Mapped[str] = mapped_column(sa.Text)
    visitor: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    version: Mapped[int] = mapped_column(sa.BigInteger)
    switches: Mapped[int] = mapped_column(sa.BigInteger)
    clicked_at: Mapped[int] = mapped_column(sa.BigInteger)
    expires_at: Mapped[int] = mapped_column(sa.BigInteger)


class Referral(db.Base):
    """One friend, brought by one advocate: one per friend and program.

    Written only by units that hold the locks of both. States: `identified`, `qualified` (only
    passed through), `on_hold`, `in_review`, `approved`, `rejected`, `expired`. `is_bound` is false
    while evidence was only rejected: later evidence may still bind the friend.
    `version` and `switches` pin the offer: as of the click, else of the attribution.
    `clicked_at` is the instant of the click that won, `bound_at` since when the friend is the
    advocate's (event time), `order_ref` the order that qualifies, `net_minor` what stands of it.
    `stands` says that it counts as an approved friend: paid, and its order still deserves it.
    `evidence` holds candidates, the winner among them, and the facts at attribution (JSON).
    `due_at` is when time alone does something next: the hold ends, a review or the credit window
    runs out. `score_bp` and `signals` are of the last scoring, `cleared_bp` up to which score a
    reviewer has cleared it; `approvals` names who approved at which cost
    where four eyes are needed (JSON).
    """

    __tablename__ = "referrals"
    __table_args__ = (
        _of("friend_id"),
        _of("advocate_id"),
        sa.UniqueConstraint("program_id", "friend_id"),
        sa.Index("ix_referrals_advocate", "program_id", "advocate_id", "id"),
        sa.Index("ix_referrals_state", "program_id", "state", "id"),
        sa.Index("ix_referrals_due", "program_id", "due_at", **_where("due_at IS NOT NULL")),
        sa.Index(
            "ix_referrals_standing",
            "program_id",
            "advocate_id",
            "qualified_at",
            **_where("stands"),
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    friend_id: Mapped[bytes] = mapped_column(db.Id)
    advocate_id: Mapped[bytes] = mapped_column(db.Id)
    link_id: Mapped[bytes | None] = mapped_column(db.Id)
    offer_key: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int] = mapped_column(sa.BigInteger)
    switches: Mapped[int] = mapped_column(sa.BigInteger)
    channel: Mapped[str | None] = mapped_column(sa.Text)
    method: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    is_bound: Mapped[bool] = mapped_column(sa.Boolean)
    stands: Mapped[bool] = mapped_column(sa.Boolean)
    order_ref: Mapped[str | None] = mapped_column(sa.Text)
    net_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    score_bp: Mapped[int] = mapped_column(sa.BigInteger)
    cleared_bp: Mapped[int] = mapped_column(sa.BigInteger)
    signals: Mapped[str] = mapped_column(sa.Text)
    evidence: Mapped[str] = mapped_column(sa.Text)
    approvals: Mapped[str] = mapped_column(sa.Text)
    clicked_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    bound_at: Mapped[int] = mapped_column(sa.BigInteger)
    qualified_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    hold_until: Mapped[int | None] = mapped_column(sa.BigInteger)
    approved_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    due_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)
    updated_at: Mapped[int] = mapped_column(sa.BigInteger)


class ReferralSide(db.Base):
    """What a referral brings one of those it concerns: the `advocate`, the `friend`, or, where an
    offer has a second level, whoever brought the advocate (`second`).

    Its id is the source of what it brings: of lots, grants, payables, claims. States: `waiting`,
    `rewarded`, `capped`, `clawed_back`; `lost` is for ever (its member was erased). `decision_id`
    is of the decision that stands, `number` grows with each payment that was decided.
    """

    __tablename__ = "referral_sides"
    __table_args__ = (
        _of_referral(),
        _of("member_id"),
        sa.UniqueConstraint("program_id", "referral_id", "side"),
        sa.Index("ix_referral_sides_member", "program_id", "member_id", "state", "id"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    referral_id: Mapped[bytes] = mapped_column(db.Id)
    side: Mapped[str] = mapped_column(sa.Text)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    state: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    decision_id: Mapped[bytes | None] = mapped_column(db.Id)
    number: Mapped[int] = mapped_column(sa.BigInteger)
    cost_minor: Mapped[int] = mapped_column(sa.BigInteger)
    first_rewarded_at: Mapped[int | None] = mapped_column(sa.BigInteger)
    updated_at: Mapped[int] = mapped_column(sa.BigInteger)


class ReferralTransition(db.Base):
    """One line of the log of a referral: what changed, for whom (`side` is null for the whole), why
    and by whom. Appended only: the database refuses to change it. `detail` is JSON."""

    __tablename__ = "referral_transitions"
    __table_args__ = (
        _of_referral(),
        sa.UniqueConstraint("program_id", "referral_id", "number"),
        sa.Index("ix_referral_transitions_at", "program_id", "effective_at"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    referral_id: Mapped[bytes] = mapped_column(db.Id)
    number: Mapped[int] = mapped_column(sa.BigInteger)
    side: Mapped[str | None] = mapped_column(sa.Text)
    from_state: Mapped[str | None] = mapped_column(sa.Text)
    to_state: Mapped[str] = mapped_column(sa.Text)
    cause: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    detail: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[str | None] = mapped_column(sa.Text)
    effective_at: Mapped[int] = mapped_column(sa.BigInteger)
    recorded_at: Mapped[int] = mapped_column(sa.BigInteger)


class ReferralMilestone(db.Base):
    """A milestone that an advocate reached with an offer: at so many friends, for the `number`-th
    time where it repeats. Paid while it stands; reached again, the same row stands again. Its
    version is pinned when it is first reached."""

    __tablename__ = "referral_milestones"
    __table_args__ = (
        _of("member_id"),
        sa.UniqueConstraint(
            "program_id",
            "member_id",
            "offer_key",
            "at_count",
            "number",
            name="uq_referral_milestones_number",
        ),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id)
    offer_key: Mapped[str] = mapped_column(sa.Text)
    at_count: Mapped[int] = mapped_column(sa.BigInteger)
    number: Mapped[int] = mapped_column(sa.BigInteger)
    version: Mapped[int] = mapped_column(sa.BigInteger)
    switches: Mapped[int] = mapped_column(sa.BigInteger)
    stands: Mapped[bool] = mapped_column(sa.Boolean)
    reached_at: Mapped[int] = mapped_column(sa.BigInteger)
    decision_id: Mapped[bytes | None] = mapped_column(db.Id)
    updated_at: Mapped[int] = mapped_column(sa.BigInteger)


class Trace(db.Base):
    """A keyed digest of something that was seen with a member (address, browser, device, means of
    payment, postal address, a name) under the key of its `epoch`; forgotten at `expires_at`."""

    __tablename__ = "traces"
    __table_args__ = (
        _of("member_id"),
        sa.Index("ix_traces_member", "program_id", "member_id"),
        sa.Index("ix_traces_age", "program_id", "expires_at"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    epoch: Mapped[int] = mapped_column(sa.BigInteger)
    seen_at: Mapped[int] = mapped_column(sa.BigInteger)
    expires_at: Mapped[int] = mapped_column(sa.BigInteger)


class HouseholdTrust(db.Base):
    """Two members of whom a reviewer says that they share a household and are two people: what they
    share is held against neither. The smaller id is first."""

    __tablename__ = "household_trusts"
    __table_args__ = (_of("first_id"), _of("second_id"))

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    first_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    second_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    referral_id: Mapped[bytes] = mapped_column(db.Id)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)


class ReferralBlock(db.Base):
    """A member who can neither refer nor be referred, since a reviewer said so."""

    __tablename__ = "referral_blocks"
    __table_args__ = (_of("member_id"),)

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    referral_id: Mapped[bytes] = mapped_column(db.Id)
    created_at: Mapped[int] = mapped_column(sa.BigInteger)


class Lead(db.Base):
    """Evidence of a friend who is no member yet: by a keyed digest of their contact, or of the
    order that a guest placed. Used when they become one, forgotten at `expires_at`."""

    __tablename__ = "leads"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),
        _of_link(),
        sa.Index("ix_leads_digest", "program_id", "kind", "digest"),
        sa.Index("ix_leads_age", "program_id", "expires_at"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    link_id: Mapped[bytes] = mapped_column(db.Id)
    method: Mapped[str] = mapped_column(sa.Text)
    channel: Mapped[str | None] = mapped_column(sa.Text)
    version: Mapped[int] = mapped_column(sa.BigInteger)
    switches: Mapped[int] = mapped_column(sa.BigInteger)
    touched_at: Mapped[int] = mapped_column(sa.BigInteger)
    expires_at: Mapped[int] = mapped_column(sa.BigInteger)


class OrderContact(db.Base):
    """A keyed digest of a contact that an order was told with: whoever buys with it is no new
    member (SEMANTICS F42), and no friend of whom it is of (F43)."""

    __tablename__ = "order_contacts"
    __table_args__ = (
        sa.ForeignKeyConstraint(["program_id"], ["programs.program_id"]),
        sa.Index("ix_order_contacts_order", "program_id", "order_ref"),
    )

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    order_ref: Mapped[str] = mapped_column(sa.Text, primary_key=True)
