"""What an answer must not leave out, and what a sentence for members must not say."""

from tests.surprises.playing import Make, gift, when
from tests.world import order


def test_an_order_that_falls_says_which_surprises_went_with_it(make_world: Make) -> None:
    world = make_world(surprises=[gift("luck", 7)])
    world.member()
    [won] = world.order("A-1", 1000)["surprises"]
    fallen = world.order("A-1", 1000, status="cancelled", revision=2)
    gone = [{"key": "luck", "prize": 0, "draw_id": won["draw_id"]}]
    assert (fallen["surprises"], fallen["surprises_revoked"]) == ([], gone)
    # It says what this request took back: told again, nothing.
    again = world.order("A-1", 1000, status="cancelled", revision=2)
    assert again["surprises_revoked"] == []
    # Each order of a batch says its own.
    world.order("A-2", 1000)
    world.order("A-3", 1000)
    bodies = [
        order(1000, status="cancelled", revision=2) | {"order_ref": ref} for ref in ("A-2", "A-3")
    ]
    results = world.post("/orders/batch", {"orders": bodies})["results"]
    assert [len(one["surprises_revoked"]) for one in results] == [1, 1]


def test_a_sentence_for_members_names_no_segment(make_world: Make) -> None:
    name = {"en": "Drifting away", "ko": "이탈 우려 회원"}
    world = make_world(
        segments=[
            {"key": "drifting", "name": name, "when": when("member.order_count", ">=", 9)["when"]}
        ],
        surprises=[
            gift("back", 7, **when("member.segments", "contains", "drifting")),
            gift("fifth", 7, **when("member.order_count", ">=", 4)),
        ],
    )
    world.member()
    world.order("A-1", 1000)
    found = {
        one["rule"]: one for one in world.get("/members/mina/why?source=order:A-1")["surprises"]
    }
    assert {one["reason"] for one in found.values()} == {"condition_not_met"}
    said = found["back"]["summary"]
    assert "Drifting" not in said["en"] and "이탈" not in said["ko"]
    # Staff sees it, and what is no judgement of the member is still said.
    assert found["back"]["unmet"][0]["fact"] == "member.segments"
    assert len(found["fifth"]["summary"]["en"]) > len(said["en"])


def test_whose_turn_it_was_not_is_told_by_number(make_world: Make) -> None:
    world = make_world(surprises=[gift("third", 7, every=3)])
    world.member()
    world.order("A-1", 1000)
    [one] = world.get("/members/mina/why?source=order:A-1")["surprises"]
    assert (one["reason"], "number 1" in one["detail"], "every 3." in one["detail"]) == (
        "condition_not_met",
        True,
        True,
    )


def test_the_impact_says_that_it_does_not_look_at_surprises(make_world: Make) -> None:
    world = make_world(surprises=[gift("luck", 7)])
    world.put("/program/draft", world.get("/program")["document"] | {"holdout_bp": 100})
    notes = world.post("/program/draft/impact", {})["notes"]
    assert any("back-test" in one for one in notes)
