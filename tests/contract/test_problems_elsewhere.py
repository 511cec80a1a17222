"""The bodies of members, batches, quotes and searches are as strict as an order's."""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.checking import Known, is_for_browsers, pointers, problem, rows, send
from tests.world import World, line, order

MEMBERS: list[tuple[str, Any]] = [
    ("/email", "no address"),
    ("/email", 5),
    ("/phone", "call me"),
    ("/name", ""),
    ("/name", "x" * 201),
    ("/name", "Mi\x00na"),
    ("/birthday_on", "2001-02-29"),
    ("/birthday_on", "20010228"),
    ("/birthday_on", "2001-W09-3"),
    ("/birthday_on", "2001-02-28T00:00:00Z"),
    ("/locale", "Korean"),
    ("/joined_at", "2999-01-01T00:00:00Z"),
    ("/joined_at", None),
    ("/card_ref", "a\nb"),
    ("/is_enrolled", "yes"),
    ("/contact_verified", ["fax"]),
    ("/attributes", {"colour": 0.5}),
    ("/consents", [{"purpose": "marketing"}]),
    ("/consents", [{}] * 51),
    ("/visitor", {"ip": "x" * 65}),
    ("/surname", "Kim"),
    ("/member_ref", "mina"),
]


@pytest.mark.parametrize(("path", "value"), MEMBERS, ids=lambda item: ascii(item)[:40])
def test_a_wrong_value_of_a_member_is_refused(still: World, path: str, value: Any) -> None:
    before = rows(still)
    for ref in ("mina", "new"):
        response = still.call("PUT", f"/members/{ref}", {path[1:]: value})
        found = problem(response, 422, "validation_failed")
        assert pointers(found) and all(one.startswith(path) for one in pointers(found))
    assert rows(still) == before


def test_a_reference_that_looks_like_one_of_our_ids_cannot_be_taken(world: World) -> None:
    before = rows(world)
    ref = "mem_01h455vb4pex5vsknk084sn02q"
    problem(world.call("PUT", f"/members/{ref}", {}), 422, "validation_failed")
    assert rows(world) == before


def test_a_batch_with_a_wrong_value_is_refused_whole_with_the_place(world: World) -> None:
    before = rows(world)
    good = {"order_ref": "A-1"} | order(1000)
    bad = {"order_ref": "A-2"} | order(line("1", 1000, quantity="1"))
    response = world.call("POST", "/orders/batch", {"orders": [good, bad]})
    found = problem(response, 422, "validation_failed")
    assert pointers(found) == ["/orders/1/lines/0/quantity"]
    assert rows(world) == before


def test_a_batch_has_1_to_500_orders_each_with_a_reference(world: World) -> None:
    before = rows(world)
    for orders in ([], [{"order_ref": f"A-{n}"} | order(100) for n in range(501)]):
        response = world.call("POST", "/orders/batch", {"orders": orders})
        assert pointers(problem(response, 422, "validation_failed")) == ["/orders"]
    response = world.call("POST", "/orders/batch", {"orders": [order(100)]})
    assert pointers(problem(response, 422, "validation_failed")) == ["/orders/0/order_ref"]
    assert rows(world) == before


def test_of_a_batch_what_can_be_told_is_told(world: World) -> None:
    orders = [
        {"order_ref": "A-1"} | order(1000),
        {"order_ref": "A-2"} | order(1000, currency="USD"),
        {"order_ref": "A-3"} | order(1000, member_ref="nobody"),
        {"order_ref": "A-4"} | order(2000),
    ]
    results = world.post("/orders/batch", {"orders": orders})["results"]
    assert [one["order_ref"] for one in results] == ["A-1", "A-2", "A-3", "A-4"]
    assert [one["status"] for one in results] == [201, 422, 422, 201]
    assert results[1]["problem"]["code"] == "currency_mismatch"
    assert pointers(results[2]["problem"]) == ["/member_ref"]
    assert world.balance() == 30


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"cart": None}, "/cart"),
        ({"cart": ...}, "/cart"),
        ({"member_ref": "nobody"}, "/member_ref"),
        ({"member_ref": 5}, "/member_ref"),
        ({"at": "tomorrow"}, "/at"),
        ({"status": "paid"}, "/status"),
    ],
)
def test_a_wrong_quote_is_refused(still: World, change: dict[str, Any], pointer: str) -> None:
    before = rows(still)
    body: dict[str, Any] = {
        "member_ref": "mina",
        "cart": {"currency": "EUR", "lines": [line("1", 1000)]},
    }
    body = {name: value for name, value in (body | change).items() if value is not ...}
    found = problem(still.call("POST", "/quotes", body), 422, "validation_failed")
    assert pointers(found) == [pointer]
    assert rows(still) == before


