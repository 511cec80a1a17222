"""Programs never meet, and no route opens to a credential that may not use it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from core.auth import SCOPES
from server import access
from tests.contract.checking import Known, addresses, closed, pointers, problem, rows
from tests.world import World, line, order

MakeWorld = Callable[..., World]


def routes(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and a fitting address of every route that asks for a secret key."""
    return addresses(app, {"version": "1", "section": "rules"})


def ask(app: Flask, method: str, path: str, *, authorization: str | None) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    body: dict[str, Any] | None = {} if method in {"PUT", "POST", "PATCH"} else None
    return app.test_client().open(path, method=method, json=body, headers=headers)


def key_with(world: World, *scopes: str, name: str = "partial") -> str:
    made = world.post("/keys", {"name": name, "scopes": list(scopes)}, status=201)
    return str(made["key"])


def test_the_access_table_names_every_route_and_no_other(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(access.TABLE)
    asking = [one for one in access.TABLE.values() if not one.is_open]
    assert all((one.kind == "secret") == bool(one.scopes) for one in asking)
    opened = {name.partition(".")[0] for name, one in access.TABLE.items() if one.is_open}
    assert opened == {"health", "reference", "clicks", "link_pictures"}
    assert {scope for one in access.TABLE.values() for scope in one.scopes} <= set(SCOPES)


def test_no_route_answers_without_a_key(world: World) -> None:
    before = rows(world)
    asked = list(closed(world.app, {"version": "1", "section": "rules"}))
    wanted = {name for name, one in access.TABLE.items() if not one.is_open}
    assert {endpoint for endpoint, _, _ in asked} == wanted
    for _, method, path in asked:
        response = ask(world.app, method, path, authorization=None)
        problem(response, 401, "authentication_required")
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert rows(world) == before


@pytest.mark.parametrize(
    "authorization",
    ["Bearer sk_test_unknown", "Bearer", "Bearer ", "Basic c2s6", "sk_test_unknown", "Bearer \xff"],
)
def test_no_route_answers_to_an_unknown_key(app: Flask, authorization: str) -> None:
    for _, method, path in closed(app, {"version": "1", "section": "rules"}):
        response = ask(app, method, path, authorization=authorization)
        problem(response, 401, "invalid_credentials")


def test_the_key_itself_is_compared_and_not_its_beginning(world: World) -> None:
    for key in (world.key[:-1], world.key + "x", world.key.swapcase(), "sk_live" + world.key[7:]):
        response = ask(world.app, "GET", "/v1/program", authorization=f"Bearer {key}")
        problem(response, 401, "invalid_credentials")


def test_no_route_answers_to_a_publishable_key(world: World) -> None:
    before = rows(world)
    for _, method, path in routes(world.app):
        response = ask(world.app, method, path, authorization=f"Bearer {world.publishable_key}")
        problem(response, 403, "forbidden")
    assert rows(world) == before


def test_every_route_asks_for_one_of_its_scopes(world: World) -> None:
    by_scope = {scope: key_with(world, scope) for scope in SCOPES}
    for endpoint, method, path in routes(world.app):
        wanted = access.TABLE[endpoint].scopes
        lacking = key_with(world, *sorted(set(SCOPES) - wanted), name=endpoint)
        response = ask(world.app, method, path, authorization=f"Bearer {lacking}")
        problem(response, 403, "forbidden")
        for scope in wanted:
            response = ask(world.app, method, path, authorization=f"Bearer {by_scope[scope]}")
            assert response.status_code not in {401, 403}, (endpoint, scope)


#: What is sent by POST because it is long or personal, and changes nothing.
READING = {
    "storefront.search_members",
    "storefront.quote",
    "program.check_draft",
    "program_impact.preview_impact",
}


def test_the_scope_read_changes_nothing(app: Flask) -> None:
    for endpoint, method, path in routes(app):
        if "read" in access.TABLE[endpoint].scopes:
            assert method == "GET" or endpoint in READING, path
        if method != "GET" and endpoint not in READING:
            assert len(access.TABLE[endpoint].scopes) == 1, path


def without_codes(value: Any) -> Any:
    """An answer with null in place of the codes of vouchers."""
    if isinstance(value, dict):
        shown = {name: without_codes(one) for name, one in value.items()}
        return shown | {"code": None} if {"code", "expires_at"} <= shown.keys() else shown
    return [without_codes(one) for one in value] if isinstance(value, list) else value


def test_any_one_of_its_scopes_reads_all_that_a_route_tells(world: World) -> None:
    known = Known(world)
    world.set_clock("2026-12-01T00:00:00Z")
    by_scope = {scope: key_with(world, scope) for scope in SCOPES}
    read = set()
    for endpoint, method, path, body in known.requests():
        if method != "GET" and endpoint not in READING:
            continue
        told = world.call(method, path, body)
        assert told.status_code == 200, told.get_data(as_text=True)
        for scope in access.TABLE[endpoint].scopes:
            headers = {"Authorization": f"Bearer {by_scope[scope]}"}
            again = world.call(method, path, body, headers=headers)
            assert again.status_code == 200, (endpoint, scope, again.get_data(as_text=True))
            # Live codes are for who may spend them; nothing else is kept back.
            seen = without_codes(told.json) if scope == "read" else told.json
            assert again.json == seen, (endpoint, scope)
        read.add(endpoint)
    assert {"points.get_proof", "webhooks.list_deliveries", "storefront.quote"} < read


def test_a_key_grants_no_more_than_it_has(world: World) -> None:
    modest = key_with(world, "keys", "read")
    client = world.app.test_client()
    for number, body in enumerate(({"name": "more"}, {"name": "more", "scopes": ["adjust"]})):
        headers = {"Authorization": f"Bearer {modest}", "Idempotency-Key": f"more-{number}"}
        problem(client.post("/v1/keys", json=body, headers=headers), 403, "forbidden")
    headers = {"Authorization": f"Bearer {modest}", "Idempotency-Key": "same"}
    body = {"name": "same", "scopes": ["read"]}
    made: Any = client.post("/v1/keys", json=body, headers=headers).json
    assert made["scopes"] == ["read"]


def test_an_empty_list_of_scopes_does_not_mean_every_scope(world: World) -> None:
    response = world.call(
        "POST", "/keys", {"name": "none", "scopes": []}, headers={"Idempotency-Key": "none"}
    )
    assert response.status_code == 422 or response.json["scopes"] == []


def test_telling_history_needs_the_scope_import(world: World) -> None:
    modest = key_with(world, *sorted(set(SCOPES) - {"import"}))
    told = order(1000, is_history=True)
    headers = {"Authorization": f"Bearer {modest}"}
    before = rows(world)
    client = world.app.test_client()
    problem(client.put("/v1/orders/H-1", json=told, headers=headers), 403, "forbidden")
    batch = {"orders": [{"order_ref": "H-1"} | told]}
    problem(client.post("/v1/orders/batch", json=batch, headers=headers), 403, "forbidden")
    assert rows(world) == before


def test_a_revoked_key_stops_within_a_second(world: World) -> None:
    made = world.post("/keys", {"name": "short-lived", "scopes": ["read"]}, status=201)
    asked = {"method": "GET", "path": "/v1/program", "authorization": f"Bearer {made['key']}"}
    assert ask(world.app, **asked).status_code == 200
    assert world.call("DELETE", f"/keys/{made['id']}").status_code == 204
    revoked = time.monotonic()
    while ask(world.app, **asked).status_code == 200:
        assert time.monotonic() - revoked < 1.0
        time.sleep(0.05)
    problem(ask(world.app, **asked), 401, "invalid_credentials")
    # Again changes nothing, and the others go on working.
    assert world.call("DELETE", f"/keys/{made['id']}").status_code == 204
    world.get("/program")


def test_a_key_is_stored_and_listed_without_itself(world: World) -> None:
    made = world.post("/keys", {"name": "mine", "scopes": ["read"]}, status=201)
    listed = world.get("/keys")["data"]
    assert [one["name"] for one in listed] == ["mine", "first key", "first key"]
    assert all("key" not in one for one in listed)
    assert made["key"].startswith("sk_test_") and made["key"].endswith(listed[0]["last_four"])
    for key in (made["key"], world.key, world.publishable_key):
        secret_part = key.split("_", 2)[2]
        stored = {name: found for name, found in rows(world).items() if name != "idempotency_keys"}
        assert secret_part not in repr(stored)


@pytest.fixture
def pair(make_world: MakeWorld) -> tuple[World, World]:
    """Two programs in which Mina ordered A-1: for 10.00 here, for 77.00 there."""
    here, there = make_world(), make_world(name="Elsewhere")
    for world, minor in ((here, 1000), (there, 7700)):
        world.member("mina", email="mina@example.org", name=f"Mina {minor}")
        world.order("A-1", minor)
    return here, there


def test_the_same_references_in_two_programs_never_meet(pair: tuple[World, World]) -> None:
    here, there = pair
    assert (here.balance(), there.balance()) == (10, 77)
    before = rows(there)
    here.order("A-1", 1000, status="cancelled")
    here.put("/members/mina", {"email": "new@example.org"})
    here.publish(name="Changed", earning={"rules": []})
    assert rows(there) == before
    assert (here.balance(), there.balance()) == (0, 77)
    assert there.get("/members/mina")["email"] == "mina@example.org"
    assert there.get("/program")["document"]["name"] == "Elsewhere"


def test_lists_and_searches_show_one_program_alone(pair: tuple[World, World]) -> None:
    here, there = pair
    for world, name in ((here, "Mina 1000"), (there, "Mina 7700")):
        found = world.post("/members/search", {"email": "MINA@example.org"})["data"]
        assert [one["name"] for one in found] == [name]
        assert [one["name"] for one in world.get("/members")["data"]] == [name]
        assert len(world.get("/members/mina/entries")["data"]) == 1
        assert len(world.get("/keys")["data"]) == 2
        assert len(world.get("/program/versions")["data"]) == 1


def test_the_other_programs_ids_are_unknown_on_every_route(pair: tuple[World, World]) -> None:
    here, there = pair
    there.member("stranger")
    told = there.order("B-2", 500, member_ref="stranger")
    member_id = there.get("/members/stranger")["id"]
    entry_id = there.get("/members/stranger/entries")["data"][0]["id"]
    key_id = there.get("/keys")["data"][0]["id"]
    there.publish(name="Second version")
    before = (rows(here), rows(there))
    for method, path in [
        *[
            ("GET", f"/members/{ref}{sub}")
            for ref in (member_id, "stranger")
            for sub in ("", "/balances", "/entries", "/tier", "/lots", "/statement")
        ],
        *[
            ("GET", f"/members/{member_id}/{sub}?as_of=2026-06-01T00:00:00Z")
            for sub in ("balances", "entries", "tier")
        ],
        ("GET", "/orders/B-2"),
        ("GET", f"/orders/{told['order']['id']}"),
        ("GET", f"/decisions/{told['decision_id']}"),
        ("GET", f"/entries/{entry_id}"),
        ("GET", "/program/versions/2"),
        ("DELETE", f"/keys/{key_id}"),
        ("DELETE", f"/members/{member_id}"),
        ("DELETE", "/members/stranger"),
    ]:
        problem(here.call(method, path), 404, "not_found")
    for member_ref in (member_id, "stranger"):
        problem(here.call("PUT", f"/members/{member_id}", {}), 422, "validation_failed")
        response = here.call("PUT", "/orders/B-2", order(100, member_ref=member_ref))
        problem(response, 422, "validation_failed")
        cart = {"currency": "EUR", "lines": [line("1", 100)]}
        response = here.call("POST", "/quotes", {"member_ref": member_ref, "cart": cart})
        problem(response, 422, "validation_failed")
        batch = {"orders": [{"order_ref": "B-2"} | order(100, member_ref=member_ref)]}
        [result] = here.post("/orders/batch", batch)["results"]
        assert result["status"] == 422
    [result] = here.post("/members/batch", {"members": [{"member_ref": member_id}]})["results"]
    assert result["status"] == 422
    restored = here.call("POST", "/program/versions/2/restore", headers={"Idempotency-Key": "r"})
    problem(restored, 404, "not_found")
    assert (rows(here), rows(there)) == before


def test_no_write_reaches_what_is_the_other_programs(pair: tuple[World, World]) -> None:
    here, there = pair
    here.member("jun")
    there.member("stranger")
    known = Known(there)
    endpoint, delivery = known.arguments["endpoint_id"], known.arguments["delivery_id"]
    order_id = there.get("/orders/K-1")["order"]["id"]
    lot_id = there.get("/members/mina/lots")["data"][0]["id"]
    member_id = there.get("/members/stranger")["id"]
    bodies = known.bodies()
    points, given = bodies["points.post_adjustment"], bodies["points.post_transfer"]
    before = (rows(here), rows(there))
    for method, path, body in [
        ("PUT", f"/orders/{order_id}/refunds/R-1", bodies["storefront.put_refund"]),
        ("PUT", f"/orders/{order_id}/refunds/R-1?dry_run=true", bodies["storefront.put_refund"]),
        *[
            one
            for ref in (member_id, "stranger")
            for one in [
                ("POST", "/adjustments", points | {"member_ref": ref}),
                ("POST", "/transfers", given | {"from_member_ref": ref}),
                ("POST", "/transfers", given | {"to_member_ref": ref, "from_member_ref": "mina"}),
                ("POST", f"/members/{ref}/merge", {"into_member_ref": "mina"}),
                ("POST", "/members/mina/merge", {"into_member_ref": ref}),
            ]
        ],
        ("GET", f"/webhook-endpoints/{endpoint}", None),
        ("PATCH", f"/webhook-endpoints/{endpoint}", {"state": "disabled"}),
        ("DELETE", f"/webhook-endpoints/{endpoint}", None),
        ("POST", f"/webhook-endpoints/{endpoint}/rotate-secret", None),
        ("GET", f"/webhook-deliveries?endpoint={endpoint}", None),
        ("POST", f"/webhook-deliveries/{delivery}/replay", None),
    ]:
        sent = {"Idempotency-Key": "reach"}
        problem(here.call(method, path, body, headers=sent), 404, "not_found")
    for path, body, pointer in [
        ("/adjustments", points | {"lot_id": lot_id, "expected_version": 1}, "/lot_id"),
        ("/claims", {"token": known.token, "member_ref": "mina"}, "/token"),
    ]:
        response = here.call("POST", path, body, headers={"Idempotency-Key": "reach"})
        assert pointers(problem(response, 422, "validation_failed")) == [pointer]
    assert (rows(here), rows(there)) == before


def test_a_cursor_of_the_other_program_leads_to_nothing_of_it(pair: tuple[World, World]) -> None:
    here, there = pair
    for number in range(3):
        there.order(f"B-{number}", 100)
    there.order("B-4", 100, member_ref=there.member("jun")["member"]["member_ref"])
    for world in pair:
        for _ in range(2):
            hook = {"url": "https://hooks.example.org/", "types": ["*"]}
            world.post("/webhook-endpoints", hook, status=201)
    for path in (
        "/members",
        "/members/mina/entries",
        "/members/mina/lots",
        "/ledger/proof/heads",
        "/webhook-endpoints",
        "/keys",
    ):
        cursor = there.get(f"{path}?limit=1")["next_cursor"]
        shown = here.get(f"{path}?cursor={cursor}")["data"]
        own = {repr(one) for one in here.get(path)["data"]}
        assert cursor and {repr(one) for one in shown} <= own, path


def test_our_own_ids_are_accepted_wherever_a_reference_is(pair: tuple[World, World]) -> None:
    here, _ = pair
    member_id = here.get("/members/mina")["id"]
    assert here.get(f"/members/{member_id}/balances")["data"][0]["available"] == 10
    told = here.order("A-2", 500, member_ref=member_id)
    assert told["order"]["member_ref"] in ("mina", member_id)
    assert here.balance() == 15
    cart = {"currency": "EUR", "lines": [line("1", 100)]}
    assert here.post("/quotes", {"member_ref": member_id, "cart": cart})["earned"][0]["points"] == 1


def test_our_own_order_id_is_accepted_where_an_order_ref_is(pair: tuple[World, World]) -> None:
    here, _ = pair
    order_id = here.get("/orders/A-1")["order"]["id"]
    assert here.get(f"/orders/{order_id}")["order"]["order_ref"] == "A-1"
