"""What is published and would be gone is warned of, and what the warnings say is what happens."""

from pathlib import Path
from typing import Any

import pytest

from programs import checking, exchange
from storefront import facts
from tests.world import BASE_RULE, World, document, per_euro, rule

facts.install()
STAMP = rule("stamp", {"do": "add_stamps", "card": "coffee", "stamps": 1})
CREDIT = rule("back", per_euro() | {"points_key": "credit"})
FULL = document(
    points=[{"key": "points"}, {"key": "credit"}],
    earning={"rules": [BASE_RULE, CREDIT, STAMP]},
    cards=[{"key": "coffee", "stamps": 3, "effects": [{"do": "add_points", "points": 50}]}],
    tiers={"levels": [{"key": "silver", "enter_at": 1000}, {"key": "gold", "enter_at": 5000}]},
    referral_offers=[
        {
            "key": "friends",
            "landing_url": "https://shop.example/welcome",
            "advocate": [{"do": "add_points", "points": 50}],
            "friend": [{"do": "add_points", "points": 50}],
            "hold": "P14D",
        }
    ],
)
WITHOUT_CREDIT = FULL | {"points": [{"key": "points"}], "earning": {"rules": [BASE_RULE, STAMP]}}
WITHOUT_CARD = FULL | {"cards": [], "earning": {"rules": [BASE_RULE, CREDIT]}}
WITHOUT_OFFER = FULL | {"referral_offers": []}
WITHOUT_GOLD = FULL | {"tiers": {"levels": [{"key": "silver", "enter_at": 1000}]}}


def told(new: dict[str, Any], live: dict[str, Any]) -> list[tuple[str, str]]:
    errors, warnings = checking.check(new, live=live)
    assert errors == []
    return [(one.code, one.pointer) for one in warnings]


@pytest.mark.parametrize(
    ("new", "found"),
    [
        (WITHOUT_CREDIT, [("removed_points", "/points")]),
        (WITHOUT_CARD, [("removed_card", "/cards")]),
        (WITHOUT_GOLD, [("removed_level", "/tiers/levels")]),
        (FULL | {"tiers": None}, [("removed_level", "/tiers/levels")] * 2),
        (WITHOUT_OFFER, [("removed_offer", "/referral_offers")]),
        (FULL, []),
    ],
)
def test_what_would_be_gone_is_warned_of(new: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert told(new, FULL) == found
    # What is added, or not compared with anything, is no matter.
    assert told(FULL, new) == []
    assert checking.check(new) == ([], [])


def test_a_paused_one_is_still_there() -> None:
    paused = FULL["cards"][0] | {"state": "paused"}
    assert told(FULL | {"cards": [paused]}, FULL) == []


def test_the_check_and_the_import_look_at_what_is_published(world: World, tmp_path: Path) -> None:
    world.publish(**FULL)
    world.put("/program/draft", WITHOUT_GOLD)
    [found] = world.post("/program/draft/check")["warnings"]
    assert (found["code"], found["pointer"]) == ("removed_level", "/tiers/levels")
    assert found["detail"] == (
        "the level gold is published, and members may be in it: they lose it at once, "
        "whatever their term, and stand on what they reach without it"
    )
    file = tmp_path / "bloom.yaml"
    file.write_text(exchange.write(WITHOUT_CARD))
    options = ("--program", world.program_id, str(file))
    run = world.app.test_cli_runner().invoke
    for more in (["--dry-run"], [], ["--publish", "--note", "x"]):
        result = run(args=["program", "import", *options, *more])
        assert result.exit_code == 0
        assert "the card coffee is published" in result.output
        assert "(removed_card)" in result.output
    # It is what is published now.
    assert "removed" not in run(args=["program", "import", *options]).output


def test_what_a_removal_does_to_members_is_what_the_warnings_say(world: World) -> None:
    world.publish(**FULL)
    world.member()
    world.order("A", 6000)
    world.order("B", 1000)
    assert (world.balance(points_key="credit"), world.tier()["key"]) == (70, "gold")
    gone = WITHOUT_CREDIT | WITHOUT_GOLD | {"cards": []}
    world.publish(**gone | {"points": [{"key": "points"}], "earning": {"rules": [BASE_RULE]}})
    # The balance stays, refunds take back what an order earned; nothing else moves it.
    assert world.balance(points_key="credit") == 70
    taken = world.order("B", 1000, status="cancelled")["reversed"]
    assert {one["points_key"]: one["points"] for one in taken} == {"points": 10, "credit": 10}
    body = {"member_ref": "mina", "points_key": "credit", "points": 5, "reason": "x"}
    assert world.post("/adjustments", body, status=422)["code"] == "validation_failed"
    assert world.tier()["key"] == "silver"
    assert world.get("/members/mina/cards")["data"] == []
    # B took its stamp back while nobody saw the card; the one of A is there again.
    world.publish(**FULL)
    [card] = world.get("/members/mina/cards")["data"]
    assert card["stamps"] == 1
    assert world.verify()["mismatches"] == []
