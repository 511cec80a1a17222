"""Two weeks of a real grocer, told through a served instance, against SQL over its own files.

The first 300 households only: enough for every tier that two weeks can reach, and quick.
"""

import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from werkzeug.serving import make_server

from server.replay import dataset, driver
from server.replay.check import DiffersError, compare
from server.replay.dataset import Journey, RefundChoice
from server.replay.driver import PassReport
from server.replay.program import DOCUMENT
from tests.independent import complete_journey
from tests.world import World

WEEKS = 2
HOUSEHOLDS = 300
#: Enough of them that every kind of refund occurs: whole orders, and parts of orders.
REFUND = RefundChoice(seed=7, share_bp=2500)


@pytest.fixture(scope="module")
def journey() -> Journey:
    return dataset.load(WEEKS).first_households(HOUSEHOLDS)


@pytest.fixture(scope="module")
def expected(journey: Journey) -> dict[int, dict[str, int]]:
    """The points of each member by the share refunded, computed without the application."""
    wanted = set(journey.households())
    return {
        share_bp: {
            dataset.member_ref(household): points
            for household, points in complete_journey.expected(WEEKS, REFUND.seed, share_bp).items()
            if household in wanted
        }
        for share_bp in (0, REFUND.share_bp)
    }


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The application listening on a free loopback port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _kinds_of_refund(journey: Journey) -> set[str]:
    kinds = set()
    for index in range(journey.order_count):
        products = [journey.product_ids[line] for line in journey.lines_of(index)]
        refunded = REFUND.refunded_products(journey.basket_ids[index], products)
        if refunded:
            kinds.add("whole" if len(refunded) == len(products) else "part")
    return kinds


@pytest.mark.parametrize("order", ["batch"])
def test_every_household_holds_what_sql_over_the_files_says_it_must(
    make_world: Callable[..., World],
    address: str,
    journey: Journey,
    expected: dict[int, dict[str, int]],
    order: driver.Mode,
) -> None:
    world = make_world(**DOCUMENT)
    passes: list[str] = []

    def check(report: PassReport) -> None:
        compare(report, expected[report.refund_bp])
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
    assert report.members == HOUSEHOLDS
    assert report.problems == ()
    assert report.passes[0].orders == report.passes[2].orders == journey.order_count
    assert report.passes[2].balances == report.passes[1].balances
    assert 0 < sum(report.balances.values()) < sum(report.passes[0].balances.values())
    verified = world.verify()
    assert verified["mismatches"] == []
    assert verified["orders"] == journey.order_count


def test_the_households_chosen_have_whole_and_partial_refunds(journey: Journey) -> None:
    assert _kinds_of_refund(journey) == {"whole", "part"}


def test_a_single_point_too_many_is_named(
    journey: Journey, expected: dict[int, dict[str, int]]
) -> None:
    served = dict(expected[0])
    first = dataset.member_ref(journey.households()[0])
    served[first] += 1
    wrong = PassReport("orders", 0, journey.order_count, journey.line_count, 1.0, served)
    with pytest.raises(DiffersError, match=f"{first}: served {served[first]}, expected"):
        compare(wrong, expected[0])
