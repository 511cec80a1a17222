"""A member's token: one member, one hour, and nothing beyond /v1/me."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from config import Settings
from core import signing
from server import access
from tests.contract.checking import closed, problem, rows
from tests.widget.browsing import ask, mine, token, told
from tests.world import World

MakeWorld = Callable[..., World]


def of_kind(app: Flask, kind: str) -> Iterator[tuple[str, str, str]]:
    for endpoint, method, path in closed(app, {"version": "1", "section": "rules"}):
        if access.TABLE[endpoint].kind == kind:
            yield endpoint, method, path.removeprefix("/v1")


def test_a_server_makes_a_token_and_its_member_reads_their_own_account(world: World) -> None:
    response = world.call("POST", "/members/mina/tokens", {"expires_in": 3600})
    made = told(response, 201)
    assert set(made) == {"token", "expires_at"}
    assert made["token"].startswith("mt_")
    seen = told(ask(world, "GET", "/me", credential=made["token"]))
    assert seen["member"]["member_ref"] == "mina"
    assert mine(world, member_ref="jun")["member"]["member_ref"] == "jun"


@pytest.mark.parametrize("expires_in", [0, -1, 3601, "900", 1.5, True])
def test_a_token_lasts_an_hour_at_most(world: World, expires_in: Any) -> None:
    response = world.call("POST", "/members/mina/tokens", {"expires_in": expires_in})
    problem(response, 422, "validation_failed")


def test_a_token_is_over_by_the_clock_of_its_program(world: World) -> None:
    world.set_clock("2026-03-01T10:00:00Z")
    response = world.call("POST", "/members/mina/tokens", {"expires_in": 60})
    made = told(response, 201)
    assert made["expires_at"] == "2026-03-01T10:01:00Z"
    world.set_clock("2026-03-01T10:00:59Z")
    told(ask(world, "GET", "/me", credential=made["token"]))
    world.set_clock("2026-03-01T10:01:00Z")
    found = ask(world, "GET", "/me", credential=made["token"])
    problem(found, 401, "token_expired")
    assert found.headers["WWW-Authenticate"].startswith("Bearer")


def test_nobody_has_a_token_whom_the_program_does_not_know(
    world: World, make_world: MakeWorld
) -> None:
    make_world().member("stranger")
    world.member("gone")
    world.call("DELETE", "/members/gone")
    for ref in ("nobody", "stranger", "gone"):
        problem(world.call("POST", f"/members/{ref}/tokens", {}), 404, "not_found")


def test_a_token_of_an_erased_member_is_worth_nothing(world: World) -> None:
    held = token(world)
    assert world.call("DELETE", "/members/mina").status_code == 200
    problem(ask(world, "GET", "/me", credential=held), 401, "invalid_credentials")
    problem(ask(world, "PATCH", "/me", {}, credential=held), 401, "invalid_credentials")
    # Nor does it come to life for whoever has the reference next.
    world.member("mina")
    problem(ask(world, "GET", "/me", credential=held), 401, "invalid_credentials")


def test_a_token_of_a_merged_member_speaks_for_whom_they_were_merged_into(world: World) -> None:
    world.order("A-1", 1000)
    held = token(world)
    world.post("/members/mina/merge", {"into_member_ref": "jun"})
    seen = told(ask(world, "GET", "/me", credential=held))
    assert seen["member"]["member_ref"] == "jun"
    assert seen["balances"][0]["available"] == 10
    assert world.call("DELETE", "/members/jun").status_code == 200
    problem(ask(world, "GET", "/me", credential=held), 401, "invalid_credentials")


def test_a_token_that_was_made_elsewhere_or_changed_is_not_believed(world: World) -> None:
    held = token(world)
    with world.app.app_context():
        [first, *rest] = held.removeprefix("mt_").split(".")
        other = signing.sign("claim", ["prg_x", "mem_x"], expires_at=2**60)
    for wrong in (
        f"mt_{other}",
        f"mt_{first}x.{rest[0]}",
        held[:-1],
        "mt_",
        "mt_..",
        "mt_\xff",
        held.removeprefix("mt_"),
        held.upper(),
    ):
        problem(ask(world, "GET", "/me", credential=wrong), 401, "invalid_credentials")


def test_a_token_survives_a_rotation_of_the_secret_key(world: World) -> None:
    held = token(world)
    settings: Settings = world.app.extensions["dangol.settings"]
    values = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    rotated = values | {"secret_key": "n" * 40, "secret_key_fallbacks": (settings.secret_key,)}
    try:
        world.app.extensions["dangol.settings"] = Settings(**rotated)
        told(ask(world, "GET", "/me", credential=held))
        world.app.extensions["dangol.settings"] = Settings(**rotated | {"secret_key_fallbacks": ()})
        problem(ask(world, "GET", "/me", credential=held), 401, "invalid_credentials")
    finally:
        world.app.extensions["dangol.settings"] = settings


def test_a_servers_addresses_are_closed_to_browsers(world: World) -> None:
    held = token(world)
    before = rows(world)
    asked = list(of_kind(world.app, "secret"))
    assert len(asked) > 60
    for _, method, path in asked:
        for credential in (held, world.publishable_key):
            problem(ask(world, method, path, {}, credential=credential), 403, "forbidden")
    assert rows(world) == before


def test_each_of_a_browsers_addresses_takes_its_own_credential_alone(world: World) -> None:
    credentials = {
        "secret": world.key,
        "publishable": world.publishable_key,
        "member": token(world),
    }
    found = set()
    for kind in ("publishable", "member"):
        for endpoint, method, path in of_kind(world.app, kind):
            problem(ask(world, method, path, {}, credential=None), 401, "authentication_required")
            for other in credentials.keys() - {kind}:
                response = ask(world, method, path, {}, credential=credentials[other])
                problem(response, 403, "forbidden")
            right = ask(world, method, path, {}, credential=credentials[kind])
            assert right.status_code not in {401, 403}, path
            found.add(endpoint)
    assert len(found) == 15


def test_tokens_are_stored_nowhere(world: World) -> None:
    before = rows(world)
    secret = token(world).rpartition(".")[2]
    assert rows(world) == before
    assert secret not in repr(before)
