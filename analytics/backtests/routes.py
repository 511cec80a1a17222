"""Addresses of back-tests."""

from typing import Any

import sqlalchemy as sa
from flask import Response

from analytics.backtests import asking, reading, schemas
from core import auth, db, http, idempotency, ids, paging

routes = http.Routes(
    "backtests", __name__, url_prefix="/v1", description="What a document would have come to."
)
_BACKTEST = schemas.BacktestAnswer()


@routes.operation(
    "POST",
    "/backtests",
    answers={202: _BACKTEST},
    body=schemas.BacktestBody(),
    problems=(409,),
    parameters=(idempotency.PARAMETER,),
)
def ask_backtest(body: dict[str, Any]) -> Response:
    """Try a document on what was told in a period; a worker does it, ask again for the result."""
    program_id, actor = auth.credential().program_id, auth.actor()
    return idempotency.once(
        lambda connection: asking.ask(connection, program_id, body, actor=actor)
    )


@routes.operation("GET", "/backtests/<backtest_id>", answers={200: _BACKTEST})
def get_backtest(backtest_id: str) -> dict[str, Any]:
    """A back-test: how far it is, what came of it, and how right it was since."""
    program_id = auth.credential().program_id
    return db.reading(
        lambda connection: reading.whole(connection, program_id, asking.read_id(backtest_id))
    )


@routes.operation(
    "GET",
    "/backtests",
    answers={200: schemas.BacktestsAnswer()},
    query=schemas.BacktestsQuery(),
)
def list_backtests(query: dict[str, Any]) -> dict[str, Any]:
    """Back-tests, newest first."""
    cursor = paging.read_cursor(query.get("cursor"), [str])
    before = paging.read_id(asking.PREFIX, cursor[0]) if cursor else None
    program_id, limit = auth.credential().program_id, query["limit"]

    def read(connection: sa.Connection) -> dict[str, Any]:
        rows = asking.list_page(connection, program_id, before=before, limit=limit)
        return paging.page(
            rows,
            limit,
            key=lambda row: [ids.show_id(asking.PREFIX, bytes(row.id))],
            show=lambda row: asking.show(connection, row),
        )

    return db.reading(read)


@routes.operation("DELETE", "/backtests/<backtest_id>", answers={204: "It is gone."})
def delete_backtest(backtest_id: str) -> tuple[str, int]:
    """Take a back-test away, with its result; one that runs stops."""
    program_id = auth.credential().program_id
    db.in_transaction(
        lambda connection: asking.delete(connection, program_id, asking.read_id(backtest_id))
    )
    return "", 204
