"""What breaks JSON, UTF-8 or HTTP is answered with its own code, and changes nothing."""

import json
from typing import Any

import pytest

from tests.contract.checking import Known, is_for_browsers, pointers, problem, rows
from tests.world import World, line, order


def send(
    world: World,
    raw: bytes,
    *,
    method: str = "PUT",
    path: str = "/orders/A-1",
    content_type: str | None = "application/json",
) -> Any:
    return world.app.test_client().open(
        f"/v1{path}",
        method=method,
        data=raw,
        content_type=content_type,
        headers={"Authorization": f"Bearer {world.key}", "Idempotency-Key": "raw-1"},
    )


def with_value(raw: str, *, name: str = "shipping_minor") -> bytes:
    """An order in which one value is written as told."""
    text = json.dumps(order(1000) | {name: "@"})
    return text.replace('"@"', raw).encode()


WHOLE = json.dumps(order(1000))

MALFORMED = {
    "nan": with_value("NaN"),
    "infinity": with_value("Infinity"),
    "minus infinity": with_value("-Infinity"),
    "1e400": with_value("1e400"),
    "-1e400": with_value("-1e400"),
    "4,301 digits": with_value("1" * 4301),
    "minus 4,301 digits": with_value("-" + "1" * 4301),
    "leading zero": with_value("01"),
    "hexadecimal": with_value("0x1"),
    "single quotes": with_value("'1'"),
    "raw nul": with_value('"a\x00b"', name="channel"),
    "raw line feed": with_value('"a\nb"', name="channel"),
    "half an escape": with_value('"\\u12"', name="channel"),
    "unknown escape": with_value('"\\x41"', name="channel"),
    "duplicate key": WHOLE[:-1].encode() + b', "status": "paid"}',
    "duplicate key within": WHOLE.replace('"quantity": 1', '"quantity": 1, "quantity": 1').encode(),
    "duplicate key by escape": WHOLE[:-1].encode() + b', "st\\u0061tus": "paid"}',
    "100 kB of [": b"[" * 100_000,
    "100 kB of {": b'{"a":' * 20_000,
    "65 levels": b'{"attributes":' + b"[" * 64 + b"]" * 64 + b"}",
    "utf-16 with mark": WHOLE.encode("utf-16"),
    "utf-16-le": WHOLE.encode("utf-16-le"),
    "utf-32": WHOLE.encode("utf-32"),
    "latin-1": WHOLE.replace("mina", "Zoé").encode("latin-1"),
    "encoded surrogate": with_value('"@"', name="channel").replace(b"@", b"\xed\xa0\x80"),
    "overlong nul": with_value('"@"', name="channel").replace(b"@", b"\xc0\x80"),
    "byte order mark": b"\xef\xbb\xbf" + WHOLE.encode(),
    "nothing": b"",
    "blanks": b" \n\t ",
    "cut short": WHOLE[:-5].encode(),
    "two values": WHOLE.encode() * 2,
    "comma at the end": WHOLE[:-1].encode() + b",}",
    "comment": b"/* order */" + WHOLE.encode(),
    "form": b"member_ref=mina&status=paid",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_json_is_malformed_and_changes_nothing(still: World, name: str) -> None:
    before = rows(still)
    problem(send(still, MALFORMED[name]), 400, "malformed_json")
    assert rows(still) == before


#: What needs nothing said: without a body it is as with an empty one.
NEEDS_NOTHING = {
    *("storefront.search_members", "points.move_test_clock", "program_impact.preview_impact"),
    *("redemptions.capture_redemption", "widget.issue_token", "links.post_link"),
    "payables.post_export",
}


def test_every_route_with_a_body_reads_it_strictly(world: World) -> None:
    known = Known(world)
    asked = {request[:3] for request in known.requests() if request[3] is not None}
    document: Any = world.app.test_client().get("/v1/openapi.json").json
    told = sum(
        "requestBody" in operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters" and not is_for_browsers(path)
    )
    assert len(asked) == told
    before = rows(world)
    for endpoint, method, path in sorted(asked):
        for name in ("nan", "duplicate key", "100 kB of [", "utf-16 with mark", "nothing"):
            if name == "nothing" and endpoint in NEEDS_NOTHING:
                continue
            problem(send(world, MALFORMED[name], method=method, path=path), 400, "malformed_json")
        for type_ in ("text/plain", None, "application/xml"):
            if (endpoint, type_) == ("vouchers.put_pool", "text/plain"):
                continue  # Codes line by line.
            response = send(world, b"{}", method=method, path=path, content_type=type_)
            problem(response, 415, "unsupported_media_type")
        for raw in (b"5", b'"text"', b"true", b"null"):
            problem(send(world, raw, method=method, path=path), 422, "validation_failed")
    assert rows(world) == before


def test_4300_digits_are_json_and_refused_with_their_place(world: World) -> None:
    found = problem(send(world, with_value("1" * 4300)), 422, "validation_failed")
    assert pointers(found) == ["/shipping_minor"]


def test_64_levels_are_json(world: World) -> None:
    raw = b'{"attributes":' + b"[" * 63 + b"]" * 63 + b"}"
    found = problem(send(world, raw), 422, "validation_failed")
    assert "/attributes" in pointers(found)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/json-patch+json",
        "",
        None,
    ],
)
def test_another_content_type_is_unsupported(still: World, content_type: str | None) -> None:
    before = rows(still)
    response = send(still, WHOLE.encode(), content_type=content_type)
    problem(response, 415, "unsupported_media_type")
    assert rows(still) == before


