"""Sends the replay to a served instance and reports how it went.

Owns the connections, the order in which requests leave, retries and the report. Refuses to judge
the points: it reads the balances served and hands them on.
"""

import http.client
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit

from server.replay import dataset
from server.replay.dataset import RefundChoice, Request
from server.replay.program import POINTS_KEY

Mode = Literal["single", "batch"]
Progress = Callable[[str], None]

TRIES_MAX: Final = 12
WAIT_SECONDS_MAX: Final = 30
TIMEOUT_SECONDS: Final = 120
PROGRESS_SECONDS: Final = 5
PROBLEMS_SHOWN: Final = 10


class ReplayFailed(RuntimeError):
    """The replay cannot go on: the instance is away or does not accept the key."""


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass over the orders did, and the balances served after it."""

    name: str
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


@dataclass(slots=True)
class Tally:
    """What the workers count together."""

    orders: int = 0
    lines: int = 0
    retries: int = 0
    problem_count: int = 0
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sent(self, orders: int, lines: int) -> None:
        """Count orders that were answered."""
        with self.lock:
            self.orders += orders
            self.lines += lines

    def retried(self) -> None:
        """Count a request that had to be sent again."""
        with self.lock:
            self.retries += 1

    def problem(self, text: str) -> None:
        """Count an answer that is not what a shop hopes for; keep the first ones."""
        with self.lock:
            self.problem_count += 1
            if len(self.problems) < PROBLEMS_SHOWN:
                self.problems.append(text)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and its JSON body, None if it was no JSON."""

    status: int
    body: Any

    @property
    def code(self) -> str | None:
        """Return the code of a problem, if the body is one."""
        return self.body.get("code") if isinstance(self.body, dict) else None


