"""Switches: an item paused or set live at once, without a version, and what was decided stays."""

from typing import Any

import pytest

from config import Settings
from server.app import create_app
from tests.contract.checking import pointers, problem, rows
from tests.world import World, document, order, per_euro, points, rule

BONUS = rule("bonus", {"do": "add_points", "points": 7})
RULES = {"rules": [rule("base", per_euro()), BONUS]}


def switch(world: World, state: str, key: str = "bonus", **more: Any) -> Any:
    body = {"section": "rules", "key": key, "state": state, "reason": "stock ran out"} | more
    return world.post("/switches", body)


def test_a_paused_rule_earns_nothing_from_the_next_order_on(world: World) -> None:
    world.publish(earning=RULES)
    assert world.earned("A-1", 1000) == 17
    made = switch(world, "paused")
    assert (made["number"], made["state"], made["reason"]) == (1, "paused", "stock ran out")
    answer = world.order("A-2", 1000)
    assert points(answer) == 10
    assert world.outcomes(answer)["bonus"]["reason"] == "not_live"
    assert points(world.quote(1000)) == 10
    live = world.get("/program")
    assert (live["version"], live["switches"]) == (2, [made])
    assert live["document"] == document(earning=RULES)
    switch(world, "live")
    assert world.earned("A-3", 1000) == 17
    assert world.verify()["mismatches"] == []


def test_what_was_decided_before_a_switch_is_decided_alike_after_it(world: World) -> None:
    """Refunding 4.00 of 10.00 leaves 6 + 7; of the order decided without the rule, 6."""
    world.publish(earning=RULES)
    world.order("A-1", 1000)
    switch(world, "paused")
    world.order("A-2", 1000)
    refund = {"refunded_at": "2026-03-02T10:00:00Z", "amount_minor": 400}
    assert points(world.put("/orders/A-1/refunds/R-1", refund)) == 13
    switch(world, "live")
    assert points(world.put("/orders/A-2/refunds/R-2", refund)) == 6
    assert world.earned("A-2", 2000, revision=2) == 16
    assert world.verify()["mismatches"] == []


def test_a_switch_outlives_publications_and_wins_over_the_documents_state(world: World) -> None:
    world.publish(earning=RULES)
    switch(world, "paused")
    world.publish(name="Two", earning=RULES)
    assert world.earned("A-1", 1000) == 10
    # An item that is gone for a while is still paused when it is back.
    world.publish(name="Three")
    assert world.earned("A-2", 1000) == 10
    world.publish(name="Four", earning=RULES)
    assert world.earned("A-3", 1000) == 10
    switch(world, "live")
    world.publish(name="Five", earning={"rules": [rule("base", per_euro()), BONUS | PAUSED]})
    assert world.earned("A-4", 1000) == 17


PAUSED = {"state": "paused"}


def test_a_rule_paused_in_the_document_can_be_switched_live(world: World) -> None:
    world.publish(earning={"rules": [rule("base", per_euro()), BONUS | PAUSED]})
    assert world.earned("A-1", 1000) == 10
    switch(world, "live")
    assert world.earned("A-2", 1000) == 17


def test_the_log_says_who_when_and_why_newest_first(world: World) -> None:
    world.publish(earning=RULES)
    world.set_clock("2026-05-01T00:00:00Z")
    body = {"section": "rules", "key": "bonus", "state": "paused", "reason": "too dear"}
    headers = {"Idempotency-Key": "s-1", "Dangol-Actor": "jun"}
    first = world.call("POST", "/switches", body, headers=headers)
    assert first.status_code == 200
    assert first.json == body | {
        "number": 1,
        "actor": "jun",
        "switched_at": "2026-05-01T00:00:00Z",
    }
    again = world.call("POST", "/switches", body, headers=headers)
    assert again.get_data() == first.get_data()
    assert again.headers["Idempotent-Replayed"] == "true"
    second = switch(world, "live")
    third = switch(world, "paused", key="base")
    log = world.get("/switches?limit=2")
    assert log["data"] == [third, second]
    rest = world.get(f"/switches?limit=2&cursor={log['next_cursor']}")
    assert (rest["data"], rest["next_cursor"]) == ([first.json], None)
    assert world.get("/program")["switches"] == [third, second]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"key": "nothing"}, "/key"),
        ({"section": "shelves"}, "/section"),
        ({"section": "rewards"}, "/key"),
        ({"section": "points", "key": "points"}, "/section"),
        ({"section": "activities", "key": "review"}, "/section"),
        ({"state": "shadow"}, "/state"),
        ({"reason": ""}, "/reason"),
    ],
)
def test_what_cannot_be_switched_is_refused(
    still: World, change: dict[str, Any], pointer: str
) -> None:
    before = rows(still)
    body = {"section": "rules", "key": "base", "state": "paused", "reason": "x"} | change
    response = still.call("POST", "/switches", body, headers={"Idempotency-Key": "s"})
    assert pointers(problem(response, 422, "validation_failed")) == [pointer]
    assert rows(still) == before


