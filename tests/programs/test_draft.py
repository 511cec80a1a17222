"""The life of a draft: what is published until written, then changed with care or not at all."""

from typing import Any

import pytest

from tests.contract.checking import pointers, problem, rows
from tests.world import BASE_RULE, World, document, per_euro, rule


def read(world: World) -> tuple[Any, str]:
    response = world.call("GET", "/program/draft")
    assert response.status_code == 200
    return response.json, response.headers["ETag"]


def change(world: World, method: str, path: str, body: Any, etag: str | None) -> Any:
    headers = {} if etag is None else {"If-Match": etag}
    return world.call(method, f"/program/draft{path}", body, headers=headers)


def test_until_written_the_draft_is_what_is_published(world: World) -> None:
    assert read(world)[0] == world.get("/program")["document"] == document()
    world.put("/program/draft", document(name="Changed"))
    assert read(world)[0]["name"] == "Changed"
    assert world.get("/program")["document"]["name"] == "Bloom"


def test_every_change_has_an_etag_of_its_own(world: World) -> None:
    seen = [read(world)[1]]
    for method, path, body in [
        ("PUT", "", document(name="One")),
        ("PATCH", "", [{"op": "replace", "path": "/name", "value": "Two"}]),
        ("PUT", "/rules/extra", rule("extra", per_euro())),
        ("PUT", "/rules/extra", rule("extra", per_euro(2))),
        ("DELETE", "/rules/extra", None),
    ]:
        response = change(world, method, path, body, seen[-1])
        is_new = body == rule("extra", per_euro())
        assert response.status_code == (201 if is_new else 200), response.get_data(as_text=True)
        assert response.headers["ETag"] not in seen
        seen.append(response.headers["ETag"])
        assert read(world)[1] == seen[-1]
    world.post("/program/draft/publish", {"note": "x"})
    assert read(world)[1] not in seen


def test_a_change_on_another_state_is_a_version_mismatch(world: World) -> None:
    _, old = read(world)
    assert change(world, "PUT", "", document(name="Mina's"), old).status_code == 200
    before = rows(world)
    patch = [{"op": "replace", "path": "/name", "value": "Jun's"}]
    for method, path, body in [
        ("PUT", "", document(name="Jun's")),
        ("PATCH", "", patch),
        ("PUT", "/rules/base", BASE_RULE),
        ("DELETE", "/rules/base", None),
    ]:
        for etag in (old, '"nonsense"', ""):
            problem(change(world, method, path, body, etag), 409, "version_mismatch")
    assert rows(world) == before
    assert change(world, "PATCH", "", patch, "*").status_code == 200
    assert change(world, "PATCH", "", patch, None).status_code == 200


def test_a_patch_changes_what_it_names(world: World) -> None:
    patch = [
        {"op": "test", "path": "/name", "value": "Bloom"},
        {"op": "replace", "path": "/name", "value": "Bloom 2"},
        {"op": "add", "path": "/earning/rules/-", "value": rule("extra", per_euro(2))},
        {"op": "add", "path": "/locales", "value": ["ko"]},
        {"op": "copy", "from": "/locales/0", "path": "/locales/-"},
        {"op": "remove", "path": "/locales/0"},
        {"op": "move", "from": "/earning/rules/1", "path": "/earning/rules/0"},
    ]
    response = world.call("PATCH", "/program/draft", patch)
    assert response.status_code == 200
    rules = [rule("extra", per_euro(2)), BASE_RULE]
    assert response.json == document(name="Bloom 2", earning={"rules": rules}, locales=["ko"])
    assert read(world)[0] == response.json


