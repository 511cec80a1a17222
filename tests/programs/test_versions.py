"""Versions: published with a note, never changed, restored as new ones, at once in force."""

from typing import Any

import pytest

from config import Settings
from server.app import create_app
from tests.contract.checking import problem, rows
from tests.world import World, document, line, order, per_euro, points, rule

#: Sent as UTF-8, which WSGI carries as Latin-1.
ACTOR = "미나"
DOUBLE = {"rules": [rule("base", per_euro(2))]}


def test_publishing_makes_a_version_that_says_who_when_and_why(world: World) -> None:
    world.put("/program/draft", document(earning=DOUBLE))
    response = world.call(
        "POST",
        "/program/draft/publish",
        {"note": "double points", "approver": "Jun"},
        headers={"Idempotency-Key": "p", "Dangol-Actor": ACTOR.encode().decode("latin-1")},
    )
    assert response.status_code == 200
    made = response.json
    told = {name: made[name] for name in ("version", "note", "actor", "approver", "is_live")}
    assert told == {
        "version": 2,
        "note": "double points",
        "actor": ACTOR,
        "approver": "Jun",
        "is_live": True,
    }
    assert made["document"] == document(earning=DOUBLE)
    assert world.get("/program/versions/2") == made
    live = world.get("/program")
    assert (live["version"], live["document"]) == (2, made["document"])
    assert live["published_at"] == made["published_at"]
    first = world.get("/program/versions/1")
    assert (first["is_live"], first["document"]) == (False, document())
    listed = world.get("/program/versions")["data"]
    assert [(one["version"], one["is_live"]) for one in listed] == [(2, True), (1, False)]
    assert all("document" not in one for one in listed)


def test_there_must_be_something_to_publish(world: World) -> None:
    before = rows(world)
    response = world.call(
        "POST", "/program/draft/publish", {"note": "x"}, headers={"Idempotency-Key": "p"}
    )
    assert problem(response, 409, "state_conflict")["state"] == "published"
    assert rows(world) == before


@pytest.mark.parametrize("body", [{}, {"note": ""}, {"note": None}, {"note": "x", "who": "Jun"}])
def test_publishing_needs_a_note(world: World, body: Any) -> None:
    world.put("/program/draft", document(name="Changed"))
    before = rows(world)
    response = world.call("POST", "/program/draft/publish", body, headers={"Idempotency-Key": "p"})
    problem(response, 422, "validation_failed")
    assert rows(world) == before


def test_restoring_publishes_an_old_document_as_a_new_version(world: World) -> None:
    world.publish(earning=DOUBLE)
    world.put("/program/draft", document(name="Half done"))
    made = world.post("/program/versions/1/restore")
    assert (made["version"], made["restored_from"], made["is_live"]) == (3, 1, True)
    assert made["document"] == document() == world.get("/program")["document"]
    assert world.earned("A-1", 1000) == 10
    problem(
        world.call("POST", "/program/versions/9/restore", headers={"Idempotency-Key": "r"}),
        404,
        "not_found",
    )


def test_an_order_keeps_the_version_it_was_first_decided_by(world: World) -> None:
    first = world.order("A-1", 1000)
    world.publish(earning=DOUBLE)
    assert points(world.order("A-1", 2000)) == 20
    assert points(world.order("A-2", 2000)) == 40
    assert world.get(f"/decisions/{first['decision_id']}")["version"] == 1


def test_what_one_instance_publishes_every_instance_decides_by_at_once(world: World) -> None:
    url = world.app.config["SQLALCHEMY_DATABASE_URI"]
    other = create_app(Settings(database_url=url, secret_key="x" * 40, log_level="critical"))
    headers = {"Authorization": f"Bearer {world.key}"}
    client = other.test_client()

    def told(ref: str) -> int:
        answer: Any = client.put(f"/v1/orders/{ref}", json=order(1000), headers=headers).json
        return points(answer)

    def told_in_a_batch(ref: str) -> int:
        batch = {"orders": [{"order_ref": ref} | order(1000)]}
        answer: Any = client.post("/v1/orders/batch", json=batch, headers=headers).json
        return points(answer["results"][0])

    def quoted() -> int:
        body = {"member_ref": "mina", "cart": {"currency": "EUR", "lines": [line("1", 1000)]}}
        return points(client.post("/v1/quotes", json=body, headers=headers).json)

    assert (told("A-1"), told_in_a_batch("B-1"), quoted()) == (10, 10, 10)
    for number, factor in ((2, 2), (3, 5), (4, 3)):
        world.publish(earning={"rules": [rule("base", per_euro(factor))]})
        if number == 3:  # The batch first, then the order first: each finds out by itself.
            assert told_in_a_batch(f"B-{number}") == 10 * factor
        assert told(f"A-{number}") == 10 * factor
        assert quoted() == 10 * factor
        assert told_in_a_batch(f"C-{number}") == 10 * factor
        shown: Any = client.get("/v1/program", headers=headers).json
        assert shown["version"] == number
    with other.app_context():
        from core.db import db

        db.engine.dispose()
