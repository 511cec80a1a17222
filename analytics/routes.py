"""Addresses of reports."""

from typing import Any

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
    return db.reading(lambda connection: surprises.report(connection, program_id, query))