@pytest.mark.parametrize(
    ("operation", "pointer"),
    [
        ({"op": "test", "path": "/name", "value": "other"}, "/1"),
        ({"op": "remove", "path": "/nothing"}, "/1"),
        ({"op": "replace", "path": "/earning/rules/7", "value": {}}, "/1"),
        ({"op": "add", "path": "/earning/rules/-1", "value": {}}, "/1"),
        ({"op": "add", "path": "/a/b/c", "value": 1}, "/1"),
        ({"op": "add", "path": "name", "value": "x"}, "/1"),
        ({"op": "add", "path": "/name"}, "/1"),
        ({"op": "copy", "path": "/name"}, "/1"),
        ({"op": "move", "from": "/earning", "path": "/earning/rules/0"}, "/1"),
        ({"op": "merge", "path": "/name", "value": "x"}, "/1"),
        ({"path": "/name", "value": "x"}, "/1"),
        ({"op": "replace", "path": 5, "value": "x"}, "/1"),
        ("remove", "/1"),
        (None, "/1"),
        ({"op": "remove", "path": "/points"}, "/points"),
        ({"op": "replace", "path": "/points/0/key", "value": "No!"}, "/points/0/key"),
        ({"op": "add", "path": "/surprise", "value": 1}, "/surprise"),
        ({"op": "replace", "path": "", "value": []}, ""),
    ],
    ids=lambda item: ascii(item)[:50],
)
def test_a_patch_that_cannot_be_applied_changes_nothing(
    still: World, operation: Any, pointer: str
) -> None:
    before = rows(still)
    patch = [{"op": "replace", "path": "/name", "value": "Half"}, operation]
    found = problem(still.call("PATCH", "/program/draft", patch), 422, "validation_failed")
    assert pointers(found) == [pointer]
    assert rows(still) == before


def test_a_patch_is_a_list(world: World) -> None:
    for body in ({"name": "x"}, [{"op": "remove", "path": "/x"}] * 201):
        problem(world.call("PATCH", "/program/draft", body), 422, "validation_failed")
    response = world.app.test_client().patch(
        "/v1/program/draft",
        data=b"[]",
        content_type="application/json-patch+json",
        headers={"Authorization": f"Bearer {world.key}"},
    )
    assert response.status_code == 200


def test_items_are_read_put_and_deleted_by_key(world: World) -> None:
    assert world.get("/program/draft/rules/base") == BASE_RULE
    extra = {"trigger": "order", "effect": per_euro(3)}
    assert world.put("/program/draft/rules/extra", extra) == rule("extra", per_euro(3))
    changed = BASE_RULE | {"priority": 5}
    assert world.put("/program/draft/rules/base", changed) == changed
    # An item keeps its place, a new one comes last.
    assert [one["key"] for one in read(world)[0]["earning"]["rules"]] == ["base", "extra"]
    level = {"enter_at": 1000, "multiplier_bp": 12_500}
    world.put("/program/draft/levels/silver", level)
    assert read(world)[0]["tiers"] == {"levels": [level | {"key": "silver"}]}
    world.put("/program/draft/points/stars", {})
    left = world.call("DELETE", "/program/draft/rules/base")
    assert left.status_code == 200
    assert [one["key"] for one in left.json["earning"]["rules"]] == ["extra"]
    for method in ("GET", "DELETE"):
        problem(world.call(method, "/program/draft/rules/base"), 404, "not_found")
        problem(world.call(method, "/program/draft/pets/base"), 404, "not_found")
    assert world.get("/program")["document"] == document()


@pytest.mark.parametrize(
    ("path", "item", "pointer"),
    [
        ("/rules/other", BASE_RULE, "/key"),
        ("/rules/base", [], ""),
        (
            "/rules/extra",
            {"effect": per_euro(), "when": {"fact": "order.total"}},
            "/earning/rules/1",
        ),
        ("/rules/extra", {}, "/earning/rules/1/effect"),
        ("/rules/No!", {"effect": per_euro()}, "/earning/rules/1/key"),
        ("/rewards/mug", {"cost_points": 5}, "/rewards/0/kind"),
    ],
)
def test_an_item_that_is_wrong_is_refused_with_its_place(
    still: World, path: str, item: Any, pointer: str
) -> None:
    before = rows(still)
    found = problem(still.call("PUT", f"/program/draft{path}", item), 422, "validation_failed")
    assert pointers(found)[0].startswith(pointer)
    assert rows(still) == before


def test_the_last_kind_of_points_cannot_be_deleted(world: World) -> None:
    found = problem(world.call("DELETE", "/program/draft/points/points"), 422, "validation_failed")
    assert pointers(found) == ["/points"]


def test_the_check_warns_of_what_is_probably_not_meant_and_publishing_does_not_mind(
    world: World,
) -> None:
    assert world.post("/program/draft/check") == {"errors": [], "warnings": []}
    world.put("/program/draft", document(earning={"rules": [BASE_RULE | {"state": "paused"}]}))
    found = world.post("/program/draft/check")
    assert found["errors"] == []
    [warning] = found["warnings"]
    assert (warning["code"], warning["pointer"]) == ("nothing_earns", "/earning/rules")
    assert warning["detail"]
    world.post("/program/draft/publish", {"note": "a holiday"})
    assert world.earned("A-1", 1000) == 0
