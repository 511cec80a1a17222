"""Twelve weeks of a real grocer, told through a served instance, against SQL over its own files.

The first households only, so that it is quick. The whole year: `flask replay --check`.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import pytest
from flask import Flask, request
from werkzeug.serving import make_server

from server.replay import dataset, driver
from server.replay.check import DiffersError, compare
from server.replay.dataset import Journey, RefundChoice
from server.replay.driver import PassReport
from server.replay.program import DOCUMENT
from tests.independent import complete_journey
from tests.independent.complete_journey import Expected
from tests.world import World

WEEKS = 12
HOUSEHOLDS = 50
#: Orders told one by one take longer than a batch.
HOUSEHOLDS_TOLD_SINGLY = 15
#: Enough of them that every kind of refund occurs: whole orders, and parts of orders.
REFUND = RefundChoice(seed=7, share_bp=2500)
DAY_SECONDS = 86_400
#: Keys of the levels by rank.
LEVELS = (None, *(level["key"] for level in DOCUMENT["tiers"]["levels"]))


@pytest.fixture(scope="module")
def journey() -> Journey:
    return dataset.load(WEEKS).first_households(HOUSEHOLDS)


@pytest.fixture(scope="module")
def expected(journey: Journey) -> dict[int, dict[str, Expected]]:
    """What each member has by the share refunded, computed without the application."""
    found = {
        share_bp: complete_journey.expected(WEEKS, REFUND.seed, share_bp)
        for share_bp in (0, REFUND.share_bp)
    }
    return {
        share_bp: {dataset.member_ref(one): figures[one] for one in journey.households()}
        for share_bp, figures in found.items()
    }


def points_of(expected: Mapping[str, Expected], journey: Journey) -> dict[str, int]:
    refs = [dataset.member_ref(household) for household in journey.households()]
    return {ref: expected[ref].points for ref in refs}


def three_of_a_day(journey: Journey) -> tuple[str, list[str]]:
    """The first member who came three times on one day, and the orders of that day."""
    for orders in journey.orders_by_household():
        for _, visits in groupby(orders, lambda one: journey.placed_at[one] // DAY_SECONDS):
            refs = [dataset.order_ref(journey.basket_ids[one]) for one in visits]
            if len(refs) == 3:
                return dataset.member_ref(journey.household_ids[orders[0]]), refs
    raise AssertionError("nobody came three times on one day")


def outcome_of_visit(world: World, member_ref: str, order_ref: str) -> tuple[Any, ...]:
    """What became of the bonus for an order: its points, why not all, and what was withheld."""
    rules = world.get(f"/members/{member_ref}/why?source=order:{order_ref}")["rules"]
    found = next(one for one in rules if one["rule"] == "visit")
    points = sum(one["points"] for one in found["points"])
    return points, found.get("reason"), found.get("withheld")


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """A WSGI application on a free loopback port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    with listening(app) as url:
        yield url


@pytest.mark.parametrize(
    "told", [("batch", HOUSEHOLDS), ("single", HOUSEHOLDS_TOLD_SINGLY)], ids=lambda told: told[0]
)
def test_every_household_holds_what_sql_over_the_files_says_it_must(
    make_world: Callable[..., World],
    address: str,
    journey: Journey,
    expected: dict[int, dict[str, Expected]],
    told: tuple[driver.Mode, int],
) -> None:
    order, households = told
    world = make_world(**DOCUMENT)
    journey = journey.first_households(households)
    member_ref, visits = three_of_a_day(journey)
    passes: list[str] = []

    def check(report: PassReport) -> None:
        figures = expected[report.refund_bp]
        compare(report, points_of(figures, journey))
        for ref in report.balances:
            (card,) = world.get(f"/members/{ref}/cards")["data"]
            level = LEVELS.index(world.get(f"/members/{ref}/tier")["key"])
            assert (level, card["completed_count"]) == figures[ref][1:], ref
        if report.refund_bp == 0:
            # 25 for a visit, and at most 40 a day.
            assert [outcome_of_visit(world, member_ref, visit) for visit in visits] == [
                (25, None, None),
                (15, "capped", 10),
                (0, "limit_reached", None),
            ]
        passes.append(report.name)

    report = driver.replay(
        journey,
        url=address,
        secret_key=world.key,
        order=order,
        shuffle_seed=11,
        refund=REFUND,
        workers=3,
        progress=lambda _: None,
        on_pass=check,
    )

    assert passes == ["orders", "refunds", "everything again, shuffled"]
    assert report.members == households
    assert report.problems == ()
    assert report.passes[0].orders == report.passes[2].orders == journey.order_count
    assert report.passes[2].balances == report.passes[1].balances
    assert 0 < sum(report.balances.values()) < sum(report.passes[0].balances.values())
    verified = world.verify()
    assert verified["mismatches"] == []
    assert verified["orders"] == journey.order_count


