"""SEMANTICS F44, F43: what signals come to, whose names and mailboxes are one, what is traced."""

import pytest

from members.contacts import canonical_email
from programs.referrals import SIGNALS, Review
from referrals import disposable, names, scoring, traces
from referrals.scoring import Signal

REVIEW = Review()


def signals(*found: str, **weights: int) -> list[Signal]:
    """Signals with their standard weights, or with these."""
    return [Signal(name, SIGNALS[name][0]) for name in found] + [
        Signal(name, weight) for name, weight in weights.items()
    ]


# By hand, in ten-thousandths of what is left: 0.75, 0.65, 0.70, 0.85, 0.50, 0.40, 0.05.
@pytest.mark.parametrize(
    ("found", "score", "becomes"),
    [
        ([], 0, "approve"),
        (["ip_prefix"], 2500, "approve"),
        # 1 - 0.75 x 0.65 = 1 - 0.4875
        (["ip_prefix", "user_agent"], 5125, "review"),
        # 1 - 0.4875 x 0.75 = 1 - 0.365625, rounded down
        (["ip_prefix", "user_agent", "address"], 6343, "review"),
        # 1 - 0.65 x 0.85 = 1 - 0.5525
        (["velocity", "new_account"], 4475, "approve"),
        (["disposable_domain"], 5000, "review"),
        (["device"], 6000, "review"),
        # 1 - 0.40 x 0.4875 = 1 - 0.195
        (["device", "ip_prefix", "user_agent"], 8050, "review"),
        # 1 - 0.195 x 0.70 = 1 - 0.1365
        (["device", "ip_prefix", "user_agent", "name"], 8635, "refuse"),
        (["email"], 9500, "refuse"),
        (["phone"], 9500, "refuse"),
        (["payment"], 9500, "refuse"),
        # 1 - 0.05 x 0.40
        (["email", "device"], 9800, "refuse"),
    ],
)
def test_signals_make_a_score(found: list[str], score: int, becomes: str) -> None:
    assessed = scoring.assess(signals(*found), REVIEW, cleared_bp=0)
    assert assessed.score_bp == score
    expected = {
        "approve": (None, False),
        "review": (None, True),
        "refuse": ("SELF_REFERRAL", False),
    }
    assert (assessed.reason, assessed.needs_review) == expected[becomes]


def test_thresholds_are_reached_exactly_and_what_is_shared_never_refuses() -> None:
    # 1 - 0.4999 x 0.9999 = 1 - 0.49985001 = 0.50014999; 4999 alone is one short.
    assert scoring.combine([5001, 1]) == 5001
    assert not scoring.assess(signals(device=4999), REVIEW, cleared_bp=0).needs_review
    assert scoring.assess(signals(device=5000), REVIEW, cleared_bp=0).needs_review
    assert scoring.assess(signals(device=8499), REVIEW, cleared_bp=0).reason is None
    assert scoring.assess(signals(device=8500), REVIEW, cleared_bp=0).reason == "SELF_REFERRAL"
    # A neighbour behind the same router is at most looked at, whatever a shop makes of it.
    for alone in (
        signals(ip_prefix=10_000),
        signals(ip_prefix=9000, user_agent=9000, address=9000),
        signals(ip_prefix=9000, device=0),
    ):
        assessed = scoring.assess(alone, REVIEW, cleared_bp=0)
        assert (assessed.reason, assessed.needs_review) == (None, True)
    low = Review(review_at_bp=5000, block_at_bp=2000)
    assert scoring.assess(signals("ip_prefix"), low, cleared_bp=0).needs_review
    assert scoring.assess(signals("name"), low, cleared_bp=0).reason == "SELF_REFERRAL"


def test_what_was_cleared_is_not_asked_again_until_it_grows() -> None:
    found = signals("ip_prefix", "user_agent")
    assert not scoring.assess(found, REVIEW, cleared_bp=5125).needs_review
    assert scoring.assess(found, REVIEW, cleared_bp=5124).needs_review
    # 1 - 0.4875 x 0.85 = 0.585625: the friend bought soon, which says nothing new of who they are.
    soon = signals("ip_prefix", "user_agent", "new_account")
    assessed = scoring.assess(soon, REVIEW, cleared_bp=5125)
    assert (assessed.score_bp, assessed.needs_review) == (5856, False)
    assert scoring.assess(soon, REVIEW, cleared_bp=5124).needs_review
    # Cleared when that was there already, it makes no room for anything else: neither for another
    # kind, nor for more weight of the network, 1 - 0.70 x 0.65.
    assert scoring.clearance(soon, REVIEW) == 5125
    grown = scoring.assess(signals("ip_prefix", "user_agent", "name"), REVIEW, cleared_bp=5125)
    assert grown.needs_review
    heavier = scoring.assess(signals(ip_prefix=3000, user_agent=3500), REVIEW, cleared_bp=5125)
    assert (heavier.score_bp, heavier.needs_review) == (5450, True)
    # Many at once and an account of the same hour alone are cleared for good.
    assert scoring.clearance(signals("velocity", "new_account"), REVIEW) == 1
    assert scoring.assess(signals("email"), REVIEW, cleared_bp=9500).reason is None
    # Who was blocked stays so, cleared or not.
    blocked = scoring.assess([], REVIEW, cleared_bp=9500, is_blocked=True)
    assert (blocked.reason, blocked.needs_review) == ("BLOCKED", False)


