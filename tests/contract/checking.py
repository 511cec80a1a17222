"""What contract tests ask of an answer and of the database behind it."""

import json
from typing import Any

import sqlalchemy as sa

from tests.world import World


def problem(response: Any, status: int, code: str) -> Any:
    """The body of a problem, once it has been found to be the one expected."""
    told = response.get_data(as_text=True)
    assert response.status_code == status, told
    assert response.mimetype == "application/problem+json", told
    body = response.json
    assert body["status"] == status
    assert body["code"] == code, told
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert body["title"] and body["detail"] and body["type"].endswith(f"#{code}")
    return body


def send(world: World, method: str, path: str, body: Any) -> Any:
    """A request whose body may hold what our own writer refuses: lone surrogates, huge integers."""
    return world.app.test_client().open(
        f"/v1{path}",
        method=method,
        data=json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {world.key}", "Idempotency-Key": "sent-1"},
    )


def pointers(body: Any) -> list[str]:
    """Where the findings of a problem point to."""
    return [one["pointer"] for one in body.get("errors", [])]


def rows(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that the program has, by table: equal before and after means nothing changed."""
    from core import db, ids

    program_id = ids.read_id("prg", world.program_id)

    def read(connection: sa.Connection) -> dict[str, list[tuple[Any, ...]]]:
        found = {}
        for name, table in db.Base.metadata.tables.items():
            if "program_id" in table.columns:
                statement = sa.select(table).where(table.c.program_id == program_id)
                found[name] = sorted(
                    (tuple(row) for row in connection.execute(statement)), key=repr
                )
        return found

    with world.app.app_context():
        return db.reading(read)
