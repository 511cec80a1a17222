"""The catalogue: names, wildcards, order, and the advice given for an unknown name."""

from __future__ import annotations

import pytest

from rules.facts import Catalogue, Fact, instant_of, microseconds_of

NET = Fact("order.net_minor", "integer", "What the order comes to", "the order")
ATTRIBUTES = Fact("order.attributes.*", "attribute", "What else the order says", "the order")
TIER = Fact("member.tier", "text", "The member's tier", "the tiers")


def test_a_fact_is_found_by_its_name_and_nothing_else() -> None:
    catalogue = Catalogue([NET, TIER])
    assert catalogue.find("order.net_minor") is NET
    assert catalogue.find("order.net_minor ") is None
    assert catalogue.find("order") is None
    assert catalogue.find("") is None


def test_an_attribute_is_found_by_its_wildcard() -> None:
    catalogue = Catalogue([NET, ATTRIBUTES])
    assert catalogue.find("order.attributes.colour") is ATTRIBUTES
    assert catalogue.find("order.attributes.gift-wrap.Paper_2") is ATTRIBUTES
    assert catalogue.find(f"order.attributes.{'a' * 64}") is ATTRIBUTES


@pytest.mark.parametrize("name", ["", "*", "a b", "색", "a/b", "a\n", "a" * 65])
def test_an_attribute_name_outside_its_alphabet_or_length_is_unknown(name: str) -> None:
    assert Catalogue([ATTRIBUTES]).find(f"order.attributes.{name}") is None


def test_a_declared_name_and_the_longer_wildcard_win_over_a_shorter_wildcard() -> None:
    size = Fact("order.attributes.size", "integer", "Size", "the order")
    gift = Fact("order.attributes.gift.*", "attribute", "Gift", "the order")
    catalogue = Catalogue([ATTRIBUTES, gift, size])
    assert catalogue.find("order.attributes.size") is size
    assert catalogue.find("order.attributes.gift.paper") is gift
    assert catalogue.find("order.attributes.gift") is ATTRIBUTES


def test_facts_keep_the_order_in_which_they_were_declared() -> None:
    assert list(Catalogue([TIER, ATTRIBUTES]) + Catalogue([NET])) == [TIER, ATTRIBUTES, NET]


def test_a_fact_declared_twice_is_refused_also_across_two_catalogues() -> None:
    with pytest.raises(ValueError, match=r"order\.net_minor.*twice"):
        Catalogue([NET, TIER, NET])
    with pytest.raises(ValueError, match=r"member\.tier.*twice"):
        Catalogue([NET, TIER]) + Catalogue([TIER])


def test_attributes_and_only_attributes_are_declared_with_a_wildcard() -> None:
    with pytest.raises(ValueError, match="attribute"):
        Catalogue([Fact("order.attributes", "attribute", "x", "y")])
    with pytest.raises(ValueError, match="attribute"):
        Catalogue([Fact("order.sizes.*", "integer", "x", "y")])


def test_getting_an_unknown_fact_raises() -> None:
    catalogue = Catalogue([NET])
    assert catalogue.get("order.net_minor") is NET
    with pytest.raises(KeyError):
        catalogue.get("order.net")


def test_an_unknown_name_is_answered_with_a_close_one_or_with_all_there_are() -> None:
    catalogue = Catalogue([NET, TIER, ATTRIBUTES])
    assert catalogue.suggestion("order.net_mino") == "Did you mean order.net_minor?"
    assert catalogue.suggestion("zzz") == (
        "The facts known here are: order.net_minor, member.tier, order.attributes.<name>."
    )
    assert "1 to 64" in catalogue.suggestion("order.attributes.a b")
    assert Catalogue([]).suggestion("x") == "The facts known here are: none."


def test_an_instant_is_microseconds_since_1970_whatever_its_offset() -> None:
    assert microseconds_of("1970-01-01T00:00:00Z") == 0
    assert microseconds_of("1970-01-02T00:00:00.000001Z") == 86_400_000_001
    assert microseconds_of("1970-01-01t09:00:00+09:00") == 0
    assert microseconds_of("1969-12-31T23:59:59.999999z") == -1
    # 2000-01-01 is 30 years of 365 days and 7 leap days (1972 to 1996) after: 10,957 days.
    assert microseconds_of("2000-01-01T00:00:00Z") == 10_957 * 86_400 * 1_000_000
    assert instant_of(86_400_000_001) == "1970-01-02T00:00:00.000001Z"
    assert instant_of(-1_000_000) == "1969-12-31T23:59:59Z"
