"""Erasure: a person goes from every table, and every sum stays."""

import logging
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from core import clock, ids, outbox
from server.app import _read_member_refs
from tests import holding as holds
from tests.concurrency.parallel import assert_sound
from tests.conftest import make_app
from tests.scenarios.erasing import WELCOMING, account, erase, places_of, program_id_of, run
from tests.world import World, line, order, points
from webhooks.models import WebhookAttempt, WebhookDelivery

Make = Callable[..., World]

PERSON: dict[str, Any] = {
    "email": "mina.personal@example.org",
    "phone": "+82 10 5550 1234",
    "contact_verified": ["email"],
    "name": "Mina Personalkim",
    "birthday_on": "1991-07-23",
    "locale": "cy-GB",
    "card_ref": "card-5550-personal",
    "attributes": {
        "nickname": "minnie-personal",
        "shoe": 777123777,
        "hobbies": ["yodelling-personal"],
    },
}
REF = "mina-personal-ref"
#: What may be found nowhere: as text, in JSON, or in bytes.
PERSONAL = [
    "mina.personal",
    "5550 1234",
    "55501234",
    "Personalkim",
    "민아퍼스널",
    "1991-07-23",
    "cy-GB",
    "card-5550-personal",
    "minnie-personal",
    "777123777",
    "yodelling-personal",
    "door-code-personal",
    "engraved-personal",
    "subscription-personal",
    "note-personal",
    "gift-personal",
    "code-personal",
    "consent-personal",
    "echo-personal",
    "old.personal@example.org",
    REF,
]


@pytest.fixture
def shop(make_world: Make) -> World:
    """A program that welcomes with 100 points, on 2 March 2026."""
    world = make_world(**WELCOMING)
    world.set_clock("2026-03-02T00:00:00Z")
    world.member("jun")
    return world


def live_richly(world: World) -> None:
    """A member who leaves something of themselves in every table that there is."""
    world.put(f"/members/{REF}", {"email": "old.personal@example.org"})
    consent = {"purpose": "marketing", "is_granted": True, "at": "2026-03-01T00:00:00Z"}
    world.put(f"/members/{REF}", PERSON | {"consents": [consent | {"source": "consent-personal"}]})
    world.put(f"/members/{REF}", {"name": "민아퍼스널 Personalkim"})
    lines = line("1", 5000, name="engraved-personal", attributes={"text": "engraved-personal"})
    for status in ("pending", "paid"):
        world.order(
            "A-1",
            lines,
            member_ref=REF,
            status=status,
            attributes={"door": "door-code-personal"},
            codes=["code-personal"],
            subscription_ref="subscription-personal",
            contact={"email": PERSON["email"]},
            visitor={"address": "door-code-personal"},
        )
    guest = world.order("G-1", 700, member_ref=None, attributes={"door": "door-code-personal"})
    world.post("/claims", {"token": guest["claim_token"], "member_ref": REF})
    adjustment = {"member_ref": REF, "points": 40, "reason": "goodwill", "note": "note-personal"}
    world.post("/adjustments", adjustment, status=201)
    given = {"from_member_ref": REF, "to_member_ref": "jun", "points": 5}
    world.post("/transfers", given | {"reason": "gift-personal"}, status=201)
    echo(world)


def echo(world: World) -> None:
    """A receiver of webhooks answered with what it knows of the member."""
    endpoint = {"url": "https://93.184.215.14/hook", "types": ["*"]}
    made = world.post("/webhook-endpoints", endpoint, status=201)
    program_id = program_id_of(world)

    def write(connection: sa.Connection) -> None:
        message_id = connection.execute(
            sa.select(outbox.OutboxMessage.id).where(
                outbox.OutboxMessage.program_id == program_id,
                outbox.OutboxMessage.type == "member.created",
                outbox.OutboxMessage.payload.contains(REF),
            )
        ).scalar_one()
        delivery_id = ids.new_id()
        delivery = {
            "program_id": program_id,
            "id": delivery_id,
            "message_id": message_id,
            "endpoint_id": ids.read_id("whe", made["id"]),
            "type": "member.created",
            "state": "delivered",
            "attempt_count": 1,
            "next_at": None,
            "leased_until": None,
            "created_at": 0,
        }
        connection.execute(sa.insert(WebhookDelivery).values(**delivery))
        connection.execute(
            sa.insert(WebhookAttempt).values(
                program_id=program_id,
                delivery_id=delivery_id,
                id=ids.new_id(),
                at=0,
                duration_ms=1,
                status=200,
                error=None,
                response=f"hello {REF}, echo-personal",
            )
        )

    run(world, write)