class Connection:
    """One keep-alive connection that sends again, under the same reference, what was not heard.

    A request whose answer got lost may have been carried out; orders converge, so sending it once
    more is always right.
    """

    def __init__(self, url: str, secret_key: str, tally: Tally) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ReplayFailed(f"{url!r} is no http or https address.")
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._http = kind(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        self._prefix = parts.path.rstrip("/")
        self._authorization = f"Bearer {secret_key}"
        self._tally = tally

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def send(self, request: Request) -> Answer:
        """Send until there is an answer that another try would not change."""
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        if request.method == "POST":
            # One key for all tries of this request, and never that of an earlier pass: a stored
            # answer would hide whether the orders converge.
            headers["Idempotency-Key"] = f"replay-{secrets.token_hex(16)}"
        for tries in range(1, TRIES_MAX + 1):
            try:
                self._http.request(
                    request.method, self._prefix + request.path, request.body, headers
                )
                response = self._http.getresponse()
                answer = Answer(response.status, _decoded(response.read()))
            except (OSError, http.client.HTTPException) as error:
                self._http.close()
                if tries == TRIES_MAX:
                    raise ReplayFailed(f"No answer from the instance: {error!r}.") from error
                delay = min(0.1 * 2 ** (tries - 1), 5)
            else:
                if answer.status in {401, 403}:
                    raise ReplayFailed(f"The key is not accepted: {_described(answer)}.")
                if not _is_passing(answer) or tries == TRIES_MAX:
                    return answer
                delay = _retry_after(response.getheader("Retry-After"))
            self._tally.retried()
            time.sleep(delay)
        raise AssertionError("unreachable: the last try returns or raises")


def replay(
    *,
    url: str,
    secret_key: str,
    weeks: int | None,
    order: Mode,
    shuffle_seed: int | None,
    refund_bp: int = 0,
    refund_seed: int = 0,
    workers: int = 4,
    progress: Progress,
) -> Report:
    """Send members, then all orders in time order, then refunds, then everything shuffled.

    The shuffled pass sends each order as it looks by then, so it must change nothing.
    """
    progress("reading the data set")
    journey = dataset.load(weeks)
    run = _Run(url, secret_key, Tally(), progress)
    refs = [dataset.member_ref(household) for household in journey.households()]
    run.send(
        "members", [map(dataset.member_request, share) for share in dataset.dealt(refs, workers)]
    )

    refund = RefundChoice(refund_seed, refund_bp)
    shares = dataset.shares_in_time_order(journey, workers)
    passes: list[tuple[str, Sequence[Sequence[int]], RefundChoice | None]] = [
        ("orders", shares, None)
    ]
    if refund_bp:
        chosen = [
            [it for it in share if refund.is_chosen(journey.basket_ids[it])] for share in shares
        ]
        passes.append(("refunds", chosen, refund))
    if shuffle_seed is not None:
        mixed = dataset.dealt(dataset.shuffled(journey, shuffle_seed), workers)
        passes.append(("everything again, shuffled", mixed, refund))

    requests = dataset.single_requests if order == "single" else dataset.batch_requests
    reports: list[PassReport] = []
    for name, indices, applied in passes:
        orders, lines = run.tally.orders, run.tally.lines
        seconds = run.send(name, [requests(journey, share, applied) for share in indices])
        orders, lines = run.tally.orders - orders, run.tally.lines - lines
        served = run.balances(refs, workers=workers)
        reports.append(PassReport(name, orders, lines, seconds, served))
        progress(reports[-1].text())
    return Report(
        members=len(refs),
        passes=tuple(reports),
        retries=run.tally.retries,
        problem_count=run.tally.problem_count,
        problems=tuple(run.tally.problems),
    )


def balances(
    url: str, secret_key: str, *, member_refs: Sequence[str] | None = None, workers: int = 4
) -> dict[str, int]:
    """Read the available points of the members given, or of all members of the program."""
    run = _Run(url, secret_key, Tally(), lambda _: None)
    refs = run.member_refs() if member_refs is None else member_refs
    return run.balances(refs, workers=workers)


@dataclass(frozen=True, slots=True)
class _Run:
    """Where to send, and where to count and tell."""

    url: str
    secret_key: str
    tally: Tally
    progress: Progress

    def send(self, name: str, shares: Sequence[Iterable[Request]]) -> float:
        """Send the shares side by side, each in its own order; return the seconds taken."""

        def count(request: Request, answer: Answer) -> None:
            for problem in _problems(request, answer):
                self.tally.problem(problem)
            self.tally.sent(request.orders, request.lines)

        return self._side_by_side(name, shares, count)

    def balances(self, member_refs: Sequence[str], *, workers: int) -> dict[str, int]:
        """Read the available points of each member."""
        points: dict[str, int] = {}

        def keep(request: Request, answer: Answer) -> None:
            (member_ref,) = request.refs
            if answer.status != 200:
                raise ReplayFailed(f"No balance of {member_ref}: {_described(answer)}.")
            points[member_ref] = sum(
                balance["available"]
                for balance in answer.body["data"]
                if balance["points_key"] == POINTS_KEY
            )

        shares = [
            map(dataset.balance_request, share) for share in dataset.dealt(member_refs, workers)
        ]
        self._side_by_side("balances", shares, keep)
        return points

    def member_refs(self) -> list[str]:
        """List every member of the program."""
        connection = Connection(self.url, self.secret_key, self.tally)
        refs: list[str] = []
        query = {"limit": "100"}
        while True:
            answer = connection.send(Request("GET", f"/v1/members?{urlencode(query)}"))
            if answer.status != 200:
                raise ReplayFailed(f"No list of members: {_described(answer)}.")
            refs += [member["member_ref"] for member in answer.body["data"]]
            if answer.body["next_cursor"] is None:
                connection.close()
                return refs
            query["cursor"] = answer.body["next_cursor"]

    def _side_by_side(
        self,
        name: str,
        shares: Sequence[Iterable[Request]],
        handle: Callable[[Request, Answer], None],
    ) -> float:
        stop = threading.Event()

        def work(share: Iterable[Request]) -> None:
            connection = Connection(self.url, self.secret_key, self.tally)
            try:
                for request in share:
                    if stop.is_set():
                        return
                    handle(request, connection.send(request))
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


def _problems(request: Request, answer: Answer) -> Iterator[str]:
    """Yield what an answer says that a shop would have to look at."""
    if answer.status not in {200, 201} or not isinstance(answer.body, dict):
        yield f"{request.method} {request.path}: {_described(answer)}"
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


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _described(answer: Answer) -> str:
    return f"{answer.status} {json.dumps(answer.body)[:300]}"


def _is_passing(answer: Answer) -> bool:
    """Tell whether the instance asks to be asked again later."""
    return answer.status in {429, 503} or answer.code == "idempotency_in_progress"


def _retry_after(value: str | None) -> float:
    # The contract sends seconds; anything else (a proxy's date) is met with a second's patience.
    if value is None or not value.isdecimal():
        return 1
    return min(int(value), WAIT_SECONDS_MAX)
