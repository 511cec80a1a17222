"""A browser: it asks with a publishable key or a member's token, from a page of some origin."""

import itertools
from typing import Any

from tests.world import World

_numbers = itertools.count(1)
SHOP = "https://shop.example"


def token(world: World, member_ref: str = "mina", **body: Any) -> str:
    """A member's token, made by the shop's server."""
    response = world.call("POST", f"/members/{member_ref}/tokens", body)
    assert response.status_code == 201, response.get_data(as_text=True)
    made: str = response.json["token"]
    return made


def ask(
    world: World,
    method: str,
    path: str,
    body: Any = None,
    *,
    credential: str | None,
    headers: dict[str, str] | None = None,
) -> Any:
    """A request with a credential of its own."""
    sent = dict(headers or {})
    if credential is not None:
        sent["Authorization"] = f"Bearer {credential}"
    if method == "POST":
        sent.setdefault("Idempotency-Key", f"browser-{next(_numbers)}")
    return world.app.test_client().open(f"/v1{path}", method=method, json=body, headers=sent)


def told(response: Any, status: int = 200) -> Any:
    """The JSON of an answer with the expected status."""
    assert response.status_code == status, response.get_data(as_text=True)
    return response.json


def public(world: World, query: str = "") -> Any:
    """The program as everybody may see it."""
    return told(ask(world, "GET", f"/public/program{query}", credential=world.publishable_key))


def mine(world: World, path: str = "", member_ref: str = "mina") -> Any:
    """What a member sees at an address below /v1/me."""
    return told(ask(world, "GET", f"/me{path}", credential=token(world, member_ref)))
