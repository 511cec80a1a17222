"""Addresses of reports."""

from typing import Any

from analytics import liability, rewards, schemas
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