def test_nothing_of_a_person_is_left_in_any_table(shop: World) -> None:
    live_richly(shop)
    before = places_of(shop, *PERSONAL)
    # The search finds what there is to find, or it would prove nothing afterwards.
    assert set(PERSONAL) - before.keys() == {"55501234", "old.personal@example.org"}
    assert {place.partition(".")[0] for places in before.values() for place in places} == {
        "members",
        "consents",
        "orders",
        "decisions",
        "outbox",
        "adjustments",
        "superseded_tellings",
        "transfers",
        "idempotency_keys",
        "webhook_attempts",
    }
    erase(shop, REF)
    assert places_of(shop, *PERSONAL) == {}
    assert_sound(shop)


def test_nothing_of_a_person_is_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "alone.db"
    world = World(make_app(f"sqlite:///{path}"), **WELCOMING)
    world.set_clock("2026-03-02T00:00:00Z")
    world.member("jun")
    live_richly(world)

    def found() -> set[str]:
        # By another process: whoever closes the file here gives up SQLite's locks on it.
        files = [str(one) for one in (path, Path(f"{path}-wal")) if one.exists()]
        raw = subprocess.run(["cat", *files], check=True, capture_output=True).stdout
        return {text for text in PERSONAL if text.encode() in raw}

    assert {"Personalkim", "minnie-personal", "note-personal", "echo-personal"} <= found()
    erase(world, REF)
    assert found() == set()


def test_what_is_left_is_forfeited_by_entries_and_sums_stay(shop: World) -> None:
    shop.member()
    shop.order("A-1", 5000)
    with shop.app.app_context():
        holds.hold(program_id_of(shop), "mina", 30, ttl=clock.Duration(seconds=600))
    member_id = shop.get("/members/mina")["id"]
    answer = erase(shop)
    # 100 for signing up and 50 for the order, of which 30 were held.
    assert answer == {
        "member": {"id": member_id, "is_erased": True, "erased_at": "2026-03-02T00:00:00Z"},
        "forfeited": [{"points_key": "points", "points": 150}],
    }
    rows = account(shop, member_id)
    assert rows[-1] == ("adjust", 150, "erasure", 0)
    assert [row[:3] for row in rows] == [
        ("earn", 100, "signup"),
        ("earn", 50, "order"),
        ("hold", 30, "redemption"),
        ("release", 30, "redemption"),
        ("adjust", 150, "erasure"),
    ]
    assert_sound(shop)


def test_pending_points_are_forfeited_too(make_world: Make) -> None:
    kinds = [{"key": "points", "pending": {"policy": "after", "duration": "P14D"}}]
    world = make_world(points=[*kinds, {"key": "credit"}])
    world.set_clock("2026-03-02T00:00:00Z")
    world.member()
    world.order("A-1", 5000)
    body = {"member_ref": "mina", "points_key": "credit", "points": 7, "reason": "goodwill"}
    world.post("/adjustments", body, status=201)
    assert erase(world)["forfeited"] == [
        {"points_key": "credit", "points": 7},
        {"points_key": "points", "points": 50},
    ]
    world.set_clock("2026-06-01T00:00:00Z")
    assert_sound(world)


def test_an_erased_member_is_known_nowhere(shop: World) -> None:
    shop.member(**PERSON)
    member_id = shop.get("/members/mina")["id"]
    erase(shop)
    for ref in ("mina", member_id):
        for path in ("", "/balances", "/entries", "/tier"):
            assert shop.call("GET", f"/members/{ref}{path}").status_code == 404, (ref, path)
    assert [one["member_ref"] for one in shop.get("/members")["data"]] == ["jun"]
    for kind in ("email", "phone", "card_ref"):
        assert shop.post("/members/search", {kind: PERSON[kind]})["data"] == []
    body = {"member_ref": member_id, "points": 1, "reason": "goodwill"}
    shop.post("/adjustments", body, status=404)
    refused = shop.put("/orders/A-9", order(100, member_ref=member_id), status=422)
    assert refused["errors"][0]["pointer"] == "/member_ref"
    shop.put(f"/members/{member_id}", {}, status=422)