def test_the_households_chosen_know_every_case(
    journey: Journey, expected: dict[int, dict[str, Expected]]
) -> None:
    refunds = set()
    for index in range(journey.order_count):
        products = [journey.product_ids[line] for line in journey.lines_of(index)]
        refunded = REFUND.refunded_products(journey.basket_ids[index], products)
        if refunded:
            refunds.add("whole" if len(refunded) == len(products) else "part")
    assert refunds == {"whole", "part"}
    before, after = expected[0], expected[REFUND.share_bp]
    assert {one.level for one in before.values()} == {0, 1, 2}
    # Some are lowered by refunds, from either level, and some cards are full no more.
    lowered = {before[ref].level for ref, one in after.items() if one.level < before[ref].level}
    assert lowered == {1, 2}
    assert max(one.card_count for one in before.values()) > 1
    assert any(0 < one.card_count < before[ref].card_count for ref, one in after.items())
    assert any(one.card_count == before[ref].card_count > 0 for ref, one in after.items())
    assert journey.first_households(HOUSEHOLDS_TOLD_SINGLY).order_count < journey.order_count


def test_a_single_point_too_many_is_named(
    journey: Journey, expected: dict[int, dict[str, Expected]]
) -> None:
    points = points_of(expected[0], journey)
    served = dict(points)
    first = dataset.member_ref(journey.households()[0])
    served[first] += 1
    wrong = PassReport("orders", 0, journey.order_count, journey.line_count, 1.0, served)
    with pytest.raises(DiffersError, match=f"{first}: served {served[first]}, expected"):
        compare(wrong, points)


def test_orders_of_a_batch_that_were_refused_for_now_are_sent_again_in_their_order(
    journey: Journey,
) -> None:
    batches: list[list[str]] = []
    busy = Flask("busy")

    @busy.put("/v1/members/<ref>")
    def put_member(ref: str) -> dict[str, Any]:
        return {"member": {"member_ref": ref}}

    @busy.get("/v1/members/<ref>/balances")
    def get_balances(ref: str) -> dict[str, Any]:
        return {"data": [], "next_cursor": None}

    @busy.post("/v1/orders/batch")
    def put_orders() -> dict[str, Any]:
        refs = [order["order_ref"] for order in request.get_json()["orders"]]
        batches.append(refs)
        refused = {1, 3} if len(batches) == 1 else set()
        return {
            "results": [
                {"order_ref": ref, "status": 503 if position in refused else 201}
                for position, ref in enumerate(refs)
            ]
        }

    few = journey.first_households(5)
    with listening(busy) as url:
        report = driver.replay(
            few,
            url=url,
            secret_key="none",
            order="batch",
            shuffle_seed=None,
            workers=1,
            progress=lambda _: None,
        )

    assert batches == [batches[0], [batches[0][1], batches[0][3]]]
    assert len(batches[0]) == few.order_count
    assert (report.retries, report.problem_count) == (1, 0)
    assert report.passes[0].orders == few.order_count
