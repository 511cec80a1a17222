"""Random histories of two members who redeem, each step done twice: over HTTP and by a model.

After every step balances, lots, redemptions, codes, cards, stock and what the catalogue says must
be the model's, and so must every problem; at the end the ledger verifies. Half of the clock's moves
run what falls due, the others leave it unwritten: what is read must be the same.

`REWARD_RUNS` says how many histories on each database (4 on SQLite and 2 on PostgreSQL without it),
`REWARD_SEED` with which they begin, `REWARD_STEPS` how long they are. `REWARD_SHRINK` leaves steps
out of a history that fails as long as it fails.
"""

import os
from datetime import datetime
from fractions import Fraction

import pytest
from flask import Flask

from core import db
from tests.independent.ledger_model import RefusedError
from tests.independent.ledger_terms import Terms
from tests.independent.ledger_views import lots_modelled
from tests.independent.rewards_model import Policy, Purse, Shop
from tests.independent.rewards_parts import PAY, Offer, Sale
from tests.properties.redemption_histories import History
from tests.properties.redemption_steps import Step, draw

RUNS = int(os.environ.get("REWARD_RUNS", "4"))
SEED = int(os.environ.get("REWARD_SEED", "1"))
STEPS = int(os.environ.get("REWARD_STEPS", "40"))


def play(app: Flask, steps: list[Step]) -> str | None:
    """Live through a history; where the product and the model part, None if nowhere."""
    history = History(app)
    try:
        for step in steps:
            history.do(step)
        history.close()
    except AssertionError as error:
        return "\n".join([str(error), *history.log])
    return None


def _shortest(app: Flask, steps: list[Step], failure: str) -> list[Step]:
    """The history with every step left out that need not be there for it to fail like that."""
    size = len(steps) // 2
    while size:
        for place in range(len(steps) - size, -1, -size):
            fewer = steps[:place] + steps[place + size :]
            found = play(app, fewer) or ""
            if found.partition(":")[0] == failure.partition(":")[0]:
                steps = fewer
        size //= 2
    return steps


def test_any_history_is_the_models(app: Flask) -> None:
    with app.app_context():
        is_sqlite = db.db.engine.dialect.name == "sqlite"
    runs = RUNS if is_sqlite or "REWARD_RUNS" in os.environ else RUNS // 2
    for number in range(SEED, SEED + runs):
        steps = draw(number, STEPS)
        failure = play(app, steps)
        if failure is not None and "REWARD_SHRINK" in os.environ:
            failure = play(app, _shortest(app, steps, failure))
        assert failure is None, f"REWARD_SEED={number}: {failure}"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def a_shop(now: str) -> Shop:
    return Shop(Purse(Terms(), at(now)), {"mug": 1}, 0)


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        ("strict", [("2026-12-31T15:00:00Z", 200)]),
        ("grace", [("2026-04-03T15:00:00Z", 100), ("2026-12-31T15:00:00Z", 200)]),
    ],
)
def test_the_model_reverses_as_required(policy: Policy, left: list[tuple[str, int]]) -> None:
    # C20: 100 until 10 March and 200 until 31 December, 150 spent on 1 March, back on 20 March.
    shop = a_shop("2026-03-01T03:00:00+00:00")
    shop.purse.give("mina", 100, at("2026-03-10T15:00:00+00:00"))
    shop.purse.give("mina", 200, at("2026-12-31T15:00:00+00:00"))
    made = shop.hold(Offer("trip", "custom", 150), "mina", points=150, cart=None, seconds=60)
    shop.capture(made)
    shop.purse.move(at("2026-03-20T03:00:00+00:00"))
    shop.reverse(made, policy)
    assert lots_modelled(shop.purse, "mina") == left


def test_the_model_returns_points_by_proportion() -> None:
    # B15: 100.00 = 70.00 and 3,000 points; of a line of 40.00 go back 1,200, and 28 are reversed.
    shop = a_shop("2026-03-01T03:00:00+00:00")
    shop.purse.give("mina", 3000, None)
    pay = Offer(PAY, PAY, 3000, minor=3000)
    made = shop.hold(pay, "mina", points=3000, cart=None, seconds=60)
    sale = Sale("A-1", "mina", shop.purse.now, "paid", named=[made])
    assert shop.tell(sale) == []
    assert shop.purse.available("mina") == 70
    sale.refunded = Fraction(4000, 10_000)
    shop.tell(sale)
    assert shop.purse.available("mina") == 1200 + 42
    sale.status = "cancelled"
    shop.tell(sale)
    assert (shop.purse.available("mina"), made.state) == (3000, "reversed")


def test_the_model_has_one_of_one() -> None:
    # E34: the second is refused until the first times out; E36: paid late, on the old terms.
    shop = a_shop("2026-03-01T03:00:00+00:00")
    mug = Offer("mug", "custom", 0)
    first = shop.hold(mug, "mina", points=0, cart=None, seconds=60)
    with pytest.raises(RefusedError, match="out_of_stock"):
        shop.hold(mug, "jun", points=0, cart=None, seconds=60)
    shop.purse.move(at("2026-03-01T03:01:00+00:00"))
    second = shop.hold(mug, "jun", points=0, cart=None, seconds=60)
    sale = Sale("A-1", "mina", shop.purse.now, "paid", named=[first])
    assert (shop.tell(sale), first.state) == (["out_of_stock"], "expired")
    shop.release(second)
    assert (shop.tell(sale), first.state) == ([], "captured")
    assert shop.left("mug") == 0
