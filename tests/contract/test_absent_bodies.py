"""What needs nothing said is told so by saying nothing; an unknown field names those there are."""

from typing import Any

import pytest

from tests.contract.checking import problem
from tests.scenarios.redeeming import Till, opened_till
from tests.world import World, line, order


@pytest.mark.parametrize("content_type", [None, "application/json"])
def test_a_capture_needs_no_body(make_world: Any, content_type: str | None) -> None:
    till: Till = opened_till(make_world)
    held = till.hold("five")
    path = f"/v1/redemptions/{held['id']}/capture"
    headers = {"Authorization": f"Bearer {till.world.key}", "Idempotency-Key": "k-1"}
    client = till.world.app.test_client()
    response = client.post(path, headers=headers, content_type=content_type)
    assert response.status_code == 200, response.get_data(as_text=True)
    answer: Any = response.json
    assert answer["redemption"]["state"] == "captured"
    again = client.post(path, headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true" and again.data == response.data


def test_another_type_is_unsupported_where_no_body_is_needed(world: World) -> None:
    path = "/v1/members/mina/tokens"
    headers = {"Authorization": f"Bearer {world.key}"}
    client = world.app.test_client()
    assert client.post(path, headers=headers).status_code == 201
    for type_ in ("text/plain", None):
        response = client.post(path, headers=headers, data=b"{}", content_type=type_)
        problem(response, 415, "unsupported_media_type")
    # What tells how something looks is never told by nothing.
    response = client.put("/v1/members/new", headers=headers)
    problem(response, 415, "unsupported_media_type")


def test_an_optional_body_is_documented_as_such(world: World) -> None:
    document: Any = world.app.test_client().get("/v1/openapi.json").json
    told = document["paths"]["/v1/redemptions/{redemption_id}/capture"]["post"]["requestBody"]
    assert told["required"] is False
    told = document["paths"]["/v1/redemptions"]["post"]["requestBody"]
    assert told["required"] is True


def test_an_unknown_field_names_the_fields_there_are(world: World) -> None:
    body = {"member_ref": "mina", "rewards": "five"}
    response = world.call("POST", "/redemptions", body, headers={"Idempotency-Key": "k"})
    [found] = problem(response, 422, "validation_failed")["errors"]
    assert (found["pointer"], found["code"]) == ("/rewards", "unknown_field")
    assert found["detail"].endswith(
        "there are: capture, cart, cart_ref, grant_id, member_ref, pay_with_points, reward, ttl"
    )
    # Those of the object that it stands in, the first twenty.
    sent = order(line("1", 1000, price=5))
    [found] = problem(world.call("PUT", "/orders/A-1", sent), 422, "validation_failed")["errors"]
    assert found["pointer"] == "/lines/0/price"
    assert "there are: attributes, categories, discount_minor" in found["detail"]
    sent = order(1000, total=5)
    [found] = problem(world.call("PUT", "/orders/A-1", sent), 422, "validation_failed")["errors"]
    names = found["detail"].partition("there are: ")[2].split(", ")
    assert (len(names), names[-1]) == (21, "…")
    [found] = problem(world.call("GET", "/redemptions?member=mina"), 422, "validation_failed")[
        "errors"
    ]
    assert "cursor, limit, member_ref, order_ref, reward, state" in found["detail"]
