"""What an attacker tried once and must not work again."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from tests.world import World, order, rule

SIGNUP = rule("welcome", {"do": "add_points", "points": 1000}, trigger="signup")


def test_a_batch_by_our_own_id_is_the_same_order(world: World) -> None:
    told = world.order("A-1", 10_000)
    shown = told["order"]["id"]
    body = order(10_000, order_ref=shown)
    [result] = world.post("/orders/batch", {"orders": [body]})["results"]
    assert result["status"] == 200
    both = [order(10_000, order_ref=shown), order(10_000, order_ref="A-1")]
    assert [one["status"] for one in world.post("/orders/batch", {"orders": both})["results"]] == [
        200,
        200,
    ]
    assert world.balance() == 100


def test_an_unknown_id_of_ours_in_a_batch_is_not_found(world: World) -> None:
    shown = world.order("A-1", 100)["order"]["id"]
    unknown = shown[:-4] + ("0000" if not shown.endswith("0000") else "1111")
    results = world.post("/orders/batch", {"orders": [order(100, order_ref=unknown)]})["results"]
    assert [one["status"] for one in results] == [404]


@pytest.mark.parametrize("count", [340_000, 1_001])
def test_a_list_that_is_too_long_is_refused_before_its_items_are_read(
    world: World, count: int
) -> None:
    response = world.call("PUT", "/orders/M", order() | {"lines": [{}] * count})
    assert response.status_code in (413, 422)
    assert len(response.get_data()) < 10_000


def test_a_body_of_nothing_but_faults_gets_a_short_answer(world: World) -> None:
    orders: list[dict[str, Any]] = [{"lines": [{}] * 900}] * 300
    response = world.call("POST", "/orders/batch", {"orders": orders})
    assert response.status_code == 422
    assert len(response.json["errors"]) <= 100


@pytest.mark.parametrize(
    "spelling",
    [
        "AliceKim@gmail.com",
        "alice.kim+x@googlemail.com",
        "alicekim@gmail.com。",
        "alicekim@GMAIL.com.",
    ],
)
def test_another_spelling_of_a_contact_brings_no_second_welcome(
    make_world: Callable[..., World], spelling: str
) -> None:
    world = make_world(earning={"rules": [SIGNUP]})
    assert world.put("/members/a", {"email": "alice.kim@gmail.com"})["earned"][0]["points"] == 1000
    assert world.put("/members/b", {"email": spelling})["earned"] == []


@pytest.mark.parametrize(
    "spelling",
    ['"alicekim"@gmail.com', "alice\u200bkim@gmail.com", "<alicekim@gmail.com", "a(x)@b.de"],
)
def test_a_contact_that_hides_another_is_refused(world: World, spelling: str) -> None:
    response = world.call("PUT", "/members/b", {"email": spelling})
    assert response.status_code == 422
    assert response.json["errors"][0]["pointer"] == "/email"


@pytest.mark.parametrize("ref", ["Z/refunds/R1", "m/balances"])
def test_an_address_of_ours_is_no_reference(world: World, ref: str) -> None:
    assert world.call("PUT", f"/orders/{ref}", order(100)).status_code in (404, 405, 422)
    body = order(100, member_ref=ref)
    assert world.call("PUT", "/orders/Z", body).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/orders/A-2", order(100), 201),
        ("GET", "/orders/A-1", None, 200),
        ("GET", "/members/mina/balances", None, 200),
        ("PUT", "/members/mina", {"locale": "ko"}, 200),
    ],
)
def test_after_the_database_dropped_every_connection_the_next_request_succeeds(
    world: World, method: str, path: str, body: Any, status: int
) -> None:
    world.order("A-1", 100)
    with world.app.app_context():
        from core.db import db

        engine = db.engine
        if engine.dialect.name != "postgresql":
            pytest.skip("an embedded database drops no connections")
        other = sa.create_engine(engine.url)
        with other.connect() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        other.dispose()
    response = world.call(method, path, body)
    assert response.status_code == status, response.get_data(as_text=True)
