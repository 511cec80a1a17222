"""Which milestones a number of friends reaches, and the words of every reason of referrals."""

from programs.referrals import SIDES
from referrals import milestones
from storefront.explanations import referred

#: Reasons of referrals as the contract lists them.
CONTRACT = [
    *("CLICK_WINDOW", "CREDIT_WINDOW", "EXISTING_CUSTOMER", "ALREADY_REFERRED", "SELF_REFERRAL"),
    *("MUTUAL_REFERRAL", "BELOW_MIN", "CONDITION_NOT_MET", "REFUND_BELOW_MIN", "ORDER_CANCELLED"),
    *("CAP", "BUDGET", "BLOCKED", "MANUAL", "ERASED", "OFFER_CLOSED", "NOT_FOUND"),
    *("UNKNOWN_TOKEN", "EXPIRED_TOKEN"),
]


def test_what_so_many_friends_reach() -> None:
    offered = [(3, False), (2, True)]
    assert milestones.reached(1, offered) == []
    assert milestones.reached(3, offered) == [(2, 1), (3, 1)]
    assert milestones.reached(7, offered) == [(2, 1), (3, 1), (2, 2), (2, 3)]
    assert not milestones.stands(5, (2, 3))
    assert milestones.stands(6, (2, 3))


def test_what_two_reached_is_numbered_on_and_what_fell_stays_so() -> None:
    standing, fallen = True, False
    # Nothing in the way: everything keeps its number.
    assert milestones.renumbered([((2, 1), standing)], [((3, 1), standing)]) == {(3, 1): (3, 1)}
    both = milestones.renumbered(
        [((3, 1), standing), ((3, 2), standing)], [((3, 1), standing), ((3, 2), standing)]
    )
    assert both == {(3, 1): (3, 3), (3, 2): (3, 4)}
    # What was taken back from one is not given back because both are one: it never stands again.
    gone = milestones.renumbered([((3, 1), fallen)], [((3, 1), fallen)])
    assert gone == {(3, 1): (3, 0)}
    again = milestones.renumbered([((3, 1), standing), ((3, 0), fallen)], [((3, 1), fallen)])
    assert again == {(3, 1): (3, -1)}
    assert not any(milestones.stands(100, one) for one in [*gone.values(), *again.values()])


def test_every_reason_of_the_contract_has_words_and_none_hints_at_fraud() -> None:
    assert list(referred.REASONS) == CONTRACT
    for texts in referred.REASONS.values():
        assert set(texts) == {"en", "ko"} and all(texts.values())
    hidden = {"SELF_REFERRAL", "MUTUAL_REFERRAL", "BLOCKED", "MANUAL"}
    assert {referred.REASONS[one]["en"] for one in hidden} == {"it could not be confirmed"}
    for side in SIDES:
        assert referred.of_decision(f"referral_{side}:friends", {}) is not None
    assert referred.of_decision("order", {}) is None
