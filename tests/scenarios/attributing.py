"""Advocates, their codes and clicks, and what a referral kept of the evidence it was made by."""

from collections.abc import Callable
from typing import Any

from tests.world import World

Make = Callable[..., World]
LANDING = "https://bloom.example/hello"


def offer(key: str = "friends", **more: Any) -> dict[str, Any]:
    """500 points for the advocate, 300 for the friend, at the friend's first order."""
    return {
        "key": key,
        "advocate": [{"do": "add_points", "points": 500}],
        "friend": [{"do": "add_points", "points": 300}],
        "landing_url": LANDING,
    } | more


def shop(make_world: Make, *offers: dict[str, Any], at: str = "2026-01-01T00:00:00Z") -> World:
    """A program with offers, where Mina and Jun are advocates and Ines is nobody yet."""
    world = make_world(referral_offers=list(offers) or [offer()])
    world.set_clock(at)
    world.member("mina")
    world.member("jun")
    return world


def code_of(world: World, member_ref: str, offer_key: str = "friends") -> str:
    """A member's code for an offer."""
    headers = {"Idempotency-Key": f"link-{member_ref}-{offer_key}"}
    answer = world.call(
        "POST", f"/members/{member_ref}/links", {"offer": offer_key}, headers=headers
    )
    assert answer.status_code in (200, 201), answer.get_data(as_text=True)
    code: str = answer.json["code"]
    return code


def click(world: World, member_ref: str, at: str | None = None, **more: Any) -> str:
    """The token of a click on a member's link, now or at an instant."""
    body = {"code": code_of(world, member_ref), **more}
    if at is not None:
        body["occurred_at"] = at
    token: str = world.post("/clicks", body, status=201)["token"]
    return token


def sign_up(world: World, member_ref: str, told: Any = None, **fields: Any) -> Any:
    """PUT a member with evidence; they joined when they are told, unless said."""
    body = fields if told is None else fields | {"referral": told}
    return world.put(f"/members/{member_ref}", body)


def kept(world: World, answer: Any) -> dict[str, Any]:
    """The row of an answer's referral, with its evidence read."""
    import sqlalchemy as sa

    from core import db, ids, jsontext
    from referrals.carried import REFERRALS

    wanted = ids.read_id("ref", answer["referral"]["id"])
    with world.app.app_context():
        row = db.reading(
            lambda connection: (
                connection.execute(sa.select(REFERRALS).where(REFERRALS.c.id == wanted))
                .mappings()
                .one()
            )
        )
    return dict(row) | {"evidence": jsontext.parse(row["evidence"])}


def candidates(world: World, answer: Any) -> list[tuple[str, str, str | None]]:
    """Method, advocate and why not of every candidate, the winner first; advocates by reference."""
    refs = {world.get(f"/members/{one}")["id"]: one for one in ("mina", "jun")}
    return [
        (one["method"], refs.get(one["advocate_id"], "another"), one["why_not"])
        for one in kept(world, answer)["evidence"]["candidates"]
    ]


def advocate(world: World, answer: Any) -> str:
    """Who brought the friend."""
    return candidates(world, answer)[0][1]


def state(answer: Any) -> tuple[str, str | None]:
    """State and reason of an answer's referral."""
    return answer["referral"]["state"], answer["referral"].get("reason")


def problems(answer: Any) -> list[tuple[str, str]]:
    """Codes and pointers of an answer's problems."""
    return [(one["code"], one["pointer"]) for one in answer["problems"]]
