"""Referral offers in a document: what the check refuses, where, and what it only warns of."""

import json
from pathlib import Path
from typing import Any

import pytest

from programs import checking, versions
from programs.compiled import compile_document
from programs.referrals import milestone_trigger, trigger_of
from storefront import facts
from tests.world import document

facts.install()

FIXED = {"do": "add_points", "points": 500}
SHARE = {"do": "points_per_amount", "points": 1, "per_minor": 10}
AT = "/referral_offers/0"


def offer(**changes: Any) -> dict[str, Any]:
    return {"key": "friends", "landing_url": "https://shop.example/welcome"} | changes


def findings(*offers: dict[str, Any], **changes: Any) -> tuple[list[str], list[str]]:
    told = document(referral_offers=list(offers), **changes)
    errors, warnings = checking.check(told)
    return [one.pointer for one in errors], [one.code for one in warnings]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"advocate": [{"do": "add_points"}]}, f"{AT}/advocate/0/points"),
        ({"friend": [{"do": "grant_reward", "reward": "mug"}]}, f"{AT}/friend/0/reward"),
        ({"friend": [SHARE], "friend_at": "signup"}, f"{AT}/friend/0/do"),
        ({"advocate": [SHARE], "qualifies": {"trigger": "signup"}}, f"{AT}/advocate/0/do"),
        (
            {"second_level": [{"do": "add_stamps", "card": "x", "stamps": 1}]},
            f"{AT}/second_level/0/card",
        ),
        ({"milestones": [{"at": 3, "effects": [SHARE]}]}, f"{AT}/milestones/0/effects/0/do"),
        ({"milestones": [{"at": 3}, {"at": 3}]}, f"{AT}/milestones/1/at"),
        (
            {"qualifies": {"when": {"fact": "order.netto", "op": ">", "value": 1}}},
            f"{AT}/qualifies/when/fact",
        ),
        (
            {"qualifies": {"trigger": "signup", "min_net_minor": 100}},
            f"{AT}/qualifies/min_net_minor",
        ),
        (
            {"qualifies": {"trigger": "signup"}, "hold_from": "fulfilled"},
            f"{AT}/hold_from",
        ),
        ({"tiers": ["gold"]}, f"{AT}/tiers/0"),
        ({"click_window": "P13M"}, f"{AT}/click_window"),
        ({"click_window": "P0D"}, f"{AT}/click_window"),
        # The longest eleven months have 337 days, twelve 366: none of these is within 366 days.
        *(
            ({"click_window": window}, f"{AT}/click_window")
            for window in ("P12M1D", "P11M30D", "P367D", "P366DT1S", "PT31622401S", "P1YT1S")
        ),
        ({"credit_window": "P0D"}, f"{AT}/credit_window"),
        ({"review": {"review_at_bp": 9000}}, f"{AT}/review/review_at_bp"),
        ({"review": {"timeout_action": "reject"}}, f"{AT}/review/timeout_action"),
        ({"allowed_hosts": ["other.example"]}, f"{AT}/landing_url"),
        ({"share_text": {"ko": "{link} {amount}"}}, f"{AT}/share_text/ko"),
        ({"allowed_hosts": ["shop.example:8443"]}, f"{AT}/landing_url"),
    ],
)
def test_what_an_offer_cannot_say_is_refused_where_it_stands(
    changes: dict[str, Any], pointer: str
) -> None:
    errors, _ = findings(offer(**changes))
    assert errors == [pointer]


def test_a_click_may_count_for_a_year_and_no_longer() -> None:
    # 337 and 29 days are 366, however they are written.
    for window in ("P12M", "P1Y", "P11M29D", "P366D", "P365DT24H", "PT31622400S", "PT1S"):
        assert findings(offer(click_window=window))[0] == [], window


def test_hosts_are_compared_whatever_their_case() -> None:
    assert findings(offer(advocate=[FIXED], allowed_hosts=["SHOP.example"]))[0] == []


@pytest.mark.parametrize(
    "url",
    ["//evil.example", "javascript:alert(1)", "https://", "https://a@b.example/x", "/welcome"],
)
def test_a_landing_page_is_an_address_of_the_web(url: str) -> None:
    with pytest.raises(Exception, match="landing_url"):
        versions.validate(document(referral_offers=[offer(landing_url=url)]))


def test_keys_of_offers_are_unique_and_no_rule_has_one() -> None:
    assert findings(offer(), offer())[0] == ["/referral_offers/1/key"]
    listening = {"key": "friends", "trigger": "referral_qualified", "effect": FIXED}
    assert findings(offer(), earning={"rules": [listening]})[0] == [f"{AT}/key"]


def test_what_sides_and_milestones_bring_is_found_by_its_trigger() -> None:
    told = document(
        referral_offers=[
            offer(
                advocate=[FIXED, SHARE],
                friend=[FIXED],
                milestones=[{"at": 3, "effects": [FIXED], "repeats": True}],
            )
        ],
        earning={"rules": [{"key": "thanks", "trigger": "referral_qualified", "effect": FIXED}]},
    )
    versions.validate(told)
    compiled = compile_document(bytes(16), 1, told)

    def keys(trigger: str) -> list[str]:
        return [rule.key for rule in compiled.rules_of(trigger)]

    assert keys(trigger_of("advocate", "friends")) == ["friends", "friends.2", "thanks"]
    assert keys(trigger_of("friend", "friends")) == ["friends.friend"]
    assert keys(trigger_of("second", "friends")) == []
    assert keys(milestone_trigger("friends", 3)) == ["friends.3"]
    assert keys("referral_qualified") == []


def test_the_document_of_the_documentation_is_whole() -> None:
    page = (Path(__file__).parents[2] / "docs/referrals.md").read_text()
    told = page.split("\n\n    {", 1)[1].split("\n\n", 1)[0]
    errors, warnings = checking.check(versions.validate(json.loads("{" + told)))
    assert (errors, warnings) == ([], [])
