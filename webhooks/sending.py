"""Outgoing HTTP: the one place from which Dangol calls others.

Owns one attempt: check the address, connect to exactly what was checked, send, read a bounded
answer. Refuses redirects, environment proxies, and answers that drip: one deadline holds from
connecting to the end. Raises nothing; whatever goes wrong is an outcome.
"""

import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from http.client import (  # noqa: TID251 (this is the one home of outgoing HTTP)
    HTTPConnection,
    HTTPException,
    HTTPResponse,
)

from typing_extensions import Buffer

from config import Settings
from core import clock
from webhooks import addresses
from webhooks.addresses import AddressError, Network, Resolve, Target

#: What is read of an answer, and what of it is kept in the log.
ANSWER_MAX = 16 * 1024
KEPT_MAX = 1024
_RETRY_AFTER_MAX = 24 * 3600


@dataclass(frozen=True)
class Outgoing:
    """How this instance calls out. Tests bring their own resolver and certificates."""

    allowed: tuple[Network, ...] = ()
    timeout: int = 15
    threads: int = 32
    resolve: Resolve = addresses.resolve
    make_context: Callable[[], ssl.SSLContext] = field(default=ssl.create_default_context)

    @classmethod
    def of(cls, settings: Settings) -> "Outgoing":
        """As the settings say."""
        return cls(
            allowed=tuple(ipaddress.ip_network(one) for one in settings.webhook_allowed_cidrs),
            timeout=settings.webhook_timeout_seconds,
            threads=settings.webhook_threads,
        )

    @cached_property
    def context(self) -> ssl.SSLContext:
        """TLS as it is checked: certificate and host name."""
        return self.make_context()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: a status, or why there is none."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    response: str | None = None
    retry_after: int | None = None
    is_timeout: bool = False

    @property
    def is_success(self) -> bool:
        """2xx, nothing else."""
        return self.status is not None and 200 <= self.status < 300


class _Deadline:
    """Seconds that are left of an attempt."""

    def __init__(self, seconds: int) -> None:
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """What is left; TimeoutError when nothing is."""
        seconds = self._ends - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


class _Received(io.RawIOBase):
    """The bytes of a socket under the deadline: each wait gets what is left, not a fresh time."""

    def __init__(self, connected: socket.socket, deadline: _Deadline) -> None:
        self._connected, self._deadline = connected, deadline

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Receive what has come."""
        self._connected.settimeout(self._deadline.left())
        return self._connected.recv_into(buffer)


class _Wire:
    """What `http.client` needs of a socket, under the deadline."""

    def __init__(self, connected: socket.socket, deadline: _Deadline) -> None:
        self._connected, self._deadline = connected, deadline

    def sendall(self, data: bytes) -> None:
        self._connected.settimeout(self._deadline.left())
        self._connected.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Received(self._connected, self._deadline))

    def close(self) -> None:
        """Nothing: the answer is still being read when `http.client` is done with the socket."""


def post(url: str, body: bytes, *, headers: Mapping[str, str], outgoing: Outgoing) -> Outcome:
    """POST a body once. No redirect is followed: a 3xx is an outcome like any other."""
    began, deadline = time.monotonic(), _Deadline(outgoing.timeout)

    def ended(**found: object) -> Outcome:
        return Outcome(int((time.monotonic() - began) * 1000), **found)  # type: ignore[arg-type]

    try:
        target = addresses.parse(url, outgoing.allowed)
        checked = addresses.choose(target, allowed=outgoing.allowed, resolve=outgoing.resolve)
        connected = _connect(target, checked, deadline=deadline, outgoing=outgoing)
        try:
            response = _exchange(target, _Wire(connected, deadline), body, headers=headers)
            kept, complaint = _read(response)
        finally:
            connected.close()
    except AddressError as error:
        return ended(error=f"the address {error}")
    except TimeoutError:
        return ended(error=f"no answer within {outgoing.timeout} s", is_timeout=True)
    except ssl.SSLCertVerificationError as error:
        return ended(error=f"TLS: {error.verify_message}"[:200])
    except ssl.SSLError as error:
        return ended(error=f"TLS: {error.reason}"[:200])
    except HTTPException as error:
        return ended(error=f"the answer is no HTTP ({type(error).__name__})")
    except OSError as error:
        return ended(error=f"the connection failed ({type(error).__name__})")
    return ended(
        status=response.status,
        error=complaint,
        response=kept[:KEPT_MAX].decode("utf-8", "replace").replace("\x00", "\ufffd"),
        retry_after=_retry_after(response.headers.get("Retry-After")),
    )


def _read(response: HTTPResponse) -> tuple[bytes, str | None]:
    """What is read of the answer's body, and what is wrong with the answer.

    The status has been told by then: a body that breaks off does not take it back.
    """
    kept, complaint = bytearray(), None
    try:
        while len(kept) <= ANSWER_MAX and (part := response.read1(ANSWER_MAX + 1 - len(kept))):
            kept += part
        if len(kept) > ANSWER_MAX:
            complaint = f"the answer is longer than {ANSWER_MAX} bytes; the rest was not read"
    except (OSError, HTTPException):
        complaint = "the answer broke off"
    if 300 <= response.status < 400:
        complaint = "redirects are not followed"
    return bytes(kept), complaint


def _connect(
    target: Target, checked: Sequence[str], *, deadline: _Deadline, outgoing: Outgoing
) -> socket.socket:
    """A connection to one of the checked addresses; TLS is for the name, not for the address."""
    failed: OSError = ConnectionError("no address answers")
    for place, address in enumerate(checked):
        # One that swallows packets leaves time for those behind it.
        share = deadline.left() / (len(checked) - place)
        try:
            connected = socket.create_connection((address, target.port), timeout=share)
        except OSError as error:
            failed = error
            continue
        if not target.is_tls:
            return connected
        try:
            connected.settimeout(deadline.left())
            return outgoing.context.wrap_socket(connected, server_hostname=target.host)
        except BaseException:
            connected.close()
            raise
    raise failed


def _exchange(
    target: Target, wire: _Wire, body: bytes, *, headers: Mapping[str, str]
) -> HTTPResponse:
    # It connects nowhere by itself: its socket is given.
    connection = HTTPConnection(target.host, target.port)
    connection.auto_open = 0
    connection.sock = wire
    connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
    sent = {
        "Host": target.host_header,
        "User-Agent": "Dangol-Webhooks/1",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    for name, value in {**sent, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    return connection.getresponse()


def _retry_after(text: str | None) -> int | None:
    """Seconds that the receiver asks us to wait, at most a day; None when it says none."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return min(int(text), _RETRY_AFTER_MAX)
    try:
        until = clock.from_datetime(parsedate_to_datetime(text))
    except (TypeError, ValueError):
        return None
    seconds = -((clock.system_now() - until) // clock.SECOND)
    return min(max(seconds, 0), _RETRY_AFTER_MAX)
