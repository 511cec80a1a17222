"""Endpoints over HTTP: what is refused, what is shown, and where secrets are not."""

import base64
import dataclasses
import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.checking import pointers, problem, rows
from tests.webhooks.conftest import Hooks, verified
from tests.webhooks.receiver import Receiver
from tests.world import World
from webhooks import types

URL = "https://hooks.example.org/dangol"


def create(hooks: Hooks, body: Any, *, key: str = "new") -> Any:
    return hooks.world.call("POST", "/webhook-endpoints", body, headers={"Idempotency-Key": key})


def secret_of(size: int) -> str:
    return "whsec_" + base64.b64encode(bytes(range(size))).decode()


def test_an_endpoint_is_made_shown_listed_changed_and_deleted(hooks: Hooks) -> None:
    made = hooks.endpoint(URL, "points.*", "tier.changed", "points.*", description="orders")
    secret = made.pop("secret")
    assert secret.startswith("whsec_") and len(base64.b64decode(secret[6:])) == 32
    assert made["id"].startswith("whe_")
    assert made["url"] == URL
    assert made["types"] == ["points.*", "tier.changed"]
    assert (made["description"], made["state"], made["disabled_reason"]) == (
        "orders",
        "enabled",
        None,
    )
    path = f"/webhook-endpoints/{made['id']}"
    assert hooks.world.get(path) == made
    assert hooks.world.get("/webhook-endpoints")["data"] == [made]
    changed = hooks.world.call("PATCH", path, {"types": ["*"], "url": URL + "/2"}).json
    assert (changed["types"], changed["url"], changed["description"]) == (
        ["*"],
        URL + "/2",
        "orders",
    )
    for state in ("disabled", "disabled", "enabled", "enabled"):
        changed = hooks.world.call("PATCH", path, {"state": state}).json
        assert changed["state"] == state
        reason = "disabled by a request" if state == "disabled" else None
        assert changed["disabled_reason"] == reason
    for _ in range(2):
        assert hooks.world.call("DELETE", path).status_code == 204
    assert hooks.world.get("/webhook-endpoints")["data"] == []
    problem(hooks.world.call("GET", path), 404, "not_found")
    problem(hooks.world.call("PATCH", path, {}), 404, "not_found")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"url": "ftp://hooks.example.org/"}, "/url"),
        ({"url": "https://127.0.0.2:22/"}, "/url"),
        ({"types": ["points.earned", "points.won"]}, "/types/1"),
        ({"types": ["points"]}, "/types/0"),
        ({"types": ["*.earned"]}, "/types/0"),
        ({"types": ["orders.*"]}, "/types/0"),
        ({"types": []}, "/types"),
        ({"types": "points.earned"}, "/types"),
        ({"secret": "whsec_short"}, "/secret"),
        ({"secret": secret_of(23)}, "/secret"),
        ({"secret": secret_of(65)}, "/secret"),
        ({"secret": secret_of(24)[6:]}, "/secret"),
        ({"secret": "whsec_" + "*" * 44}, "/secret"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(
    hooks: Hooks, change: dict[str, Any], pointer: str
) -> None:
    response = create(hooks, {"url": URL, "types": ["*"]} | change)
    assert pointers(problem(response, 422, "validation_failed")) == [pointer]
    assert hooks.world.get("/webhook-endpoints")["data"] == []


@pytest.mark.parametrize("size", [24, 64])
def test_a_given_secret_signs(hooks: Hooks, receiver: Receiver, size: int) -> None:
    made = hooks.endpoint(receiver.url, secret=secret_of(size))
    assert made["secret"] == secret_of(size)
    hooks.tell(version=1)
    hooks.run()
    assert verified(secret_of(size), receiver.got[0])["data"]["version"] == 1


@pytest.mark.parametrize("pattern", types.PATTERNS)
def test_every_type_of_the_contract_may_be_asked_for(pattern: str) -> None:
    told = [one for one in types.TYPES if types.matches([pattern], one)]
    if pattern == "*":
        assert told == list(types.TYPES)
    elif pattern.endswith(".*"):
        assert told and all(one.startswith(pattern[:-1]) for one in told)
    else:
        assert told == [pattern]


def test_the_types_are_those_of_the_contract() -> None:
    # Those of the contract, and three steps of a referral besides.
    assert len(types.TYPES) == 31 + 3
    for one in ("points.transferred", "tier.at_risk", "referral.clawed_back", "member.erased"):
        assert one in types.TYPES


def test_a_repeat_answers_the_same_secret_and_makes_nothing(hooks: Hooks) -> None:
    body = {"url": URL, "types": ["*"]}
    first, again = create(hooks, body), create(hooks, body)
    assert first.status_code == again.status_code == 201
    assert first.get_data() == again.get_data()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(hooks.world.get("/webhook-endpoints")["data"]) == 1
    problem(create(hooks, body | {"types": ["points.*"]}), 422, "idempotency_key_reused")
    path = f"/webhook-endpoints/{first.json['id']}/rotate-secret"
    rotated = [
        hooks.world.call("POST", path, headers={"Idempotency-Key": "turn"}) for _ in range(2)
    ]
    assert rotated[0].get_data() == rotated[1].get_data()
    assert rotated[0].json["secret"] != first.json["secret"]
    missing = hooks.world.call("POST", path)
    problem(missing, 400, "idempotency_key_missing")
    # Once it is deleted, a repeat brings no secret back.
    hooks.world.call("DELETE", f"/webhook-endpoints/{first.json['id']}")
    problem(create(hooks, body), 404, "not_found")
    again = hooks.world.call("POST", path, headers={"Idempotency-Key": "turn"})
    problem(again, 404, "not_found")


def test_a_name_of_this_machine_is_refused_when_it_is_told(
    world: World, outgoing: Callable[..., None]
) -> None:
    """`localhost` and all below it, unless the operator allows loopback."""
    outgoing(allowed=())
    for host in ("localhost", "LocalHost:8443", "api.localhost"):
        headers = {"Idempotency-Key": host}
        body = {"url": f"https://{host}/hook", "types": ["*"]}
        answer = world.call("POST", "/webhook-endpoints", body, headers=headers)
        problem(answer, 422, "validation_failed")
        assert [one["code"] for one in answer.json["errors"]] == ["address_refused"]
    outgoing(allowed=(ipaddress.ip_network("127.0.0.0/8"),))
    made = world.post(
        "/webhook-endpoints", {"url": "https://localhost/hook", "types": ["*"]}, status=201
    )
    world.call("DELETE", f"/webhook-endpoints/{made['id']}")


def test_no_table_holds_a_secret_in_clear(hooks: Hooks) -> None:
    made = hooks.endpoint(URL)
    rotated = hooks.world.post(f"/webhook-endpoints/{made['id']}/rotate-secret")
    given = hooks.endpoint(URL, secret=secret_of(32))
    stored = repr(rows(hooks.world))
    assert stored.count(URL) >= 4
    for secret in (made["secret"], rotated["secret"], given["secret"]):
        raw = base64.b64decode(secret[6:])
        for form in (secret, secret[6:], secret[6:30], raw.hex(), repr(raw)[2:-1]):
            assert form not in stored


def test_a_deleted_endpoint_keeps_its_log_and_not_its_secrets(
    hooks: Hooks, receiver: Receiver
) -> None:
    made = hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    hooks.world.call("DELETE", f"/webhook-endpoints/{made['id']}")
    [row] = rows(hooks.world)["webhook_endpoints"]
    assert "[]" in row
    [delivery] = hooks.log(f"?endpoint={made['id']}")
    assert delivery["state"] == "delivered"
    response = hooks.world.call(
        "POST", f"/webhook-deliveries/{delivery['id']}/replay", headers={"Idempotency-Key": "x"}
    )
    assert problem(response, 409, "state_conflict")["state"] == "deleted"


def test_secrets_survive_a_new_secret_key_with_its_fallback_and_fail_safely_without(
    hooks: Hooks, receiver: Receiver
) -> None:
    made = hooks.endpoint(receiver.url)
    before = hooks.app.extensions["dangol.settings"]
    new = "quite-another-key-0123456789-abcdefghi"
    try:
        hooks.app.extensions["dangol.settings"] = dataclasses.replace(
            before, secret_key=new, secret_key_fallbacks=(before.secret_key,)
        )
        hooks.tell(version=1)
        hooks.run()
        verified(made["secret"], receiver.got[0])
        hooks.app.extensions["dangol.settings"] = dataclasses.replace(before, secret_key=new)
        hooks.tell(version=2)
        hooks.run()
        assert len(receiver.got) == 1
        assert "SECRET_KEY" in hooks.log()[0]["attempts"][0]["error"]
        # Rotating mends it: the lost secret signs no more, the new one does.
        path = f"/webhook-endpoints/{made['id']}/rotate-secret"
        hooks.world.post(path)
    finally:
        hooks.app.extensions["dangol.settings"] = before


def test_endpoints_of_another_program_are_unknown(
    hooks: Hooks, receiver: Receiver, make_world: Callable[..., World]
) -> None:
    made = hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    delivery = hooks.one()
    before = rows(hooks.world)
    elsewhere = make_world(name="Elsewhere")
    for method, path in [
        ("GET", f"/webhook-endpoints/{made['id']}"),
        ("PATCH", f"/webhook-endpoints/{made['id']}"),
        ("DELETE", f"/webhook-endpoints/{made['id']}"),
        ("POST", f"/webhook-endpoints/{made['id']}/rotate-secret"),
        ("GET", f"/webhook-deliveries?endpoint={made['id']}"),
        ("POST", f"/webhook-deliveries/{delivery['id']}/replay"),
        ("GET", "/webhook-endpoints/whe_unknown"),
        ("POST", "/webhook-deliveries/unknown/replay"),
    ]:
        body: Any = {} if method == "PATCH" else None
        response = elsewhere.call(method, path, body, headers={"Idempotency-Key": path[-9:]})
        problem(response, 404, "not_found")
    assert elsewhere.get("/webhook-endpoints")["data"] == []
    assert elsewhere.get("/webhook-deliveries")["data"] == []
    assert rows(hooks.world) == before
    # What happens there is told there alone.
    elsewhere.member("mina")
    hooks.run()
    assert len(receiver.got) == 1


def test_lists_are_paged_and_filtered(hooks: Hooks, receiver: Receiver) -> None:
    first, second = hooks.endpoint(receiver.url, "points.*"), hooks.endpoint(receiver.url)
    for told in ("points.earned", "points.spent", "tier.changed"):
        hooks.tell(told)
    hooks.run()
    receiver.answers = [(500, {}, b"")]
    hooks.tell("tier.changed")
    hooks.run()
    assert len(hooks.log()) == 6
    assert len(hooks.log(f"?endpoint={first['id']}")) == 2
    assert len(hooks.log(f"?endpoint={second['id']}&state=pending")) == 1
    assert [one["type"] for one in hooks.log("?type=points.spent")] == ["points.spent"] * 2
    assert hooks.log("?state=failed") == []
    seen, cursor = [], ""
    while True:
        page = hooks.world.get(f"/webhook-deliveries?limit=4{cursor}")
        seen += [one["id"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [one["id"] for one in hooks.log()]
    page = hooks.world.get("/webhook-endpoints?limit=1")
    assert [one["id"] for one in page["data"]] == [second["id"]]
    page = hooks.world.get(f"/webhook-endpoints?limit=1&cursor={page['next_cursor']}")
    assert [one["id"] for one in page["data"]] == [first["id"]]
    assert page["next_cursor"] is None
    problem(hooks.world.call("GET", f"/webhook-deliveries?cursor={'x' * 8}"), 400, "invalid_cursor")
    for query in ("?state=lost", "?type=orders.made", "?endpoint="):
        problem(hooks.world.call("GET", f"/webhook-deliveries{query}"), 422, "validation_failed")


def test_a_program_has_at_most_fifty_endpoints(hooks: Hooks) -> None:
    for _ in range(50):
        made = hooks.endpoint(URL)
    body = {"url": URL, "types": ["*"]}
    assert problem(create(hooks, body), 409, "state_conflict")["state"] == "full"
    hooks.world.call("DELETE", f"/webhook-endpoints/{made['id']}")
    assert create(hooks, body).status_code == 201


def test_a_disabled_endpoint_is_told_nothing_of_that_time(hooks: Hooks, receiver: Receiver) -> None:
    made = hooks.endpoint(receiver.url)
    path = f"/webhook-endpoints/{made['id']}"
    hooks.tell(number=1)
    hooks.dispatch()
    hooks.world.call("PATCH", path, {"state": "disabled"})
    hooks.tell(number=2)
    hooks.run()
    hooks.world.call("PATCH", path, {"state": "enabled"})
    hooks.tell(number=3)
    hooks.run()
    assert [verified(made["secret"], got)["data"]["number"] for got in receiver.got] == [3]
    assert [one["state"] for one in hooks.log()] == ["delivered", "cancelled"]


def test_an_address_inside_is_refused_with_the_setting_that_would_allow_it(
    hooks: Hooks, outgoing: Callable[..., None]
) -> None:
    outgoing(allowed=())
    for url in ("https://127.0.0.1:9000/", "http://127.0.0.1:9000/"):
        [found] = create(hooks, {"url": url, "types": ["*"]}).json["errors"]
        assert found["pointer"] == "/url" and "WEBHOOK_ALLOWED_CIDRS" in found["detail"]
    [found] = create(hooks, {"url": "ftp://example.org/", "types": ["*"]}).json["errors"]
    assert "WEBHOOK_ALLOWED_CIDRS" not in found["detail"]


def test_a_message_to_an_endpoint_that_was_deleted_is_sent_to_nobody_again(hooks: Hooks) -> None:
    endpoint = hooks.endpoint(URL)
    hooks.tell()
    hooks.dispatch()
    [delivery] = hooks.world.get("/webhook-deliveries")["data"]
    hooks.world.call("DELETE", f"/webhook-endpoints/{endpoint['id']}")
    refused = hooks.world.post(f"/webhook-deliveries/{delivery['id']}/replay", status=409)
    assert "The endpoint was deleted" in refused["detail"] and "enable" not in refused["detail"]
