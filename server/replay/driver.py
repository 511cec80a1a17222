"""Sends the replay to a served instance and reports how it went.

Owns the order in which requests leave, the passes and the report. Refuses to judge the points:
it reads the balances served and hands them on.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Literal

from server.replay import dataset, messages
from server.replay.connection import TRIES_MAX, Answer, Connection, Tally
from server.replay.dataset import Journey, RefundChoice
from server.replay.errors import ReplayError
from server.replay.messages import Request
from server.replay.program import POINTS_KEY

Mode = Literal["single", "batch"]
Progress = Callable[[str], None]

PROGRESS_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass over the orders did, and the balances served after it."""

    name: str
    refund_bp: int
    orders: int
    lines: int
    seconds: float
    balances: dict[str, int]

    @property
    def points(self) -> int:
        """Return the points of all members after this pass."""
        return sum(self.balances.values())

    def text(self) -> str:
        """Return the pass as one line."""
        rate = self.orders / max(self.seconds, 0.001)
        return (
            f"{self.name}: {self.orders} orders, {self.lines} lines in {self.seconds:.1f} s "
            f"({rate:.0f} orders/s), {self.points} points served"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What the whole replay did. `problems` holds the first ones, `problem_count` counts all."""

    members: int
    passes: tuple[PassReport, ...]
    retries: int
    problem_count: int
    problems: tuple[str, ...]

    @property
    def balances(self) -> dict[str, int]:
        """Return the balances after the last pass."""
        return self.passes[-1].balances

    def text(self) -> str:
        """Return the report as lines for a terminal."""
        rows = [f"{self.members} members", *(it.text() for it in self.passes)]
        rows.append(f"{self.retries} retries, {self.problem_count} problems")
        rows += [f"  {problem}" for problem in self.problems]
        return "\n".join(rows)


@dataclass(frozen=True, slots=True)
class _Pass:
    """Orders to send, by worker, as they look after the refund."""

    name: str
    shares: Sequence[Sequence[int]]
    refund: RefundChoice | None = None


def replay(
    journey: Journey,
    *,
    url: str,
    secret_key: str,
    order: Mode,
    shuffle_seed: int | None,
    refund: RefundChoice | None = None,
    workers: int = 4,
    progress: Progress,
    on_pass: Callable[[PassReport], None] = lambda _: None,
) -> Report:
    """Send members, then all orders in time order, then refunds, then everything shuffled.

    The shuffled pass sends each order as it looks by then, so it must change nothing. `on_pass`
    is given each pass when it is over; what it raises ends the replay.
    """
    run = _Run(url, secret_key, Tally(), progress)
    refs = [dataset.member_ref(household) for household in journey.households()]
    run.send("members", [map(messages.member_request, it) for it in dataset.dealt(refs, workers)])
    build = messages.single_requests if order == "single" else messages.batch_requests
    reports: list[PassReport] = []
    for one in _passes(journey, refund, shuffle_seed=shuffle_seed, workers=workers):
        orders, lines = run.tally.orders, run.tally.lines
        seconds = run.send(one.name, [build(journey, it, one.refund) for it in one.shares])
        report = PassReport(
            name=one.name,
            refund_bp=one.refund.share_bp if one.refund else 0,
            orders=run.tally.orders - orders,
            lines=run.tally.lines - lines,
            seconds=seconds,
            balances=run.balances(refs, workers=workers),
        )
        reports.append(report)
        progress(f"{report.name}: {report.points} points served")
        on_pass(report)
    return Report(
        members=len(refs),
        passes=tuple(reports),
        retries=run.tally.retries,
        problem_count=run.tally.problem_count,
        problems=tuple(run.tally.problems),
    )


def _passes(
    journey: Journey, refund: RefundChoice | None, *, shuffle_seed: int | None, workers: int
) -> Iterator[_Pass]:
    shares = dataset.shares_in_time_order(journey, workers)
    yield _Pass("orders", shares)
    if refund is not None:
        chosen = [
            [it for it in share if refund.is_chosen(journey.basket_ids[it])] for share in shares
        ]
        yield _Pass("refunds", chosen, refund)
    if shuffle_seed is not None:
        mixed = dataset.dealt(dataset.shuffled(journey, shuffle_seed), workers)
        yield _Pass("everything again, shuffled", mixed, refund)


@dataclass(frozen=True, slots=True)
class _Run:
    """Where to send, and where to count and tell."""

    url: str
    secret_key: str
    tally: Tally
    progress: Progress

    def send(self, name: str, shares: Sequence[Iterable[Request]]) -> float:
        """Send the shares side by side, each in its own order; return the seconds taken."""

        def tell(connection: Connection, request: Request) -> None:
            answer = connection.send(request)
            self._send_again(connection, request, answer)
            for problem in _problems(request, answer):
                self.tally.problem(problem)
            self.tally.sent(request.orders, request.lines)

        return self._side_by_side(name, shares, tell)

    def _send_again(self, connection: Connection, request: Request, answer: Answer) -> None:
        """Send those orders of a batch again that the instance was too busy for, in their order.

        A later order of the same member may have been decided by then. It stays as decided, so
        under such load the points can differ from those of a year told in time order.
        """
        for tries in range(1, TRIES_MAX):
            positions = _busy_positions(request, answer)
            if not positions:
                return
            self.progress(f"{len(positions)} orders of a batch were refused for now: once more")
            self.tally.retried()
            time.sleep(min(0.1 * 2 ** (tries - 1), 5))
            again = connection.send(messages.part_of(request, positions))
            if again.status != 200 or len(again.body["results"]) != len(positions):
                return
            for position, result in zip(positions, again.body["results"], strict=True):
                answer.body["results"][position] = result

    def balances(self, member_refs: Sequence[str], *, workers: int) -> dict[str, int]:
        """Read the available points of each member."""
        points: dict[str, int] = {}

        def keep(connection: Connection, request: Request) -> None:
            answer = connection.send(request)
            (member_ref,) = request.refs
            if answer.status != 200:
                raise ReplayError(f"No balance of {member_ref}: {answer.text()}.")
            points[member_ref] = sum(
                balance["available"]
                for balance in answer.body["data"]
                if balance["points_key"] == POINTS_KEY
            )

        shares = [map(messages.balance_request, it) for it in dataset.dealt(member_refs, workers)]
        self._side_by_side("balances", shares, keep)
        return points

    def _side_by_side(
        self,
        name: str,
        shares: Sequence[Iterable[Request]],
        handle: Callable[[Connection, Request], None],
    ) -> float:
        stop = threading.Event()

        def work(share: Iterable[Request]) -> None:
            connection = Connection(self.url, self.secret_key, self.tally)
            try:
                for request in share:
                    if stop.is_set():
                        return
                    handle(connection, request)
            finally:
                connection.close()

        started = time.monotonic()
        orders = self.tally.orders
        with ThreadPoolExecutor(max_workers=len(shares)) as pool:
            pending = {pool.submit(work, share) for share in shares}
            try:
                while pending:
                    done, pending = wait(pending, PROGRESS_SECONDS, FIRST_EXCEPTION)
                    for finished in done:
                        finished.result()
                    sent, seconds = self.tally.orders - orders, time.monotonic() - started
                    if pending and sent:
                        self.progress(f"{name}: {sent} orders, {sent / seconds:.0f} orders/s")
            finally:
                # Whatever ends this early must not leave the other workers sending on.
                stop.set()
        return time.monotonic() - started


def _busy_positions(request: Request, answer: Answer) -> list[int]:
    """Return which orders of an answered batch were refused only for now."""
    if request.method != "POST" or answer.status != 200 or not isinstance(answer.body, dict):
        return []
    statuses = [it.get("status") for it in answer.body.get("results", [])]
    if len(statuses) != len(request.refs):
        return []
    return [position for position, status in enumerate(statuses) if status in {429, 503}]


def _problems(request: Request, answer: Answer) -> Iterator[str]:
    """Yield what an answer says that a shop would have to look at."""
    if answer.status not in {200, 201} or not isinstance(answer.body, dict):
        yield f"{request.method} {request.path}: {answer.text()}"
        return
    if request.method != "POST":
        if answer.body.get("problems"):
            yield f"{request.method} {request.path}: {answer.body['problems']}"
        return
    results = answer.body.get("results", [])
    if [it.get("order_ref") for it in results] != list(request.refs):
        yield f"{request.method} {request.path}: the results are not those of the orders sent"
    for result in results:
        problem = result.get("problem") or result.get("problems")
        if problem or result.get("status", 200) not in {200, 201}:
            yield f"{result.get('order_ref')}: {problem or result.get('status')}"