def test_many_friends_are_more_than_five_an_hour_or_twenty_a_day() -> None:
    assert [scoring.are_many(hour=one, day=one) for one in (1, 5, 6)] == [False, False, True]
    assert [scoring.are_many(hour=0, day=one) for one in (20, 21)] == [False, True]


def test_a_ring_is_always_reviewed_once() -> None:
    for review in (REVIEW, Review(review_at_bp=9000, block_at_bp=10_000)):
        ring = signals(ring=100)
        assessed = scoring.assess(ring, review, cleared_bp=0)
        assert (assessed.score_bp, assessed.needs_review) == (100, True)
        cleared = scoring.clearance(ring, review)
        assert not scoring.assess(ring, review, cleared_bp=cleared).needs_review
    everything = Review(review_at_bp=0)
    assessed = scoring.assess([], everything, cleared_bp=0)
    assert assessed.needs_review
    cleared = scoring.clearance([], everything)
    assert not scoring.assess([], everything, cleared_bp=cleared).needs_review


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Kim Minji", "minji  KIM", True),
        ("Kim Minji", "M. Kim", True),
        ("Kim Minji", "Kim Minjun", False),
        ("Kim Minji", "Lee Minji", False),
        ("Kim Minji", "Kim", False),
        ("José García", "Jose Garcia", True),
        ("Jose Garcia", "Jose Garcya", True),
        ("Jose Garcia", "Jose Gercya", False),
        ("Katherine Johnson", "Catherine Jonson", True),
        ("Anna", "Anne", False),
        ("김민지", "김 민지", True),
        ("김민지", "김민제", True),  # one jamo of eight
        ("김민지", "김수지", False),
        ("김민지", "이민지", False),
        ("", "", False),
        ("!!", "??", False),
    ],
)
def test_names_are_alike(one: str, other: str, alike: bool) -> None:
    assert names.are_alike(one, other) is alike
    assert names.are_alike(other, one) is alike


def test_mailboxes_are_one_where_the_provider_says_so() -> None:
    assert canonical_email("Min.Ji+friend@googlemail.com") == canonical_email("minji@gmail.com")
    assert canonical_email("Min.Ji@naver.com") != canonical_email("minji@naver.com")
    assert canonical_email("minji+a@naver.com") != canonical_email("minji@naver.com")
    assert disposable.is_disposable("a@mailinator.com")
    assert disposable.is_disposable("a@box7.mailinator.com")
    assert not disposable.is_disposable("a@notmailinator.com")
    assert not disposable.is_disposable("mailinator.com@naver.com")


CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{} Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605 Safari/604.1"


@pytest.mark.parametrize(
    ("name", "texts", "value"),
    [
        ("ip", ["203.0.113.9", "203.0.113.250", "::ffff:203.0.113.1"], "203.0.113.0/24"),
        ("ip", ["2001:db8:7:1::1", "2001:db8:7:ffff::2%eth0"], "2001:db8:7::/48"),
        ("user_agent", [CHROME.format("120.0"), CHROME.format("121.0.1")], "chrome/windows"),
        ("user_agent", [IPHONE], "safari/ios"),
        ("user_agent", [IPHONE + " KAKAOTALK 10.5.1"], "kakaotalk/ios"),
        ("user_agent", ["Mozilla/5.0 (X11; Linux) Firefox/115.0"], "firefox/linux"),
        ("device", [" D-1 ", "D-1"], "D-1"),
        ("address", ["12 Rose Street, Apt. 4", "12 rose st apt 4"], "12rosestapt4"),
        (
            "address",
            ["서울특별시 강남구 역삼로 12", "서울시 강남구 역삼로12"],
            "서울강남구역삼로12",
        ),
    ],
)
def test_traces_have_one_form(name: str, texts: list[str], value: str) -> None:
    kind = traces.KINDS[name]
    assert {tuple(traces.canonical({name: text})) for text in texts} == {((kind, value),)}


@pytest.mark.parametrize(
    "ip", ["10.1.2.3", "192.168.0.9", "127.0.0.1", "::1", "fe80::1", "fd00::1", "100.64.9.9", "x"]
)
def test_an_address_of_a_proxy_leaves_no_trace(ip: str) -> None:
    assert traces.canonical({"ip": ip}) == []