@pytest.mark.parametrize(
    "cart",
    [
        {"lines": [line("1", 1000, discount_minor=1001)]},
        {"lines": [line("1", 1000), line("1", 1000)]},
        {"lines": [line("1", 1000)], "discount_minor": 1001},
    ],
)
def test_a_contradiction_in_a_cart_points_into_the_cart(still: World, cart: dict[str, Any]) -> None:
    body = {"member_ref": "mina", "cart": {"currency": "EUR"} | cart}
    found = problem(still.call("POST", "/quotes", body), 422, "validation_failed")
    assert all(one.startswith("/cart/") for one in pointers(found)), found


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "m@example.org", "phone": "+82 10 1234 5678"}, {"email": ""}, {"name": "Mina"}],
)
def test_a_search_takes_exactly_one_contact(still: World, body: dict[str, Any]) -> None:
    problem(still.call("POST", "/members/search", body), 422, "validation_failed")


@pytest.mark.parametrize(
    ("path", "thing"),
    [
        ("/members/nobody", "member"),
        ("/members/nobody/balances", "member"),
        ("/members/nobody/entries", "member"),
        ("/members/nobody/tier", "member"),
        ("/members/mem_01h455vb4pex5vsknk084sn02q", "member"),
        ("/orders/unknown", "order"),
        ("/decisions/dec_01h455vb4pex5vsknk084sn02q", "decision"),
        ("/decisions/A-1", "decision"),
        ("/entries/ent_01h455vb4pex5vsknk084sn02q", "entry"),
        ("/entries/mem_01h455vb4pex5vsknk084sn02q", "entry"),
        ("/program/versions/2", "version"),
        ("/program/versions/99999999999999999999", "version"),
        ("/program/draft/rules/unknown", "item"),
        ("/program/draft/unknown/base", "section"),
        ("/members/nobody/lots", "member"),
        ("/members/nobody/statement", "member"),
        ("/members/nobody/statement?format=csv", "member"),
        ("/members/nobody/balances?as_of=2026-06-01T00:00:00Z", "member"),
        ("/members/nobody/entries?known_at=2026-06-01T00:00:00Z", "member"),
        ("/members/nobody/tier?as_of=2026-06-01T00:00:00Z", "member"),
        ("/webhook-endpoints/whe_01h455vb4pex5vsknk084sn02q", "endpoint"),
        ("/webhook-endpoints/mem_01h455vb4pex5vsknk084sn02q", "endpoint"),
        ("/webhook-deliveries?endpoint=mem_01h455vb4pex5vsknk084sn02q", "endpoint"),
    ],
)
def test_what_does_not_exist_is_not_found_and_named(still: World, path: str, thing: str) -> None:
    found = problem(still.call("GET", path), 404, "not_found")
    assert thing in found["detail"]