@pytest.mark.parametrize("section", ["points", "activities"])
def test_that_points_and_activities_cannot_be_paused_is_said_plainly(
    still: World, section: str
) -> None:
    body = {"section": section, "key": "points", "state": "paused", "reason": "x"}
    response = still.call("POST", "/switches", body, headers={"Idempotency-Key": "p"})
    [found] = problem(response, 422, "validation_failed")["errors"]
    offered = "rules, levels, cards, rewards, referral_offers, segments, surprises"
    assert found["detail"] == f"{section} cannot be paused; these can: {offered}"


def test_another_process_decides_by_a_switch_at_once(world: World, app: Any) -> None:
    world.publish(earning=RULES)
    settings: Settings = app.extensions["dangol.settings"]
    other = create_app(settings)
    client, headers = other.test_client(), {"Authorization": f"Bearer {world.key}"}

    def told(ref: str) -> int:
        answer: Any = client.put(f"/v1/orders/{ref}", json=order(1000), headers=headers).json
        return points(answer)

    def told_in_a_batch(ref: str) -> int:
        batch = {"orders": [{"order_ref": ref} | order(1000)]}
        answer: Any = client.post("/v1/orders/batch", json=batch, headers=headers).json
        return points(answer["results"][0])

    assert (told("A-1"), told_in_a_batch("B-1")) == (17, 17)
    switch(world, "paused")
    assert told("A-2") == 10
    switch(world, "live")
    assert told_in_a_batch("B-2") == 17
    switch(world, "paused")
    assert (told_in_a_batch("B-3"), told("A-3")) == (10, 10)
    with other.app_context():
        from core.db import db

        db.engine.dispose()


def test_a_level_can_be_paused(world: World) -> None:
    """A paused level is not entered: what would have led there leads nowhere."""
    levels = [{"key": "silver", "enter_at": 1000}, {"key": "gold", "enter_at": 5000}]
    world.publish(tiers={"levels": levels})
    switch(world, "paused", key="gold", section="levels")
    assert world.order("A-1", 6000)["tier"]["key"] == "silver"
    assert world.verify()["mismatches"] == []
    switch(world, "live", key="gold", section="levels")
    assert world.order("A-2", 100)["tier"]["key"] == "gold"
    assert world.verify()["mismatches"] == []


def test_a_card_can_be_paused(world: World) -> None:
    stamp = rule("stamp", {"do": "add_stamps", "card": "coffee", "stamps": 1})
    card = {"key": "coffee", "stamps": 2, "effects": [{"do": "add_points", "points": 50}]}
    world.publish(earning={"rules": [rule("base", per_euro()), stamp]}, cards=[card])
    world.order("A-1", 1000)
    switch(world, "paused", key="coffee", section="cards")
    world.order("A-2", 1000)
    assert world.balance() == 20
    switch(world, "live", key="coffee", section="cards")
    world.order("A-3", 1000)
    assert world.balance() == 80
    assert world.verify()["mismatches"] == []


def test_a_signup_bonus_can_be_paused(world: World) -> None:
    welcome = rule("welcome", {"do": "add_points", "points": 100}, trigger="signup")
    world.publish(earning={"rules": [welcome]})
    assert points(world.member("one")) == 100
    switch(world, "paused", key="welcome")
    assert points(world.member("two")) == 0
    world.member("one")
    assert (world.balance("one"), world.balance("two")) == (100, 0)
