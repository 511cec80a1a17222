"""One connection to a served instance, and the count of what went over all of them.

Owns keep-alive, repeating what was not heard, and the tally of orders, retries and problems.
Refuses to know what the requests are about.
"""

import http.client
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from server.replay.errors import ReplayError
from server.replay.messages import Request

TRIES_MAX: Final = 12
WAIT_SECONDS_MAX: Final = 30
TIMEOUT_SECONDS: Final = 120
PROBLEMS_SHOWN: Final = 10


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

    def text(self) -> str:
        """Return the answer as a short text for a terminal."""
        return f"{self.status} {json.dumps(self.body)[:300]}"


class Connection:
    """One keep-alive connection that sends again, under the same reference, what was not heard.

    A request whose answer got lost may have been carried out; orders converge, so sending it once
    more is always right.
    """

    def __init__(self, url: str, secret_key: str, tally: Tally) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ReplayError(f"{url!r} is no http or https address.")
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
                    raise ReplayError(f"No answer from the instance: {error!r}.") from error
                delay = min(0.1 * 2 ** (tries - 1), 5)
            else:
                if answer.status in {401, 403}:
                    raise ReplayError(f"The key is not accepted: {answer.text()}.")
                if not _is_passing(answer) or tries == TRIES_MAX:
                    return answer
                delay = _retry_after(response.getheader("Retry-After"))
            self._tally.retried()
            time.sleep(delay)
        raise AssertionError("unreachable: the last try returns or raises")


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _is_passing(answer: Answer) -> bool:
    """Tell whether the instance asks to be asked again later."""
    return answer.status in {429, 503} or answer.code == "idempotency_in_progress"


def _retry_after(value: str | None) -> float:
    # The contract sends seconds; anything else (a proxy's date) is met with a second's patience.
    if value is None or not value.isdecimal():
        return 1
    return min(int(value), WAIT_SECONDS_MAX)
