"""Well-formed JSON with a wrong value is refused with the pointer of what is wrong."""

import base64
import copy
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.checking import pointers, problem, rows, send
from tests.world import World, line, order


def changed(path: str, value: Any) -> dict[str, Any]:
    """An order with one value set, by its pointer; `...` takes it away."""
    body = copy.deepcopy(order(line("1", 1000, sku="MUG", discount_minor=0)))
    place: Any = body
    *way, last = path.strip("/").split("/")
    for token in way:
        place = place[int(token) if isinstance(place, list) else token]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return body


WRONG_VALUES = [
    ("/lines/0/sku", "a\x00b"),
    ("/lines/0/sku", "\ud800"),
    ("/channel", "\udfff"),
    ("/lines/0/line_ref", "\x00"),
    ("/lines/0/categories", ["mugs\x00"]),
    ("/shipping_minor", 2**63),
    ("/shipping_minor", -(2**63) - 1),
    ("/revision", 2**63),
    ("/revision", 10**4000),
    ("/shipping_minor", -1),
    ("/lines/0/quantity", "5"),
    ("/lines/0/quantity", 5.9),
    ("/lines/0/quantity", 5.0),
    ("/lines/0/quantity", True),
    ("/lines/0/quantity", None),
    ("/lines/0/quantity", [1]),
    ("/lines/0/quantity", -1),
    ("/lines/0/unit_price_minor", 1e3),
    ("/lines/0/is_gift_card", 1),
    ("/lines/0/is_gift_card", "true"),
    ("/is_renewal", 0),
    ("/status", "PAID"),
    ("/status", "refunded"),
    ("/status", None),
    ("/status", ["paid"]),
    ("/currency", "eur"),
    ("/currency", "XYZW"),
    ("/currency", "ZZZ"),
    ("/lines", []),
    ("/lines", {}),
    ("/lines", None),
    ("/lines/0", "MUG"),
    ("/lines/0", None),
    ("/lines/0/line_ref", ""),
    ("/lines/0/line_ref", "x" * 129),
    ("/lines/0/line_ref", "a\nb"),
    ("/lines/0/line_ref", 1),
    ("/member_ref", ""),
    ("/member_ref", "x" * 129),
    ("/member_ref", "a\tb"),
    ("/member_ref", "a\u200bb"),
    ("/member_ref", 7),
    ("/placed_at", "2026-03-01T10:00:00"),
    ("/placed_at", "2026-03-01"),
    ("/placed_at", "2026-02-29T10:00:00Z"),
    ("/placed_at", "2026-03-01T24:00:00Z"),
    ("/placed_at", "2026-03-01T10:00:00+24:00"),
    ("/placed_at", "0000-01-01T00:00:00Z"),
    ("/placed_at", "9999-12-31T23:59:59-23:59"),
    ("/placed_at", "0001-01-01T00:00:00+23:59"),
    ("/placed_at", 1772359200),
    ("/placed_at", "٢٠٢٦-03-01T10:00:00Z"),
    ("/placed_at", "2026-03-01T10:00:0٣Z"),
    ("/paid_at", "2999-01-01T00:00:00Z"),
    ("/attributes", []),
    ("/attributes", "x"),
    ("/attributes/colour", 1.5),
    ("/attributes/colour", {"a": 1}),
    ("/attributes/colour", 2**63),
    ("/attributes/colour", ["a", 1]),
    ("/attributes/colour", "\x00"),
    ("/payments", [{"kind": "cash", "amount_minor": 1}]),
    ("/codes", ["x"] * 51),
    ("/codes", "SPRING"),
    ("/referral", "CODE"),
]


@pytest.mark.parametrize(
    ("path", "value"), WRONG_VALUES, ids=lambda item: ascii(item)[:40].replace("::", "_")
)
def test_a_wrong_value_is_refused_with_its_pointer(still: World, path: str, value: Any) -> None:
    before = rows(still)
    body = order(line("1", 1000, sku="MUG"))
    body["attributes"] = {}
    place: Any = body
    *way, last = path.strip("/").split("/")
    for token in way:
        place = place[int(token) if isinstance(place, list) else token]
    place[int(last) if isinstance(place, list) else last] = value
    found = problem(send(still, "PUT", "/orders/A-1", body), 422, "validation_failed")
    assert len(pointers(found)) == 1
    assert pointers(found)[0].startswith(path)
    assert rows(still) == before


