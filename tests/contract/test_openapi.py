"""The OpenAPI document says what the application does, and the application does what it says."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from tests.contract.checking import Known
from tests.world import World

EXAMPLES = 8
#: Addresses that are no part of the API: the document itself and its page.
PAGES = {"reference.openapi", "reference.docs", "reference.docs_file", "reference.problems"}
#: What the isolation tests check, and what a schema cannot say (an e-mail address is one of ours
#: to judge, a cursor must be one we gave).
NOT_ASKED = [ignored_auth, positive_data_acceptance]


@pytest.fixture
def document(app: Flask) -> Any:
    response = app.test_client().get("/v1/openapi.json")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    return response.json


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield path, method, operation


def test_the_document_is_valid_openapi_31(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    faults = [
        f"{list(error.absolute_path)}: {error.message[:200]}"
        for error in OpenAPIV31SpecValidator(document).iter_errors()
    ]
    assert faults == []


def test_the_document_names_every_route_and_no_other(app: Flask, document: Any) -> None:
    served = {
        (re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in PAGES
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    told = {(path, method) for path, method, _ in operations(document)}
    assert told == served


def test_every_operation_documents_its_statuses(document: Any) -> None:
    faults = []
    for path, method, operation in operations(document):
        statuses = set(operation["responses"])
        needed = {"400", "500", "503"}
        if path.startswith("/v1/"):
            needed |= {"401", "403"}
        if "requestBody" in operation:
            needed |= {"413", "415", "422"}
        if "{" in path:
            needed |= {"404"}
        if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", [])):
            # Used for another request, or still at work.
            needed |= {"409", "422"}
        faults += [f"{method} {path}: {one} is missing" for one in sorted(needed - statuses)]
        if not any(status.startswith(("2", "3")) for status in statuses):
            faults.append(f"{method} {path}: no success is documented")
        # A `default` would make every status a documented one.
        if "default" in statuses:
            faults.append(f"{method} {path}: default documents anything")
    assert faults == []


def test_every_problem_is_documented_as_problem_details(document: Any) -> None:
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")):
                assert set(response["content"]) == {"application/problem+json"}, (path, method)


def test_every_field_of_a_body_has_a_description(document: Any) -> None:
    bodies: set[str] = set()

    def collect(schema: Any) -> None:
        for name in re.findall(r"#/components/schemas/([^\"]+)", json.dumps(schema)):
            if name not in bodies:
                bodies.add(name)
                collect(document["components"]["schemas"][name])

    for _, _, operation in operations(document):
        collect(operation.get("requestBody", {}))
    silent = [
        f"{name}.{field}"
        for name in sorted(bodies)
        for field, schema in document["components"]["schemas"][name].get("properties", {}).items()
        if not schema.get("description")
    ]
    assert len(bodies) > 20
    assert silent == []


def test_what_is_owed_may_be_below_zero_and_a_link_says_what_it_sets(document: Any) -> None:
    schemas = document["components"]["schemas"]
    for name, fields in {
        "PayableView": ["minor"],
        "MemberPayablesAnswer": ["owed_minor", "exported_minor"],
    }.items():
        assert [one for one in fields if schemas[name]["properties"][one]["minimum"] >= 0] == []
    led = document["paths"]["/r/{code}"]["get"]["responses"]["302"]
    assert set(led["headers"]) == {"Location", "Cache-Control", "Set-Cookie"}


#: POSTs that write nothing.
READING = {
    "/v1/members/search",
    "/v1/quotes",
    "/v1/program/draft/check",
    "/v1/program/draft/impact",
    "/v1/members/{member_ref}/tokens",
}


def test_who_acts_is_a_parameter_of_every_writing_operation(document: Any) -> None:
    named, writing = set(), set()
    for path, method, operation in operations(document):
        if any(one["name"] == "Dangol-Actor" for one in operation.get("parameters", [])):
            named.add((method, path))
        # What members do themselves, nobody of the organisation does.
        is_of_member = path == "/v1/me" or path.startswith("/v1/me/")
        if method != "get" and path not in READING and not is_of_member:
            writing.add((method, path))
    assert named == writing
    assert len(writing) > 20


def test_who_acts_is_read_strictly_wherever_it_is_a_parameter(world: World) -> None:
    for text in ("x" * 129, "mina\x01"):
        for method, path in (("DELETE", "/keys/key_x"), ("PUT", "/members/mina")):
            sent = {"Dangol-Actor": text}
            response = world.call(method, path, None if method == "DELETE" else {}, headers=sent)
            assert response.status_code == 400, path
            assert "Dangol-Actor" in response.json["detail"]
    # Who only asks need not say who they are.
    assert world.call("GET", "/program", headers={"Dangol-Actor": "x" * 129}).status_code == 200


def test_the_document_of_a_program_says_what_its_parts_take(document: Any) -> None:
    schemas = document["components"]["schemas"]

    def part(name: str, field: str) -> Any:
        return schemas[name]["properties"][field]

    metrics = ["spend", "points", "orders", "referrals"]
    one, several = part("TierBasis", "metric")["oneOf"]
    assert (one["enum"], several["items"]["enum"]) == (metrics, metrics)
    for name in ("enter_at", "retain_at"):
        whole, by_metric, nothing = part("Level", name)["oneOf"]
        assert (whole["type"], list(by_metric["properties"])) == ("integer", metrics)
        assert nothing == {"type": "null"}
    declared = part("DeclaredActivity", "facts")
    assert "integer" in declared["additionalProperties"]["enum"]
    assert part("SwitchBody", "section")["enum"] == [
        "rules",
        "levels",
        "cards",
        "rewards",
        "referral_offers",
        "segments",
        "surprises",
    ]
    assert part("Effect", "do")["enum"][-2:] == ["grant_reward", "payable"]
    assert list(schemas["Schedule"]["properties"])[-2:] == ["from", "until"]


def test_health_needs_no_key_and_everything_else_does(document: Any) -> None:
    assert document["security"] == [{"key": []}]
    opened = {
        path for path, _, operation in operations(document) if operation.get("security") == []
    }
    assert opened == {"/healthz", "/readyz", "/r/{code}", "/r/{link_code}/qr.svg"}


def test_the_page_loads_nothing_from_another_host(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/docs")
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    html = page.get_data(as_text=True)
    assert not re.search(r"(https?:)?//[a-z0-9]", html)
    # The bundle asks validator.swagger.io about every document unless it is told not to.
    assert re.search(r"validatorUrl:\s*null", html)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(loaded) == 2
    for address in loaded:
        assert address.startswith("/docs/")
        with client.get(address) as file:
            assert file.status_code == 200
            text = file.get_data(as_text=True)
        assert len(text) > 10_000
        if address.endswith(".css"):
            assert not re.search(r"@import", text)
            assert set(re.findall(r"url\([\"']?(\w+:)?", text)) <= {"data:"}
        else:
            # No script of it pulls in another script, style sheet, font or image.
            assert not re.search(r"(importScripts|import)\(\s*[\"']https?:", text)
            assert not re.search(r"\.src\s*=\s*[\"']https?:", text)


def test_the_problem_types_lead_somewhere(app: Flask) -> None:
    client = app.test_client()
    nothing: Any = client.get("/v1/nothing").json
    address = nothing["type"]
    assert client.get(address.partition("#")[0]).status_code == 200


def test_every_route_does_what_a_good_request_asks(world: World) -> None:
    known = Known(world)
    requests = sorted(
        known.requests(),
        # The account is at the version that the body expects · nothing is gone yet.
        key=lambda one: (one[1] == "DELETE", one[0] != "points.post_adjustment", one[0]),
    )
    for endpoint, method, path, body in requests:
        sent = {"Idempotency-Key": endpoint} if method == "POST" else {}
        response = world.call(method, path, body, headers=sent)
        assert 200 <= response.status_code < 300, (path, response.get_data(as_text=True))
    assert world.verify()["mismatches"] == []


#: What a schema cannot say: these must fit the rest of the request, or what is stored.
OPTIONAL = (
    "discount_minor",
    "refunded_minor",
    "refunded_quantity",
    "fulfilled_quantity",
    "secret",
    "lot_id",
    "expires_at",
    "expected_version",
    "counts_for_tier",
    "facts",
    "is_sent",
    # Must be of the document · are of the whole instance.
    "offer",
    "vanity",
    # Of a state that it may have left.
    "if_state",
)
#: Where a request uses something up, or needs what only another answer tells.
ENDPOINTS = {
    "DELETE /v1/members/{member_ref}": "membership.erase_member",
    "POST /v1/members/{member_ref}/merge": "membership.merge_members",
    "DELETE /v1/webhook-endpoints/{endpoint_id}": "webhooks.delete_endpoint",
    "POST /v1/claims": "membership.claim_order",
    "POST /v1/clicks": "clicks.post_click",
    "GET /r/{code}": "clicks.follow_link",
    "POST /v1/redemptions/{redemption_id}/release": "redemptions.release_redemption",
    "POST /v1/me/redemptions/{redemption_id}/release": "widget.release_mine",
    "GET /v1/members/{member_ref}/why": "storefront.get_why",
    "POST /v1/vouchers/{code}/void": "vouchers.void_voucher",
    "POST /v1/referrals": "referrals.bring_by_hand",
    "POST /v1/referrals/{referral_id}/approve": "referrals.approve_referral",
    "POST /v1/referrals/{referral_id}/reject": "referrals.reject_referral",
    "POST /v1/referrals/{referral_id}/block": "referrals.block_referral",
    "POST /v1/referrals/{referral_id}/trust": "referrals.trust_household",
}


def lead(case: Any, known: Known, *, is_likely: bool) -> None:
    """Make a generated request one that comes further: with the key, and what exists."""
    case.headers["Authorization"] = f"Bearer {known.credential(case.operation.path)}"
    # What makes a change depend on the draft's state is tested by itself.
    case.headers.pop("If-Match", None)
    if not is_likely:
        return
    if "Idempotency-Key" in case.headers:
        # Made-up ones are alike from one address to the next, which is a fault of its own.
        case.headers["Idempotency-Key"] = f"likely-{next(known.numbers)}"
    endpoint = ENDPOINTS.get(case.operation.label, "")
    arguments = known.arguments | known.spare.get(endpoint, {})
    if endpoint == "clicks.follow_link":
        arguments["code"] = known.arguments["link_code"]
    for name in case.path_parameters or {}:
        case.path_parameters[name] = arguments[name]
    # What must be one of ours cannot be made up.
    for name in ("cursor", "endpoint"):
        case.query.pop(name, None)
    if "member_ref" in case.query:
        case.query["member_ref"] = "mina"
    if endpoint == "storefront.get_why":
        case.query["source"] = "order:K-1"
    if endpoint == "membership.claim_order" and isinstance(case.body, dict):
        case.body["token"] = known.token
    if endpoint == "clicks.post_click" and isinstance(case.body, dict):
        case.body["code"] = known.arguments["link_code"]
    if endpoint == "referrals.bring_by_hand" and isinstance(case.body, dict):
        for name in ("code", "at"):
            case.body.pop(name, None)
        case.body |= {"friend": "jun", "advocate": "mina", "is_confirmed": True}
    _plausible(case.body)


def _plausible(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _plausible(item)
    if not isinstance(value, dict):
        return
    known = {
        "currency": "EUR",
        "member_ref": "mina",
        "order_ref": "K-1",
        "timezone": "Asia/Seoul",
        "into_member_ref": "jun",
        "from_member_ref": "mina",
        "to_member_ref": "jun",
        "points_key": "points",
        "points": 1,
        "occurred_at": "2026-03-01T10:00:00Z",
        "url": "https://hooks.example.org/",
    }
    for name, item in known.items():
        if name in value:
            value[name] = item
    if value.get("state") == "disabled":
        # Nothing is replayed to an endpoint that is.
        value["state"] = "enabled"
    if not value.keys().isdisjoint({"now", "advance"}):
        value["advance"] = "PT1S"
        value.pop("now", None)
    if "reward" in value:
        value["reward"] = "base"
        for name in ("pay_with_points", "grant_id", "cart", "ttl"):
            value.pop(name, None)
    for name in OPTIONAL:
        value.pop(name, None)
    for item in value.values():
        _plausible(item)


def broken_promises(
    operation: Any, both: list[Known], mode: str, *, examples: int = EXAMPLES
) -> tuple[list[str], list[int]]:
    """Answers to generated requests that the document does not allow, and the least status of each
    world. Each request is sent to both: thinking it up takes six times as long as answering it.
    """
    statuses: list[set[int]] = [set() for _ in both]
    numbers = itertools.count()
    found: list[str] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    def run(case: Any) -> None:
        number = next(numbers)
        for known, seen in zip(both, statuses, strict=True):
            lead(case, known, is_likely=mode == "positive" and number % 4 != 0)
            response = case.call(app=known.world.app)
            seen.add(response.status_code)
            assert response.status_code < 500, response.text
            try:
                case.validate_response(response, excluded_checks=NOT_ASKED)
            except FailureGroup as group:
                found.extend(
                    f"{operation.label} ({mode}): {fault} {response.text[:500]}"
                    for fault in group.exceptions
                )

    run()
    return found, [min(seen) for seen in statuses]


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_answer_is_one_that_the_document_allows(
    sqlite_app: Flask, postgresql_app: Flask, mode: str
) -> None:
    both = []
    for app in (sqlite_app, postgresql_app):
        world = World(app)
        for ref in ("mina", "jun"):
            world.member(ref)
        both.append(Known(world))
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", sqlite_app)
    found: list[str] = []
    fruitless = []
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]
        if mode == "negative" and not operation.path.startswith("/v1/"):
            continue  # Health takes nothing that could be wrong.
        broken, least = broken_promises(operation, both, mode)
        found += broken
        if mode == "negative" or max(least) < 400 or f"{operation.label}:".startswith(HARD):
            continue
        # What is thought up hangs on what is imported: who had no luck has many more tries.
        broken, least = broken_promises(operation, both, mode, examples=8 * EXAMPLES)
        found += broken
        if max(least) >= 400:
            fruitless.append(f"{operation.label}: {least}")
    assert sorted(set(found))[:5] == []
    # Each operation is also seen succeeding, except where a schema cannot lead there.
    assert fruitless == []


#: Needs amounts that agree and the program's currency · exactly one contact · a draft that differs
#: · a key's own id · the key of an item of the document, or of a reward
#: · codes of four symbols and more.
HARD = (
    # By then somebody has blocked the member.
    "POST /v1/me/links",
    "PUT /v1/orders/",
    "POST /v1/orders/batch",
    "POST /v1/quotes",
    "PUT /v1/program/draft:",
    "POST /v1/program/draft/publish",
    "DELETE /v1/keys/",
    "DELETE /v1/program/draft/",
    "PUT /v1/program/draft/{section}",
    "POST /v1/switches",
    # One of three, and a period that begins before it ends.
    "POST /v1/backtests",
    "POST /v1/me/redemptions:",
    "PUT /v1/voucher-pools/",
)
