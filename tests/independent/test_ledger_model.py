"""The model against the examples of the requirements, worked by hand: who checks the checker."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.independent.ledger_model import Ledger, RefusedError
from tests.independent.ledger_terms import ReturnPolicy, Terms

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def seen(ledger: Ledger, member: str = "mina") -> list[tuple[int, str | None]]:
    """Remaining points and last date (the UTC day on which they end) of each lot."""
    return [
        (lot.remaining, lot.expires_at.date().isoformat() if lot.expires_at else None)
        for lot in ledger.of(member)
        if lot.remaining
    ]


def balances(ledger: Ledger, member: str = "mina") -> tuple[int, int, int]:
    ledger.check()
    return ledger.available(member), ledger.pending(member), ledger.held(member)


def earn(ledger: Ledger, ref: str, points: int, member: str = "mina") -> None:
    ledger.tell(ref, member, deserved=points, paid_at=ledger.now)


def spend(ledger: Ledger, key: str, points: int, member: str = "mina") -> None:
    ledger.hold(key, member, points, seconds=60)
    ledger.capture(key)


@pytest.mark.parametrize(
    ("earned_at", "terms", "ends"),
    [
        ("2027-01-31T03:00:00Z", Terms(expiry_months=1), "2027-02-28T15:00:00Z"),
        ("2028-02-29T03:00:00Z", Terms(expiry_months=12), "2029-02-28T15:00:00Z"),
        (
            "2027-02-28T12:00:00Z",
            Terms(zone=BERLIN, expiry_months=1),
            "2027-03-28T22:00:00Z",
        ),
        (
            "2027-01-31T03:00:00Z",
            Terms(expiry_months=1, round_up_to="quarter"),
            "2027-03-31T15:00:00Z",
        ),
        # 23:30 in Seoul is still the 31st, half past midnight is February.
        (
            "2027-01-31T14:30:00Z",
            Terms(expiry_months=0, round_up_to="month"),
            "2027-01-31T15:00:00Z",
        ),
        (
            "2027-01-31T15:30:00Z",
            Terms(expiry_months=0, round_up_to="month"),
            "2027-02-28T15:00:00Z",
        ),
        (
            "2027-11-30T03:00:00Z",
            Terms(expiry_months=3, round_up_to="year"),
            "2028-12-31T15:00:00Z",
        ),
        ("2027-11-30T03:00:00Z", Terms(), None),
    ],
)
def test_points_end_at_the_midnight_after_the_last_valid_day(
    earned_at: str, terms: Terms, ends: str | None
) -> None:
    assert terms.expires_at(at(earned_at)) == (at(ends) if ends else None)


def test_pending_ends_at_the_same_local_time() -> None:
    # Berlin changes to summer time on 28 March 2027: 10:30 is 09:30Z before, 08:30Z after.
    terms = Terms(zone=BERLIN, pending_days=10)
    assert terms.available_at(at("2027-03-20T09:30:00Z")) == at("2027-03-30T08:30:00Z")


def test_pending_points_become_available_and_expire_from_then_on() -> None:
    terms = Terms(pending_days=7, expiry_months=3, round_up_to="month")
    ledger = Ledger(terms, at("2027-01-28T05:00:00Z"))
    earn(ledger, "A-1", 100)
    ledger.move(at("2027-02-04T04:59:59Z"))
    assert balances(ledger) == (0, 100, 0)
    ledger.move(at("2027-02-04T05:00:00Z"))
    assert balances(ledger) == (100, 0, 0)
    # 4 February and three months, to the end of May in Seoul.
    ledger.move(at("2027-05-31T14:59:59Z"))
    assert balances(ledger) == (100, 0, 0)
    ledger.move(at("2027-05-31T15:00:00Z"))
    assert balances(ledger) == (0, 0, 0)


@pytest.mark.parametrize(
    ("returns", "left", "written_off"),
    [
        ("only_pending", 100, 500),
        ("within_balance", 0, 400),
        ("deduct_from_refund", 0, 400),
        ("unlimited", -400, 0),
    ],
)
def test_already_spent(returns: ReturnPolicy, left: int, written_off: int) -> None:
    # B11: earn 500, spend 400, refund.
    ledger = Ledger(Terms(returns=returns), at("2027-01-04T00:00:00Z"))
    earn(ledger, "A-1", 500)
    spend(ledger, "h", 400)
    earn(ledger, "A-1", 0)
    assert balances(ledger) == (left, 0, 0)
    assert ledger.awards["A-1"].written_off == written_off
    assert ledger.awards["A-1"].standing == 0
    if returns == "unlimited":
        with pytest.raises(RefusedError) as refused:
            ledger.hold("x", "mina", 1, seconds=60)
        assert (refused.value.code, refused.value.available) == ("insufficient_points", -400)
        earn(ledger, "A-2", 150)
        assert balances(ledger) == (-250, 0, 0)
        assert seen(ledger) == []
        # Told again: 400 come out of the deficit, 250 of which are still missing.
        earn(ledger, "A-1", 500)
        assert balances(ledger) == (250, 0, 0)


def test_a_claw_back_takes_the_lot_that_the_order_made_first() -> None:
    # B12: two lots; of the later one 30 were spent after the whole earlier one.
    ledger = Ledger(Terms(expiry_months=1), at("2027-01-04T00:00:00Z"))
    earn(ledger, "A-1", 100)
    ledger.move(at("2027-01-05T00:00:00Z"))
    earn(ledger, "A-2", 100)
    ledger.move(at("2027-01-06T00:00:00Z"))
    earn(ledger, "A-3", 50)
    spend(ledger, "h", 130)
    assert seen(ledger) == [(70, "2027-02-05"), (50, "2027-02-06")]
    earn(ledger, "A-3", 0)
    assert seen(ledger) == [(70, "2027-02-05")]
    earn(ledger, "A-3", 50)
    assert seen(ledger) == [(70, "2027-02-05"), (50, "2027-02-06")]
    # 70 of its own, 30 of the soonest other.
    earn(ledger, "A-2", 0)
    assert seen(ledger) == [(20, "2027-02-06")]
    # The last that was taken comes back first.
    earn(ledger, "A-2", 40)
    assert seen(ledger) == [(10, "2027-02-05"), (50, "2027-02-06")]
    ledger.check()


def test_a_write_off_is_cancelled_before_anything_comes_back() -> None:
    ledger = Ledger(Terms(), at("2027-01-04T00:00:00Z"))
    earn(ledger, "A-1", 500)
    spend(ledger, "h", 400)
    earn(ledger, "A-1", 0)
    earn(ledger, "A-1", 400)
    assert balances(ledger) == (0, 0, 0)
    earn(ledger, "A-1", 500)
    assert balances(ledger) == (100, 0, 0)
    earn(ledger, "A-1", 530)
    assert (balances(ledger), len(ledger.lots)) == ((130, 0, 0), 2)


def test_a_refund_takes_what_is_pending_first() -> None:
    terms = Terms(pending_days=10, returns="only_pending")
    ledger = Ledger(terms, at("2027-01-04T00:00:00Z"))
    earn(ledger, "A-1", 100)
    earn(ledger, "A-1", 70)
    assert balances(ledger) == (0, 70, 0)
    ledger.move(at("2027-01-14T00:00:00Z"))
    earn(ledger, "A-1", 20)
    assert balances(ledger) == (70, 0, 0)
    assert ledger.awards["A-1"].written_off == 50
    # 50 written off are cancelled, then 10 come back to a lot that is active by now.
    earn(ledger, "A-1", 80)
    assert balances(ledger) == (80, 0, 0)


def test_a_hold_outlives_the_expiry_of_what_it_holds() -> None:
    # C19 in Seoul: the lot ends at midnight, 15:00Z.
    terms = Terms(expiry_months=0)
    for end, left in (("capture", 0), ("release", 0)):
        ledger = Ledger(terms, at("2027-01-04T14:00:00Z"))
        earn(ledger, "A-1", 100)
        ledger.move(at("2027-01-04T14:50:00Z"))
        ledger.hold("h", "mina", 60, seconds=1800)
        ledger.move(at("2027-01-04T15:00:00Z"))
        assert balances(ledger) == (0, 0, 60)
        ledger.move(at("2027-01-04T15:10:00Z"))
        getattr(ledger, end)("h")
        assert balances(ledger) == (left, 0, 0)
        assert ledger.totals["mina"]["expired"] == (40 if end == "capture" else 100)


def test_a_hold_that_ran_out_has_ended() -> None:
    ledger = Ledger(Terms(), at("2027-01-04T14:50:00Z"))
    earn(ledger, "A-1", 100)
    ledger.hold("h", "mina", 60, seconds=60)
    ledger.move(at("2027-01-04T14:50:59Z"))
    assert balances(ledger) == (40, 0, 60)
    ledger.move(at("2027-01-04T14:51:00Z"))
    assert balances(ledger) == (100, 0, 0)
    for end in (ledger.capture, ledger.release, ledger.reverse):
        with pytest.raises(RefusedError, match="state_conflict"):
            end("h")


def test_reversing_a_captured_redemption_restores_lots_and_dates() -> None:
    # C20, strict: 100 until 10 March, 200 until 31 December, 150 spent, reversed on 20 March.
    ledger = Ledger(Terms(expiry_months=1), at("2027-02-10T03:00:00Z"))
    earn(ledger, "A-1", 100)
    ledger.terms = Terms(expiry_months=10, round_up_to="year")
    ledger.move(at("2027-02-11T03:00:00Z"))
    earn(ledger, "A-2", 200)
    ledger.move(at("2027-03-01T03:00:00Z"))
    spend(ledger, "h", 150)
    assert seen(ledger) == [(150, "2027-12-31")]
    ledger.move(at("2027-03-20T03:00:00Z"))
    ledger.reverse("h")
    ledger.reverse("h")
    assert seen(ledger) == [(200, "2027-12-31")]
    assert (balances(ledger), ledger.totals["mina"]["expired"]) == ((200, 0, 0), 100)


def test_transfers_keep_dates() -> None:
    # C23: 100 (March) + 200 (December), send 150.
    ledger = Ledger(Terms(expiry_months=1, round_up_to="month"), at("2027-02-10T03:00:00Z"))
    earn(ledger, "A-1", 100)
    ledger.terms = Terms(expiry_months=10, round_up_to="year")
    earn(ledger, "A-2", 200)
    ledger.transfer("mina", "jun", 150)
    assert seen(ledger, "jun") == [(100, "2027-03-31"), (50, "2027-12-31")]
    assert seen(ledger) == [(150, "2027-12-31")]
    with pytest.raises(RefusedError) as refused:
        ledger.transfer("mina", "jun", 151)
    assert (refused.value.code, refused.value.available) == ("insufficient_points", 150)


def test_two_redemptions_of_400_on_500() -> None:
    # C26
    ledger = Ledger(Terms(), at("2027-01-04T00:00:00Z"))
    ledger.adjust("mina", 500)
    ledger.hold("h", "mina", 400, seconds=60)
    with pytest.raises(RefusedError) as refused:
        ledger.hold("i", "mina", 400, seconds=60)
    assert refused.value.available == 100
    with pytest.raises(RefusedError):
        ledger.adjust("mina", -101)
    ledger.adjust("mina", -100)
    assert balances(ledger) == (0, 0, 400)


def test_a_deficit_absorbs_what_is_released() -> None:
    ledger = Ledger(Terms(returns="unlimited"), at("2027-01-04T00:00:00Z"))
    earn(ledger, "A-1", 500)
    ledger.hold("h", "mina", 400, seconds=60)
    earn(ledger, "A-1", 0)
    assert balances(ledger) == (-400, 0, 400)
    ledger.release("h")
    assert balances(ledger) == (0, 0, 0)
    assert seen(ledger) == []


def test_what_is_owed_is_taken_when_held_points_come_back() -> None:
    # B is cancelled after A was paid out of its lot: it owes, and the 100 that come back are A's.
    ledger = Ledger(Terms(), at("2027-01-04T00:00:00Z"))
    earn(ledger, "A", 100)
    earn(ledger, "B", 100)
    ledger.hold("h", "mina", 100, seconds=None)
    earn(ledger, "A", 0)
    earn(ledger, "B", 0)
    assert (balances(ledger), ledger.awards["B"].owed) == ((0, 0, 100), 100)
    ledger.release("h")
    assert (balances(ledger), ledger.awards["B"].owed) == ((0, 0, 0), 0)
    # What paid for B came from the lot of A, and goes back there.
    earn(ledger, "B", 100)
    assert [lot.remaining for lot in ledger.lots] == [100, 0]
    earn(ledger, "A", 100)
    assert balances(ledger) == (200, 0, 0)


def test_what_is_owed_is_taken_when_an_order_gives_back_what_it_had_taken() -> None:
    ledger = Ledger(Terms(), at("2027-01-04T00:00:00Z"))
    earn(ledger, "A", 100)
    spend(ledger, "h", 100)
    earn(ledger, "B", 100)
    earn(ledger, "A", 0)
    earn(ledger, "B", 0)
    earn(ledger, "A", 100)
    assert balances(ledger) == (0, 0, 0)
    ledger.reverse("h")
    assert balances(ledger) == (100, 0, 0)


def test_who_lent_gets_no_more_than_was_lent() -> None:
    # A is 100, of which 30 were taken from B; B had 80, of which 50 are spent for good.
    ledger = Ledger(Terms(), at("2027-01-04T00:00:00Z"))
    earn(ledger, "B", 80)
    spend(ledger, "gone", 50)
    earn(ledger, "C", 100)
    ledger.hold("b", "mina", 30, seconds=None)
    ledger.hold("h", "mina", 100, seconds=None)
    ledger.release("b")
    earn(ledger, "C", 70)
    earn(ledger, "B", 0)
    assert (balances(ledger), ledger.awards["B"].owed) == ((0, 0, 100), 80)
    ledger.release("h")
    assert (balances(ledger), ledger.awards["B"].owed) == ((70, 0, 0), 50)


@pytest.mark.parametrize(("first", "lender", "others", "held"), [(1, 1, 1, 1), (3, 1, 3, 2)])
def test_who_lent_to_a_lender_is_paid_too(first: int, lender: int, others: int, held: int) -> None:
    # A takes of X, and X takes of Y; then also: A takes 1 of X and 1 of Y, X takes 1 of Y.
    ledger = Ledger(Terms(), at("2027-01-04T00:00:00Z"))
    deserved = {"A": first, "X": lender, "Y": others}
    for ref, points in deserved.items():
        earn(ledger, ref, points)
    ledger.hold("h", "mina", held, seconds=None)
    for ref in deserved:
        earn(ledger, ref, 0)
    assert [award.owed for award in ledger.awards.values()] == [0, 0, held]
    ledger.release("h")
    assert balances(ledger) == (0, 0, 0)
    for ref in "YAX":
        earn(ledger, ref, deserved[ref])
    assert balances(ledger) == (sum(deserved.values()), 0, 0)


def test_an_award_owes_as_one_whichever_of_its_lots_lent() -> None:
    # X is 100 + 50: the 50 are spent, the 100 were taken for A. 100 of it are left to stand.
    ledger = Ledger(Terms(), at("2027-01-04T00:00:00Z"))
    earn(ledger, "X", 100)
    earn(ledger, "X", 150)
    earn(ledger, "A", 100)
    ledger.hold("x", "mina", 100, seconds=None)
    spend(ledger, "gone", 50)
    ledger.hold("a", "mina", 100, seconds=None)
    ledger.release("x")
    earn(ledger, "A", 0)
    earn(ledger, "X", 100)
    assert (balances(ledger), ledger.awards["X"].owed) == ((0, 0, 100), 50)
    ledger.release("a")
    assert balances(ledger) == (50, 0, 0)


@pytest.mark.parametrize("returns", ["only_pending", "deduct_from_refund"])
def test_elsewhere_nothing_is_collected(returns: ReturnPolicy) -> None:
    ledger = Ledger(Terms(returns=returns), at("2027-01-04T00:00:00Z"))
    earn(ledger, "A", 100)
    spend(ledger, "h", 80)
    earn(ledger, "A", 0)
    ledger.reverse("h")
    assert balances(ledger) == (100 if returns == "only_pending" else 80, 0, 0)


def test_what_comes_back_late_is_owed_before_it_expires() -> None:
    ledger = Ledger(Terms(expiry_months=0), at("2027-01-04T14:00:00Z"))
    earn(ledger, "A", 100)
    ledger.hold("h", "mina", 100, seconds=None)
    earn(ledger, "A", 30)
    ledger.move(at("2027-01-04T15:00:00Z"))
    ledger.release("h")
    assert (balances(ledger), ledger.totals["mina"]["expired"]) == ((0, 0, 0), 30)