@pytest.mark.parametrize(
    "path",
    [
        "/status",
        "/currency",
        "/placed_at",
        "/lines",
        "/lines/0/line_ref",
        "/lines/0/quantity",
        "/lines/0/unit_price_minor",
    ],
)
def test_a_missing_field_is_named(still: World, path: str) -> None:
    found = problem(still.call("PUT", "/orders/A-1", changed(path, ...)), 422, "validation_failed")
    assert [(one["pointer"], one["code"]) for one in found["errors"]] == [(path, "required")]


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/total_minor", "/total_minor"),
        ("/lines/0/price", "/lines/0/price"),
        ("/order_ref", "/order_ref"),
        ("/a~b", "/a~0b"),
        ("/", "/"),
    ],
)
def test_an_unknown_field_is_refused_by_name(still: World, path: str, pointer: str) -> None:
    found = problem(still.call("PUT", "/orders/A-1", changed(path, 1)), 422, "validation_failed")
    assert [(one["pointer"], one["code"]) for one in found["errors"]] == [
        (pointer, "unknown_field")
    ]


def test_an_unknown_field_with_a_slash_has_its_pointer_escaped(world: World) -> None:
    body = order(1000) | {"a/b": 1, "lone\ud800": 2}
    found = problem(send(world, "PUT", "/orders/A-1", body), 422, "validation_failed")
    assert "/a~1b" in pointers(found)
    assert len(pointers(found)) == 2


def test_every_fault_is_named_at_once(world: World) -> None:
    body = order(line("1", 1000, quantity="1"), line("2", 1000, tax_minor=1.5), status="?")
    found = problem(world.call("PUT", "/orders/A-1", body), 422, "validation_failed")
    assert sorted(pointers(found)) == ["/lines/0/quantity", "/lines/1/tax_minor", "/status"]


