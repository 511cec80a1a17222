"""CORS: answers name an origin where its own program allows it, and nowhere else."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.widget.browsing import SHOP, ask, token
from tests.world import World
from widget import origins

MakeWorld = Callable[..., World]
ALLOW = "Access-Control-Allow-Origin"
OTHER = "https://other.example"


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    made = make_world(allowed_origins=[SHOP, "http://localhost:3000"])
    made.member("mina")
    return made


@pytest.fixture
def other(make_world: MakeWorld) -> World:
    made = make_world(allowed_origins=[OTHER])
    made.member("mina")
    return made


def preflight(world: World, path: str, origin: str | None, *, method: str = "GET") -> Any:
    headers = {"Access-Control-Request-Method": method}
    if origin is not None:
        headers["Origin"] = origin
    return world.app.test_client().options(f"/v1{path}", headers=headers)


def cors(response: Any) -> set[str]:
    return {name for name in set(dict(response.headers)) if name.startswith("Access-Control-")}


def test_an_answer_names_the_origin_that_its_program_allows(shop: World, other: World) -> None:
    for path, credential in (
        ("/public/program", shop.publishable_key),
        ("/me", token(shop)),
        ("/me/entries", token(shop)),
    ):
        response = ask(shop, "GET", path, credential=credential, headers={"Origin": SHOP})
        assert response.status_code == 200
        assert response.headers[ALLOW] == SHOP
        assert set(response.headers["Access-Control-Expose-Headers"].split(", ")) == {
            "Idempotent-Replayed",
            "Retry-After",
            "X-Request-Id",
        }
        assert "Origin" in response.headers["Vary"]
        assert response.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Credentials" not in response.headers
        # Another program's origin is none of this one's, though that one allows it.
        for wrong in (
            OTHER,
            "https://shop.example.evil.example",
            "null",
            "*",
            "http://shop.example",
        ):
            refused = ask(shop, "GET", path, credential=credential, headers={"Origin": wrong})
            assert cors(refused) == set(), wrong
            assert "Origin" in refused.headers["Vary"]


def test_a_refusal_can_be_read_where_it_is_known_whose_it_is(shop: World) -> None:
    shop.set_clock("2026-03-01T10:00:00Z")
    held = token(shop, expires_in=60)
    shop.set_clock("2026-03-01T11:00:00Z")
    for credential, status in ((held, 401), (shop.publishable_key, 403), (shop.key, 403)):
        response = ask(shop, "GET", "/me", credential=credential, headers={"Origin": SHOP})
        assert (response.status_code, response.headers[ALLOW]) == (status, SHOP)
    for unknown in ("pk_test_unknown", "mt_unknown", None):
        response = ask(shop, "GET", "/me", credential=unknown, headers={"Origin": SHOP})
        assert (response.status_code, cors(response)) == (401, set())


def test_a_preflight_is_allowed_where_any_program_allows_the_origin(
    shop: World, other: World
) -> None:
    for origin in (SHOP, OTHER, "http://localhost:3000"):
        for path, method in (("/me/redemptions", "POST"), ("/public/program", "GET")):
            response = preflight(shop, path, origin, method=method)
            assert (response.status_code, response.get_data()) == (204, b"")
            assert response.headers[ALLOW] == origin
            assert method in response.headers["Access-Control-Allow-Methods"].split(", ")
            sent = response.headers["Access-Control-Allow-Headers"].split(", ")
            assert sent == ["Authorization", "Content-Type", "Idempotency-Key"]
            assert "Origin" in response.headers["Vary"]
            assert "Access-Control-Allow-Credentials" not in response.headers
    for origin in ("https://nobody.example", "null", "*", "https://", "https://shop.example\x00"):
        assert cors(preflight(shop, "/me", origin)) == set()
    assert cors(preflight(shop, "/me", None)) == set()


def test_no_other_address_knows_cors(shop: World) -> None:
    for path in ("/members/mina", "/program", "/orders/A-1", "/media", "/openapi.json", "/keys"):
        assert cors(preflight(shop, path, SHOP)) == set(), path
        response = shop.call("GET", path, headers={"Origin": SHOP})
        assert cors(response) == set(), path
    made = shop.call("POST", "/members/mina/tokens", {}, headers={"Origin": SHOP})
    assert (made.status_code, cors(made)) == (201, set())


def test_a_published_change_counts_within_a_second(shop: World) -> None:
    def asked() -> Any:
        key = shop.publishable_key
        return ask(shop, "GET", "/public/program", credential=key, headers={"Origin": SHOP})

    assert asked().headers[ALLOW] == SHOP
    assert cors(preflight(shop, "/me", "https://new.example")) == set()
    shop.publish(allowed_origins=["https://new.example"])
    deadline = time.monotonic() + 1.0
    while ALLOW in asked().headers:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert preflight(shop, "/me", "https://new.example").headers[ALLOW] == "https://new.example"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("https://꽃집.example", "https://xn--js0bp71c.example"),
    ],
)
def test_origins_are_compared_as_browsers_spell_them(written: str, sent: str) -> None:
    assert origins.normal(written) == sent
    assert origins.normal(sent) == sent


def test_the_origins_cost_no_query_of_every_request(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = [0]
    read = origins._read

    def counted(*arguments: Any) -> Any:
        count[0] += 1
        return read(*arguments)

    monkeypatch.setattr(origins, "_read", counted)
    monkeypatch.setattr(origins, "_REMEMBERED_SECONDS", 60)
    for _ in range(5):
        headers = {"Origin": SHOP}
        response = ask(
            shop, "GET", "/public/program", credential=shop.publishable_key, headers=headers
        )
        assert response.headers[ALLOW] == SHOP
    assert count[0] == 1
