"""`flask demo`: a program with a real shop's first weeks in it, served, and what to try.

Owns the tour that is printed: every line of it works as it stands. Refuses to migrate.
"""

import json
import time
from dataclasses import dataclass
from typing import Any, Final

import click

from core import clock
from server import replaying
from server.replay import dataset, driver, instance
from server.replay.connection import Connection, Tally
from server.replay.dataset import Journey
from server.replay.errors import ReplayError
from server.replay.messages import Request

WORKERS: Final = 4
ORDER_REF: Final = "demo-1"


@dataclass(frozen=True, slots=True)
class Tour:
    """What the printed lines speak of."""

    url: str
    secret_key: str
    member_ref: str
    member_points: int
    decision_id: str
    cart: dict[str, Any]
    cart_points: int


def run(*, weeks: int, port: int, is_serving: bool) -> None:
    """Create the program, replay, print the tour, and keep serving until Ctrl-C."""
    if instance.is_taken(port):
        raise click.ClickException(
            f"Port {port} is taken. Choose another one: flask demo --port {port + 1}"
        )
    try:
        with instance.served(replaying.environment(), port=port) as process:
            tour = _replay(f"http://{instance.HOST}:{port}", weeks)
            click.echo(text(tour, is_serving=is_serving))
            if is_serving and process.wait() != 0:
                raise ReplayError("The instance stopped by itself; it said why above.")
    except ReplayError as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        click.echo("\nstopped")


def _replay(url: str, weeks: int) -> Tour:
    started = time.monotonic()
    replaying.progress(f"reading the first {weeks} weeks of a grocer's year")
    journey = dataset.load(weeks)
    secret_key = replaying.create_program()
    report = driver.replay(
        journey,
        url=url,
        secret_key=secret_key,
        order="batch",
        shuffle_seed=None,
        workers=WORKERS,
        progress=replaying.progress,
    )
    click.echo(report.text())
    replaying.progress(f"the demo took {time.monotonic() - started:.0f} s")
    return _tour(url, secret_key, journey, report.balances)


def _tour(url: str, secret_key: str, journey: Journey, balances: dict[str, int]) -> Tour:
    """Ask the instance for what the lines will show: the member who earned most, and why."""
    member_ref = max(balances, key=lambda ref: (balances[ref], ref))
    index = max(
        index
        for index in range(journey.order_count)
        if dataset.member_ref(journey.household_ids[index]) == member_ref
    )
    order_ref = dataset.order_ref(journey.basket_ids[index])
    cart = {
        "currency": dataset.CURRENCY,
        "lines": [
            {"line_ref": "1", "sku": "COFFEE", "quantity": 2, "unit_price_minor": 899},
            {
                "line_ref": "2",
                "sku": "APPLES",
                "categories": ["PRODUCE"],
                "quantity": 1,
                "unit_price_minor": 499,
            },
        ],
    }
    connection = Connection(url, secret_key, Tally())
    try:
        order = _asked(connection, Request("GET", f"/v1/orders/{order_ref}"))
        quoted = {"member_ref": member_ref, "cart": cart}
        body = json.dumps(quoted).encode()
        quote = _asked(connection, Request("POST", "/v1/quotes", body))
    finally:
        connection.close()
    return Tour(
        url=url,
        secret_key=secret_key,
        member_ref=member_ref,
        member_points=balances[member_ref],
        decision_id=order["decision_id"],
        cart=cart,
        cart_points=sum(award["points"] for award in quote["earned"]),
    )


def _asked(connection: Connection, request: Request) -> Any:
    answer = connection.send(request)
    if answer.status != 200:
        raise ReplayError(f"{request.method} {request.path}: {answer.text()}")
    return answer.body


def text(tour: Tour, *, is_serving: bool) -> str:
    """Return the tour: a heading, and a curl line for each step."""
    quote = {"member_ref": tour.member_ref, "cart": tour.cart}
    placed_at = clock.format_instant(clock.system_now() // clock.SECOND * clock.SECOND)
    order = {"member_ref": tour.member_ref, "status": "paid", "placed_at": placed_at, **tour.cart}
    after = tour.member_points + tour.cart_points
    member = f"/v1/members/{tour.member_ref}"
    steps = [
        (f"a quote: {tour.cart_points} points", _curl(tour, "POST", "/v1/quotes", quote)),
        (
            f"the order: the same {tour.cart_points} points",
            _curl(tour, "PUT", f"/v1/orders/{ORDER_REF}", order),
        ),
        (
            f"the balance: {tour.member_points} before the order, {after} after it",
            _curl(tour, "GET", f"{member}/balances"),
        ),
        ("the ledger, newest first", _curl(tour, "GET", f"{member}/entries?limit=5")),
        ("the tier, and what is missing for the next", _curl(tour, "GET", f"{member}/tier")),
        (
            "why: the decision on the last order replayed",
            _curl(tour, "GET", f"/v1/decisions/{tour.decision_id}"),
        ),
    ]
    rows = [
        "",
        f"key        {tour.secret_key}",
        f"reference  {tour.url}/docs",
        f"member     {tour.member_ref}, who earned most",
        "",
    ]
    for title, line in steps:
        rows += [f"# {title}", line, ""]
    port = tour.url.rpartition(":")[2]
    rows.append(
        f"Serving on {tour.url}. Ctrl-C stops everything."
        if is_serving
        else f"Nothing is served now. Serve it with: flask serve --port {port}"
    )
    return "\n".join(rows)


def _curl(tour: Tour, method: str, path: str, body: Any = None) -> str:
    parts = ["curl -s", f"-H 'Authorization: Bearer {tour.secret_key}'"]
    if body is not None:
        # Nothing in these bodies holds a quote of the shell.
        parts.append(f"-X {method} -H 'Content-Type: application/json'")
        parts.append(f"-d '{json.dumps(body, separators=(',', ':'))}'")
    parts.append(f"'{tour.url}{path}'")
    return " ".join(parts)