CONTRADICTIONS = {
    "line discount more than the line": (
        order(line("1", 1000, discount_minor=1001)),
        ["/lines/0/discount_minor"],
    ),
    "order discount more than the goods": (
        order(line("1", 1000, discount_minor=200), discount_minor=801, shipping_minor=500),
        ["/discount_minor"],
    ),
    "line_ref twice": (order(line("1", 1), line("2", 2), line("1", 3)), ["/lines/2/line_ref"]),
    "more pieces refunded than bought": (
        order(line("1", 1000, quantity=2, refunded_quantity=3)),
        ["/lines/0/refunded_quantity"],
    ),
    "more money refunded than the line": (
        order(line("1", 1000, quantity=2, refunded_minor=2001)),
        ["/lines/0/refunded_minor"],
    ),
    "more money refunded than the order": (
        order(1000, 500, refunded_minor=1501),
        ["/refunded_minor"],
    ),
    "more shipping refunded than charged": (
        order(1000, shipping_minor=300, shipping_refunded_minor=301),
        ["/shipping_refunded_minor"],
    ),
    "more fulfilled than bought": (
        order(line("1", 1000, fulfilled_quantity=2)),
        ["/lines/0/fulfilled_quantity"],
    ),
    "more than any amount may be": (
        order(line("1", 10**12, quantity=2)),
        ["/lines"],
    ),
    "a member nobody knows": (order(1000, member_ref="nobody"), ["/member_ref"]),
    "placed in a future year": (order(1000, placed_at="2999-01-01T00:00:00Z"), ["/placed_at"]),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_figures_that_contradict_each_other_are_refused(still: World, name: str) -> None:
    body, expected = CONTRADICTIONS[name]
    before = rows(still)
    found = problem(still.call("PUT", "/orders/A-1", body), 422, "validation_failed")
    assert pointers(found) == expected
    batch = {"orders": [{"order_ref": "A-1"} | body]}
    [result] = still.post("/orders/batch", batch)["results"]
    assert result["status"] == 422
    assert result["problem"]["code"] == "validation_failed"
    assert pointers(result["problem"]) == expected
    assert rows(still) == before


def test_another_currency_is_a_mismatch(world: World) -> None:
    before = rows(world)
    problem(world.call("PUT", "/orders/A-1", order(1000, currency="KRW")), 422, "currency_mismatch")
    quoted = {"member_ref": "mina", "cart": {"currency": "USD", "lines": [line("1", 1000)]}}
    problem(world.call("POST", "/quotes", quoted), 422, "currency_mismatch")
    assert rows(world) == before


@pytest.mark.parametrize("resource", ["members", "orders"])
@pytest.mark.parametrize(
    "ref", ["\x00", "a\nb", "a\x7f", "x" * 129, "\u200b", "a\u2028b", "é" * 129]
)
def test_a_wrong_reference_in_the_path_is_refused(still: World, resource: str, ref: str) -> None:
    before = rows(still)
    body = {} if resource == "members" else order(1000)
    for method in ("PUT", "GET"):
        sent = body if method == "PUT" else None
        response = still.call(method, f"/{resource}/{quote(ref, safe='')}", sent)
        found = problem(response, 422, "validation_failed")
        assert pointers(found) == [f"/{resource[:-1]}_ref"]
    assert rows(still) == before


@pytest.mark.parametrize("ref", ["%FF", "%ED%A0%80", "%C0%80", "a%80"])
def test_a_path_that_is_no_utf_8_is_refused(world: World, ref: str) -> None:
    before = rows(world)
    response = world.call("PUT", f"/orders/{ref}", order(1000))
    assert response.status_code in (400, 404, 422), response.get_data(as_text=True)
    assert response.mimetype == "application/problem+json"
    assert rows(world) == before


@pytest.mark.parametrize(
    "ref",
    ["a/b", "a b", "100%", "단골-1", "a?b#c", "x" * 128, "é" * 128, "..", "a:b@c", "+", "a\\b"],
)
def test_any_printable_reference_comes_back_as_it_was_told(world: World, ref: str) -> None:
    path = quote(ref, safe="")
    made = world.put(f"/members/{path}", {}, status=201)
    assert made["member"]["member_ref"] == ref
    assert world.get(f"/members/{path}")["member_ref"] == ref
    told = world.put(f"/orders/{path}", order(1000, member_ref=ref), status=201)
    assert told["order"]["order_ref"] == ref
    assert world.get(f"/orders/{path}")["order"]["order_ref"] == ref
    assert world.get(f"/members/{path}/balances")["data"][0]["available"] == 10


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("/members", "limit=0", "?limit"),
        ("/members", "limit=101", "?limit"),
        ("/members", "limit=-1", "?limit"),
        ("/members", "limit=1.5", "?limit"),
        ("/members", "limit=ten", "?limit"),
        ("/members", "limit=", "?limit"),
        ("/members", "limit=%D9%A3", "?limit"),
        ("/members", f"limit={10**30}", "?limit"),
        ("/members", "limit=1&limit=2", "?limit"),
        ("/members", "tier=%00", "?tier"),
        ("/members", "cursor=%00", "?cursor"),
        ("/members", "cursor=", "?cursor"),
        ("/members", "cursor=" + "x" * 513, "?cursor"),
        ("/members", "page=2", "?page"),
        ("/members/mina/entries", "points_key=" + "x" * 65, "?points_key"),
        ("/members/mina/entries", "sort=asc", "?sort"),
        ("/members/mina/balances", "limit=0", "?limit"),
        ("/members/mina/balances", "as_of=2026-03-01", "?as_of"),
        ("/members/mina/balances", "known_at=%00", "?known_at"),
        ("/members/mina/tier", "as_of=0001-01-01T00:00:00Z", "?as_of"),
        ("/members/mina/tier", "known_at=3000-01-01T00:00:00Z", "?known_at"),
        ("/members/mina/entries", "as_of=now", "?as_of"),
        ("/members/mina/lots", "open=1", "?open"),
        ("/members/mina/lots", "limit=101", "?limit"),
        ("/members/mina/lots", "points_key=" + "x" * 65, "?points_key"),
        ("/members/mina/lots", "as_of=2026-03-01T00:00:00Z", "?as_of"),
        ("/members/mina/statement", "format=xml", "?format"),
        ("/members/mina/statement", "from=2026-03-01", "?from"),
        ("/members/mina/statement", "until=9999-12-31T23:59:59Z", "?until"),
        ("/members/mina/statement", "limit=1", "?limit"),
        ("/ledger/proof", "from=0001-01-01", "?from"),
        ("/ledger/proof", "from=9999-12-31", "?from"),
        ("/ledger/proof", "until=0001-01-31", "?until"),
        ("/ledger/proof", "until=2026-02-29", "?until"),
        ("/ledger/proof", "from=2026-01-01&until=2026-02-01", "?until"),
        ("/ledger/proof", "points_key=points", "?points_key"),
        ("/ledger/proof/heads", "limit=0", "?limit"),
        ("/test-clock", "now=2026-03-01T00:00:00Z", "?now"),
        ("/webhook-endpoints", "limit=0", "?limit"),
        ("/webhook-endpoints", "state=enabled", "?state"),
        ("/webhook-deliveries", "state=sent", "?state"),
        ("/webhook-deliveries", "type=points.*", "?type"),
        ("/webhook-deliveries", "endpoint=" + "x" * 65, "?endpoint"),
        ("/program", "version=1", "?version"),
        ("/program/versions", "limit=0", "?limit"),
        ("/keys", "limit=x", "?limit"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(
    still: World, path: str, query: str, pointer: str
) -> None:
    found = problem(still.call("GET", f"{path}?{query}"), 422, "validation_failed")
    assert pointers(found) == [pointer]


CURSORS = ["x", "W10", "e30", "bnVsbA", "WzFd", "WyJ4Il0", "WzEsMl0", "W1tdXQ", "===", "é"]


LISTS = [
    "/members",
    "/members/mina/entries",
    "/members/mina/entries?as_of=2026-06-01T00:00:00Z",
    "/members/mina/lots",
    "/ledger/proof/heads",
    "/webhook-endpoints",
    "/webhook-deliveries",
    "/keys",
]


def turned(path: str, cursor: str) -> str:
    """A list's address with a cursor."""
    return f"{path}{'&' if '?' in path else '?'}cursor={cursor}"


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_that_is_none_of_ours_is_refused(still: World, path: str, cursor: str) -> None:
    problem(still.call("GET", turned(path, cursor)), 400, "invalid_cursor")


@pytest.mark.parametrize("path", [*LISTS, "/program/versions"])
def test_a_cursor_with_other_values_than_a_place_is_refused(still: World, path: str) -> None:
    unknown = (
        "key_01h455vb4pex5vsknk084sn02q" if path != "/keys" else "mem_01h455vb4pex5vsknk084sn02q"
    )
    member_id = still.get("/members/mina")["id"]
    for values in (
        [],
        ["x"],
        [unknown],
        [unknown, "points"],
        [5, unknown],
        [2**62, "ent_01h455vb4pex5vsknk084sn02q"],
        [5, 5, 5],
        [None],
        [True, member_id],
        [member_id, "\x00"],
        {"a": 1},
    ):
        raw = json.dumps(values).encode()
        cursor = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        problem(still.call("GET", turned(path, cursor)), 400, "invalid_cursor")


def test_a_cursor_of_another_list_is_refused(world: World) -> None:
    for number in range(3):
        world.order(f"A-{number}", 1000)
        hook = {"url": "https://hooks.example.org/", "types": ["*"]}
        world.post("/webhook-endpoints", hook, status=201)
    world.order("A-4", 1000, member_ref="jun")
    for given in ("/members", "/members/mina/lots", "/ledger/proof/heads", "/webhook-endpoints"):
        cursor = world.get(f"{given}?limit=1")["next_cursor"]
        assert cursor
        for path in {*LISTS, "/program/versions"} - {given}:
            problem(world.call("GET", turned(path, cursor)), 400, "invalid_cursor")


@pytest.mark.parametrize("actor", ["", "x" * 129, "a\x7fb", "\xff"])
def test_a_wrong_actor_is_refused(still: World, actor: str) -> None:
    before = rows(still)
    response = still.call("PUT", "/orders/A-1", order(1000), headers={"Dangol-Actor": actor})
    assert response.status_code == 400
    assert response.mimetype == "application/problem+json"
    assert rows(still) == before
