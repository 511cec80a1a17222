"""The log and the messages of tiers, their proof, and the documents that are refused."""

from typing import Any

import pytest
import sqlalchemy as sa

from core import db
from loyalty.tiers.models import CHANGES, ENTRIES
from tests.scenarios.tier_shop import (
    SILVER,
    TIERS,
    Make,
    clean,
    messages,
    open_shop,
    rows,
)
from tests.world import BASE_RULE, World, document, order


@pytest.fixture
def shop(make_world: Make) -> World:
    """A ladder with terms, whose refunds lower at once."""
    return open_shop(make_world)


def test_the_world_is_told_once_with_cause_source_and_end(shop: World) -> None:
    shop.order("A-1", 60_000, placed_at="2026-03-01T10:00:00Z")
    [told] = messages(shop, "tier.changed")
    assert told == {
        "from": None,
        "to": "silver",
        "kind": "upgrade",
        "cause": "order",
        "until": "2027-03-01T15:00:00Z",
        "source": {"type": "order", "ref": "A-1"},
    }
    # 600.00 leave the window on 1 March 2027; the term ends that day.
    shop.post("/test-clock", {"now": "2027-03-01T12:00:00Z"})
    shop.post("/test-clock", {"now": "2027-03-01T14:00:00Z"})
    assert messages(shop, "tier.at_risk") == [{"key": "silver", "until": "2027-03-01T15:00:00Z"}]
    shop.post("/test-clock", {"now": "2027-03-02T00:00:00Z"})
    [_, lowered] = messages(shop, "tier.changed")
    assert lowered == {
        "from": "silver",
        "to": None,
        "kind": "downgrade",
        "cause": "time",
        "until": None,
    }
    assert len(messages(shop, "tier.at_risk")) == 1
    clean(shop)


def test_the_log_is_paged_and_names_who_acted(shop: World) -> None:
    headers = {"Dangol-Actor": "till 3"}
    response = shop.call("PUT", "/orders/A-1", order(60_000), headers=headers)
    assert response.status_code == 201
    shop.order("A-2", 50_000)
    page = shop.get("/members/mina/tier/changes?limit=1")
    assert (page["data"][0]["to"], page["data"][0]["actor"]) == ("gold", None)
    rest = shop.get(f"/members/mina/tier/changes?limit=1&cursor={page['next_cursor']}")
    assert rest["next_cursor"] is None
    [first] = rest["data"]
    assert (first["from"], first["to"], first["actor"]) == (None, "silver", "till 3")
    assert first["source"] == {"type": "order", "ref": "A-1"}
    assert first["effective_at"] == "2026-03-01T10:00:00Z"
    assert shop.call("GET", "/members/nobody/tier/changes").status_code == 404


def test_an_erased_member_keeps_only_what_says_nothing(shop: World) -> None:
    shop.order("A-1", 60_000)
    shop.call("DELETE", "/members/mina")
    clean(shop)
    shop.order("A-1", 60_000, member_ref="mina", status="cancelled")
    clean(shop)
    assert [row.note for row in rows(shop, CHANGES) if row.note is not None] == []


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        (ENTRIES, "stands", False),
        (ENTRIES, "level_key", "bronze"),
        (ENTRIES, "until", 1),
        (ENTRIES, "decision_id", None),
        (CHANGES, "from_key", "bronze"),
        (CHANGES, "kind", "renewal"),
    ],
    ids=lambda one: getattr(one, "name", one),
)
def test_a_changed_row_is_found(shop: World, table: sa.Table, column: str, value: Any) -> None:
    shop.order("A-1", 60_000)
    shop.order("A-2", 50_000)
    clean(shop)
    row = rows(shop, table)[-1]
    where = (table.c.program_id == row.program_id, table.c.id == row.id)
    statement = sa.update(table).where(*where).values({column: value})
    with shop.app.app_context():
        db.in_transaction(lambda connection: connection.execute(statement))
    assert shop.verify()["mismatches"] != []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        (
            {"levels": [SILVER | {"entry_effects": [{"do": "grant_reward", "reward": "mug"}]}]},
            "/tiers/levels/0/entry_effects/0/reward",
        ),
        (
            {
                "levels": [
                    SILVER
                    | {
                        "entry_effects": [
                            {"do": "add_points", "points": 1, "counts_for_tier": True}
                        ]
                    }
                ]
            },
            "/tiers/levels/0/entry_effects/0/counts_for_tier",
        ),
        (
            {"levels": [SILVER | {"entry_effects": [{"do": "add_points"}]}]},
            "/tiers/levels/0/entry_effects/0/points",
        ),
    ],
)
def test_a_document_with_effects_that_cannot_be_is_refused(
    shop: World, changes: dict[str, Any], pointer: str
) -> None:
    body = document(tiers=TIERS | changes)
    refused = shop.put("/program/draft", body, status=422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]


def test_a_rule_named_like_a_level_is_refused(shop: World) -> None:
    rule = {
        "key": "gold",
        "trigger": "tier_entered",
        "effect": {"do": "add_points", "points": 1},
    }
    body = document(tiers=TIERS, earning={"rules": [BASE_RULE, rule]})
    refused = shop.put("/program/draft", body, status=422)
    assert [error["pointer"] for error in refused["errors"]] == ["/earning/rules/1/key"]
