"""Finishing: what a unit of work has planned is written, after every chance that it brought was
taken up by surprises. The last call of a unit."""

import sqlalchemy as sa

from storefront.plan import Plan
from storefront.surprising import drawing


def write(connection: sa.Connection, plan: Plan) -> None:
    """Take up what is left of the plan's chances, and write everything."""
    drawing.follow(connection, plan)
    plan.write(connection)