@pytest.mark.parametrize(
    "shown",
    [
        "nobody",
        *[f"{prefix}_01h455vb4pex5vsknk084sn02q" for prefix in ("mem", "whe", "whd", "ent", "prg")],
        "mem_",
        "mem_zzzzzzzzzzzzzzzzzzzzzzzzzz",
    ],
)
def test_no_write_finds_what_does_not_exist(still: World, shown: str) -> None:
    points, gift = {"points": 1, "reason": "sorry"}, {"points": 1}
    before = rows(still)
    for method, path, body in [
        ("DELETE", f"/members/{shown}", None),
        ("POST", f"/members/{shown}/merge", {"into_member_ref": "mina"}),
        ("POST", "/members/mina/merge", {"into_member_ref": shown}),
        ("POST", "/adjustments", points | {"member_ref": shown}),
        ("POST", "/transfers", gift | {"from_member_ref": shown, "to_member_ref": "mina"}),
        ("POST", "/transfers", gift | {"from_member_ref": "mina", "to_member_ref": shown}),
        ("PATCH", f"/webhook-endpoints/{shown}", {"state": "disabled"}),
        ("DELETE", f"/webhook-endpoints/{shown}", None),
        ("POST", f"/webhook-endpoints/{shown}/rotate-secret", None),
        ("POST", f"/webhook-deliveries/{shown}/replay", None),
    ]:
        response = still.call(method, path, body, headers={"Idempotency-Key": "unknown"})
        problem(response, 404, "not_found")
    body = points | {"member_ref": "mina", "expires_at": None, "lot_id": shown}
    response = still.call("POST", "/adjustments", body, headers={"Idempotency-Key": "unknown"})
    assert pointers(problem(response, 422, "validation_failed")) == ["/lot_id"]
    body = {"token": shown, "member_ref": "mina"}
    response = still.call("POST", "/claims", body, headers={"Idempotency-Key": "unknown"})
    assert pointers(problem(response, 422, "validation_failed")) == ["/token"]
    assert rows(still) == before


@pytest.fixture(scope="module")
def known(still: World) -> Known:
    """The world with something behind every address."""
    return Known(still)


#: POSTs that read, and batches, whose items converge by their own references.
WITHOUT_KEY = {
    "storefront.search_members",
    "storefront.quote",
    "program.check_draft",
    "program_impact.preview_impact",
    "storefront.put_orders",
    "membership.put_members",
    "widget.issue_token",
}


def test_every_post_without_a_reference_needs_an_idempotency_key(known: Known) -> None:
    world, asked = known.world, 0
    document: Any = world.app.test_client().get("/v1/openapi.json").json
    told = {
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters" and not is_for_browsers(path)
        for one in operation.get("parameters", [])
        if one["name"] == "Idempotency-Key" and one["required"]
    }
    before = rows(world)
    for endpoint, method, path, body in known.requests():
        if method != "POST" or endpoint in WITHOUT_KEY:
            continue
        problem(world.call(method, path, body), 400, "idempotency_key_missing")
        for key in ("x" * 256, "a b", "\xff"):
            response = world.call(method, path, body, headers={"Idempotency-Key": key})
            problem(response, 400, "malformed_request")
        asked += 1
    assert rows(world) == before
    assert asked == len(told) and all(one.startswith("post ") for one in told)


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place within a JSON value."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        yield (*at, name)
        if isinstance(item, (dict, list)):
            yield from places(item, (*at, name))


def with_value(body: Any, at: tuple[str | int, ...], value: Any) -> Any:
    """A copy of a body with another value at a place."""
    changed = place = copy.deepcopy(body)
    for token in at[:-1]:
        place = place[token]
    place[at[-1]] = value
    return changed


def test_every_body_is_refused_for_a_wrong_value_anywhere_in_it(known: Known) -> None:
    world, asked = known.world, set()
    before = rows(world)
    for endpoint, method, path, body in known.requests():
        if not isinstance(body, dict) or endpoint == "program.put_draft_item":
            continue
        for at, value in itertools.product([*places(body), ("surplus",)], WRONG):
            wrong = with_value(body, at, value)
            found = problem(send(world, method, path, wrong), 422, "validation_failed")
            pointer = "/" + "/".join(map(str, at))
            assert any(one.startswith(pointer) for one in pointers(found)), (path, pointer, found)
        asked.add(endpoint)
    assert rows(world) == before
    assert len(asked) > 15


#: Wrong wherever it stands: no field takes a fraction, or an integer of more than 64 bits.
WRONG = (1.5, 2**63, "\x00")


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Seoul"])
def test_the_earliest_instant_there_is_breaks_nothing(make_world: Any, zone: str) -> None:
    world = make_world(timezone=zone)
    first = "0001-01-01T00:00:00Z"
    for path, body in (
        ("/members/mina", {"joined_at": first}),
        ("/orders/A-1", order(1000, placed_at=first)),
    ):
        response = world.call("PUT", path, body)
        assert response.status_code in (200, 201, 422), response.get_data(as_text=True)