def test_utf_8_may_be_named_in_the_content_type(world: World) -> None:
    response = send(world, WHOLE.encode(), content_type='application/json; charset="UTF-8"')
    assert response.status_code == 201


def test_a_body_of_more_than_a_mebibyte_is_too_large(world: World) -> None:
    before = rows(world)
    empty = json.dumps(order(line("1", 1000, name=""))).encode()
    largest = empty.replace(b'"name": ""', b'"name": "%s"' % (b"x" * (2**20 - len(empty))))
    assert len(largest) == 2**20
    found = problem(send(world, largest), 422, "validation_failed")
    assert pointers(found) == ["/lines/0/name"]
    problem(send(world, largest + b" "), 413, "payload_too_large")
    assert rows(world) == before


def test_a_chunked_body_of_more_than_a_mebibyte_is_too_large(world: World) -> None:
    import io

    response = world.app.test_client().open(
        "/v1/orders/A-1",
        method="PUT",
        input_stream=io.BytesIO(b'"' + b"x" * 2**20 + b'"'),
        content_type="application/json",
        headers={"Authorization": f"Bearer {world.key}", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    problem(response, 413, "payload_too_large")


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v2", "/", "/v1/", "/v1/members/", "/v1//members", "/docs/secret.js"]
)
def test_an_unknown_address_is_not_found(still: World, path: str) -> None:
    for headers in ({}, {"Authorization": f"Bearer {still.key}"}):
        for method in ("GET", "POST", "PUT", "DELETE"):
            response = still.app.test_client().open(path, method=method, headers=headers)
            problem(response, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/orders/A-1", {"GET", "PUT"}),
        ("POST", "/v1/members/mina", {"GET", "PUT", "DELETE"}),
        ("GET", "/v1/orders/A-1/refunds/R-1", {"PUT"}),
        ("PUT", "/v1/members/mina/merge", {"POST"}),
        ("GET", "/v1/adjustments", {"POST"}),
        ("DELETE", "/v1/test-clock", {"GET", "POST"}),
        ("POST", "/v1/ledger/proof", {"GET"}),
        ("PUT", "/v1/webhook-endpoints/x", {"GET", "PATCH", "DELETE"}),
        ("POST", "/v1/webhook-deliveries", {"GET"}),
        ("PATCH", "/v1/members", {"GET"}),
        ("DELETE", "/v1/program/draft", {"GET", "PUT", "PATCH"}),
        ("POST", "/v1/program", {"GET"}),
        ("PUT", "/v1/quotes", {"POST"}),
        ("PUT", "/v1/keys", {"GET", "POST"}),
        ("POST", "/healthz", {"GET"}),
        ("DELETE", "/v1/openapi.json", {"GET"}),
        # What stands below a member or an order knows nothing of the member's methods.
        ("DELETE", "/v1/members/mina/lots", {"GET"}),
        ("PUT", "/v1/members/a/b/merge", {"POST"}),
        ("PATCH", "/v1/members/a/b", {"GET", "PUT", "DELETE"}),
        ("GET", "/v1/orders/A-1/refunds/R-1", {"PUT"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    still: World, method: str, path: str, allowed: set[str]
) -> None:
    response = still.app.test_client().open(path, method=method)
    problem(response, 405, "method_not_allowed")
    told = {one.strip() for one in response.headers["Allow"].split(",")}
    assert told - {"HEAD", "OPTIONS"} == allowed


def test_an_address_that_knows_no_method_is_none(world: World) -> None:
    response = world.call("PUT", "/orders/A-1/surprises", {})
    problem(response, 404, "not_found")
    assert "Allow" not in response.headers


def test_a_plus_sign_that_arrived_as_a_space_is_named(world: World) -> None:
    for path in ("balances?as_of=", "statement?from="):
        body = world.call("GET", f"/members/mina/{path}2026-03-01T10:00:00+09:00").json
        [found] = body["errors"]
        assert found["detail"].endswith("; in an address write + as %2B")
        written = f"/members/mina/{path}2026-03-01T10:00:00%2B09:00"
        assert world.call("GET", written).status_code == 200
    [found] = world.call("GET", "/members/mina/balances?as_of=noon").json["errors"]
    assert "%2B" not in found["detail"]


def test_success_carries_a_request_id_too_and_each_its_own(world: World) -> None:
    ids = {world.call("GET", "/program").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


def test_a_request_id_from_outside_is_not_taken_over(world: World) -> None:
    sent = {"X-Request-Id": "mine\r\n"[:4]}
    assert world.call("GET", "/program", headers=sent).headers["X-Request-Id"] != "mine"