def test_who_was_merged_into_them_goes_with_them(shop: World) -> None:
    assert points(shop.member("old-personal-ref", email="echo-personal@example.com")) == 100
    assert points(shop.member(REF, email="mina.personal@example.org")) == 100
    shop.order("A-1", 5000, member_ref="old-personal-ref", attributes={"x": "door-code-personal"})
    shop.post("/members/old-personal-ref/merge", {"into_member_ref": REF})
    old = shop.get("/orders/A-1")["order"]["id"]
    texts = ("old-personal-ref", *PERSONAL)
    assert {"old-personal-ref", REF, "door-code-personal"} <= places_of(shop, *texts).keys()
    # Erased by the alias: it leads to the one who stayed.
    answer = erase(shop, "old-personal-ref")
    assert answer["forfeited"] == [{"points_key": "points", "points": 250}]
    assert places_of(shop, *texts) == {}
    for ref in ("old-personal-ref", REF, answer["member"]["id"]):
        assert shop.call("GET", f"/members/{ref}").status_code == 404
        assert erase(shop, ref) == answer
    assert shop.get(f"/orders/{old}")["order"]["member_ref"] is None
    assert points(shop.member("m-2", email="echo-personal@example.com")) == 0
    # Either reference can be somebody's again, without another welcome.
    assert points(shop.member("old-personal-ref", email="new@example.com")) == 0
    assert shop.get("/members/old-personal-ref")["email"] == "new@example.com"
    assert_sound(shop)


def test_messages_name_our_id_alone(shop: World) -> None:
    shop.member(email="mina@example.com")
    member_id = ids.read_id("mem", erase(shop)["member"]["id"])
    assert member_id is not None

    def read(connection: sa.Connection) -> Any:
        table = outbox.OutboxMessage
        rows = connection.execute(
            sa.select(table.type, table.payload)
            .where(table.program_id == program_id_of(shop), table.member_id == member_id)
            .order_by(table.id)
        ).all()
        return rows, _read_member_refs(connection, program_id_of(shop), [member_id])

    rows, refs = run(shop, read)
    assert refs == {}
    told = [(row.type, row.payload) for row in rows]
    assert told[0] == ("member.created", '{"member_ref":null}')
    assert ("member.erased", "{}") in told
    assert {kind for kind, _ in told} == {
        "member.created",
        "points.earned",
        "points.adjusted",
        "member.erased",
    }


def test_a_stored_answer_is_emptied_and_its_key_stays_used(shop: World) -> None:
    shop.member()
    body = {"member_ref": "mina", "points": 9, "reason": "goodwill", "note": "for Mina"}
    first = shop.post("/adjustments", body, status=201, key="once")
    assert shop.post("/adjustments", body, status=201, key="once") == first
    other = {"member_ref": "jun", "points": 9, "reason": "goodwill"}
    kept = shop.post("/adjustments", other, status=201, key="other")
    erase(shop)
    shop.member()
    # A new member of that reference gets nothing of it, whatever is asked under the key.
    assert shop.post("/adjustments", body, status=404, key="once")["code"] == "not_found"
    assert shop.balance() == 0
    assert shop.post("/adjustments", other, status=201, key="other") == kept


def test_programs_do_not_meet(make_world: Make, shop: World) -> None:
    other = make_world(**WELCOMING)
    for world in (shop, other):
        world.member(email="mina@example.com")
        world.order("A-1", 1000)
    member_id = erase(shop)["member"]["id"]
    assert other.get("/members/mina")["email"] == "mina@example.com"
    assert other.balance() == 110
    assert other.call("DELETE", f"/members/{member_id}").status_code == 404
    assert points(other.member("m-2", email="new@example.com")) == 100


def test_erasing_needs_the_scope_of_members(shop: World) -> None:
    shop.member()
    made = shop.post("/keys", {"name": "till", "scopes": ["orders", "read"]}, status=201)
    headers = {"Authorization": f"Bearer {made['key']}"}
    client = shop.app.test_client()
    assert client.delete("/v1/members/mina", headers=headers).status_code == 403
    assert shop.balance() == 100


def test_nothing_is_logged_of_who_was_erased(shop: World) -> None:
    logger = logging.getLogger("dangol")
    records: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(logger.handlers[0].format(record))

    keeping = Keeping()
    logger.addHandler(keeping)
    level = logger.level
    logger.setLevel("DEBUG")
    try:
        shop.put(f"/members/{REF}", PERSON)
        erase(shop, REF)
        erase(shop, "nobody-personal", status=404)
    finally:
        logger.removeHandler(keeping)
        logger.setLevel(level)
    text = "".join(records)
    assert not re.search(r"personal|Personalkim|5550", text), text
