"""Address of budgets."""

from typing import Any

from core import auth, db, http
from storefront.budgets import budget_schemas as schemas
from storefront.budgets import listing

routes = http.Routes("budgets", __name__, url_prefix="/v1", description="What rewards may cost.")


@routes.operation("GET", "/budgets", answers={200: schemas.BudgetsAnswer()})
def list_budgets() -> dict[str, Any]:
    """Every budget of the live version: what is used and left of it, and today's pace."""
    program_id = auth.credential().program_id
    return db.reading(lambda connection: listing.show(connection, program_id))
