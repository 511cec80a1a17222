"""A POST with a key happens once, and answers the same for ever."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from core import clock, db, idempotency, ids
from tests.contract.checking import problem, rows
from tests.world import World, document

KEY = {"name": "till", "scopes": ["read"]}


def post(world: World, path: str, raw: str | None, key: str | None) -> Any:
    headers = {"Authorization": f"Bearer {world.key}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return world.app.test_client().post(
        f"/v1{path}", data=raw, content_type="application/json", headers=headers
    )


def names(world: World) -> list[str]:
    return [one["name"] for one in world.get("/keys")["data"]]


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/keys", '{"name": "till"}'),
        ("/program/draft/publish", '{"note": "now"}'),
        ("/program/versions/1/restore", None),
    ],
)
def test_a_write_without_a_key_is_refused(world: World, path: str, raw: str | None) -> None:
    before = rows(world)
    for key in (None, "", "   ", '""'):
        problem(post(world, path, raw, key), 400, "idempotency_key_missing")
    for key in ("a b", "x" * 256, "schlüssel".encode().decode("latin-1")):
        assert post(world, path, raw, key).status_code == 400
    assert rows(world) == before


def test_the_same_again_is_answered_byte_for_byte_and_done_once(world: World) -> None:
    raw = '{"name": "till", "scopes": ["read"]}'
    first = post(world, "/keys", raw, "k-1")
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    before = rows(world)
    again = post(world, "/keys", raw, "k-1")
    assert (again.status_code, again.data) == (201, first.data)
    assert again.mimetype == first.mimetype
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert rows(world) == before
    assert names(world) == ["till", "first key", "first key"]


def test_the_body_is_compared_as_json_and_not_as_text(world: World) -> None:
    first = post(world, "/keys", '{"name": "till", "scopes": ["read"]}', "k-1")
    again = post(world, "/keys", '{ "scopes":["read"],\n"name":"t\\u0069ll"}', "k-1")
    assert again.data == first.data
    assert names(world).count("till") == 1


def test_a_key_may_be_quoted(world: World) -> None:
    first = post(world, "/keys", '{"name": "till"}', "k-1")
    assert post(world, "/keys", '{"name": "till"}', '"k-1"').data == first.data


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/keys", '{"name": "till", "scopes": ["orders"]}'),
        ("/keys", '{"name": "till"}'),
        ("/program/versions/1/restore", None),
    ],
)
def test_another_body_or_route_under_the_same_key_is_refused(
    world: World, path: str, raw: str | None
) -> None:
    post(world, "/keys", '{"name": "till", "scopes": ["read"]}', "k-1")
    before = rows(world)
    problem(post(world, path, raw, "k-1"), 422, "idempotency_key_reused")
    assert rows(world) == before


def test_only_success_is_remembered(world: World) -> None:
    raw = '{"note": "first"}'
    problem(post(world, "/program/draft/publish", raw, "k-1"), 409, "state_conflict")
    problem(post(world, "/keys", '{"name": 5}', "k-1"), 422, "validation_failed")
    world.put("/program/draft", document(name="Changed"))
    done = post(world, "/program/draft/publish", raw, "k-1")
    assert (done.status_code, done.json["version"]) == (200, 2)
    assert post(world, "/program/draft/publish", raw, "k-1").data == done.data
    assert world.get("/program")["version"] == 2


def test_two_programs_may_use_the_same_key(make_world: Callable[..., World]) -> None:
    here, there = make_world(), make_world()
    one = post(here, "/keys", '{"name": "till"}', "k-1")
    other = post(there, "/keys", '{"name": "till"}', "k-1")
    assert (one.status_code, other.status_code) == (201, 201)
    assert one.json["key"] != other.json["key"]


def test_twins_at_the_same_moment_have_one_effect(world: World) -> None:
    answers: list[Any] = []
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        answers.append(post(world, "/keys", '{"name": "till"}', "k-1"))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [one for one in answers if one.status_code == 201]
    waiting = [one for one in answers if one.status_code != 201]
    assert len({one.data for one in done}) == 1
    assert sum("Idempotent-Replayed" not in one.headers for one in done) == 1
    for one in waiting:
        problem(one, 409, "idempotency_in_progress")
        assert one.headers["Retry-After"] == "1"
    assert names(world).count("till") == 1


def test_reading_posts_need_no_key(world: World) -> None:
    client = world.app.test_client()
    headers = {"Authorization": f"Bearer {world.key}"}
    for path, body in [
        (
            "/quotes",
            {
                "cart": {
                    "currency": "EUR",
                    "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 100}],
                }
            },
        ),
        ("/members/search", {"email": "mina@example.org"}),
        ("/program/draft/check", None),
    ]:
        assert client.post(f"/v1{path}", json=body, headers=headers).status_code == 200


def test_answers_are_forgotten_after_thirty_days(world: World) -> None:
    body = {"member_ref": "mina", "points": 9, "reason": "goodwill"}
    world.member()
    for key in ("old", "young"):
        world.post("/adjustments", body, status=201, key=key)
    now = clock.system_now()
    month = 30 * 86_400 * clock.SECOND
    age = sa.update(idempotency.KEYS).where(
        idempotency.KEYS.c.program_id == ids.read_id("prg", world.program_id)
    )
    with world.app.app_context():
        for key, created_at in (("old", now - month - 1), ("young", now - month + 1)):
            statement = age.where(idempotency.KEYS.c.key == key).values(created_at=created_at)
            db.in_transaction(lambda connection, one=statement: connection.execute(one))  # type: ignore[misc]
        assert idempotency.forget_old(clock.Instant(now)) == 1
        assert idempotency.forget_old(clock.Instant(now)) == 0
    assert [row[2] for row in rows(world)["idempotency_keys"]] == ["young"]
    assert [row[3] for row in rows(world)["idempotency_subjects"]] == ["young"]


def test_a_members_answers_are_found_by_an_index(world: World) -> None:
    statements: list[tuple[str, Any]] = []

    def keep(connection: Any, cursor: Any, text: str, values: Any, *rest: Any) -> None:
        if text.startswith(("UPDATE idempotency_keys", "DELETE FROM idempotency_subjects")):
            statements.append((text, values))

    member_id = ids.read_id("mem", world.member()["member"]["id"])
    program_id = ids.read_id("prg", world.program_id)
    assert member_id is not None and program_id is not None
    world.post("/adjustments", {"member_ref": "mina", "points": 9, "reason": "x"}, status=201)
    with world.app.app_context():
        sa.event.listen(db.db.engine, "before_cursor_execute", keep)
        try:
            work = idempotency.forget
            assert db.in_transaction(lambda one: work(one, program_id, [member_id])) == 1
        finally:
            sa.event.remove(db.db.engine, "before_cursor_execute", keep)
        prefix = "EXPLAIN " + ("QUERY PLAN " if db.db.engine.dialect.name == "sqlite" else "")
        plans = db.reading(
            lambda one: [
                str(one.exec_driver_sql(prefix + text, values).all()) for text, values in statements
            ]
        )
    assert len(plans) == 2
    for plan in plans:
        assert "idempotency_subjects" in plan
        assert "SCAN idempotency" not in plan and "Seq Scan" not in plan, plan
