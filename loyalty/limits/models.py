"""Tables of limits."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core import db


class LimitClaim(db.Base):
    """What one source (an order, an activity, a birthday …) takes of the limits of one rule.

    `wanted` is the whole points that the rule would have given at most, so that a source that
    stands is not bounded anew; `counters` are those of the program that the claim is counted in,
    null when there is none. The key is all that is read by: a member's claims of a rule in time.
    """

    __tablename__ = "limit_claims"

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    member_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    rule: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    at: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    source_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    times: Mapped[int] = mapped_column(sa.BigInteger)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    wanted: Mapped[int] = mapped_column(sa.BigInteger)
    counters: Mapped[str | None] = mapped_column(sa.Text)


class LimitCounter(db.Base):
    """How much all members together used of a rule's limit in one period: the sum of the claims
    that are counted in it."""

    __tablename__ = "limit_counters"

    program_id: Mapped[bytes] = mapped_column(db.Id, primary_key=True)
    rule: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    period: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    starts_at: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    unit: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    used: Mapped[int] = mapped_column(sa.BigInteger)
