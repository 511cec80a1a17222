"""Addresses of reports."""

from typing import Any

import sqlalchemy as sa

from analytics import (
    liability,
    referral_schemas,
    referrals,
    rewards,
    schemas,
    surprise_schemas,
    surprises,
)
from core import auth, db, http
from core.errors import invalid_at
from programs import versions
from rewards.surprises.carried import DRAWS

routes = http.Routes("reports", __name__, url_prefix="/v1/reports", description="Reports.")


@routes.operation(
    "GET",
    "/liability",
    answers={200: schemas.LiabilityReport()},
    query=schemas.LiabilityQuery(),
)
def get_liability(query: dict[str, Any]) -> dict[str, Any]:
    """What the program owes: points, gift cards and store credit, codes and grants."""
    program_id = auth.credential().program_id
    return db.reading(lambda connection: liability.report(connection, program_id, query))


@routes.operation(
    "GET", "/rewards", answers={200: schemas.RewardsReport()}, query=schemas.RewardsReportQuery()
)
def get_rewards(query: dict[str, Any]) -> dict[str, Any]:
    """What rewards came to in a period: redemptions, points, costs, codes, stock."""
    program_id = auth.credential().program_id
    return db.reading(lambda connection: rewards.report(connection, program_id, query))


@routes.operation(
    "GET",
    "/referrals",
    answers={200: referral_schemas.ReferralsReport()},
    query=referral_schemas.ReferralsReportQuery(),
)
def get_referrals(query: dict[str, Any]) -> dict[str, Any]:
    """What referrals came to in a period: the funnel, how fast, at what cost, for whom."""
    program_id = auth.credential().program_id
    return db.reading(lambda connection: referrals.report(connection, program_id, query))


@routes.operation(
    "GET",
    "/surprises",
    answers={200: surprise_schemas.SurprisesReport()},
    query=surprise_schemas.SurprisesReportQuery(),
)
def get_surprises(query: dict[str, Any]) -> dict[str, Any]:
    """What surprises came to in a period: draws, prizes, cost, budget, and what they changed."""
    program_id = auth.credential().program_id

    def read(connection: sa.Connection) -> dict[str, Any]:
        if "surprise" in query:
            _check_surprise(connection, program_id, query["surprise"])
        return surprises.report(connection, program_id, query)

    return db.reading(read)


def _check_surprise(connection: sa.Connection, program_id: bytes, key: str) -> None:
    """422 for what neither is a surprise of the program nor ever was drawn."""
    live, _ = versions.get_live(connection, program_id)
    its = (DRAWS.c.program_id == program_id, DRAWS.c.surprise_key == key)
    if live.surprises.find(key) is not None:
        return
    if connection.execute(sa.select(DRAWS.c.id).where(*its).limit(1)).first() is None:
        known = ", ".join(one.key for one in live.surprises.all) or "none"
        raise invalid_at("?surprise", f"is no surprise here; there are: {known}")
