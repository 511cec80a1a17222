"""Owns the load: keep-alive HTTP/1.1 clients in one thread that cost little CPU themselves.

On a small machine every microsecond of the clients is taken from what they measure, so requests
are bytes built beforehand, the answer's head is searched instead of parsed, and one poll
serves all connections. Each client has one request in flight: a slow server is asked less often.
Refuses pipelining, chunked answers, TLS and redirects.
"""

import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.processes import BenchError

CLIENTS = 8
SILENCE_MAX_S = 30.0
_RECEIVE_BYTES = 32_768
_SAMPLES_MAX = 3


@dataclass(slots=True)
class Load:
    """What a run of requests came to."""

    seconds: float = 0.0
    latencies_ns: list[int] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    client_cpu_s: float = 0.0
    expected: frozenset[int] = frozenset({200})

    @property
    def count(self) -> int:
        """How many requests were answered."""
        return len(self.latencies_ns)

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.count / self.seconds if self.seconds else 0.0

    @property
    def client_cpu_us(self) -> float:
        """CPU microseconds that the load generator itself took for each request."""
        return self.client_cpu_s * 1e6 / self.count if self.count else 0.0

    def percentile_ms(self, percent: int) -> float:
        """A latency in milliseconds, by the nearest rank."""
        if not self.latencies_ns:
            return 0.0
        ordered = sorted(self.latencies_ns)
        rank = max(1, -(-percent * len(ordered) // 100))
        return ordered[rank - 1] / 1e6


class _Client:
    """One connection: when its request left, and what has come of a long answer so far."""

    __slots__ = ("partial", "sent_at_ns", "sock")

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Socket timeouts of Python cost one more system call per read, those of the kernel none.
        limit = struct.pack("@ll", int(SILENCE_MAX_S), 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self.partial: bytearray | None = None
        self.sent_at_ns = 0


def drive(
    address: tuple[str, int],
    requests: Iterator[bytes],
    *,
    seconds: float,
    clients: int = CLIENTS,
    expected: frozenset[int] = frozenset({200}),
    keep_bodies: bool = False,
) -> Load:
    """Send the requests as fast as the clients get their answers, until time or requests end."""
    load = Load(expected=expected)
    connections: list[_Client] = []
    try:
        connections += [_Client(address) for _ in range(clients)]
        cpu_before = time.process_time()
        started = time.perf_counter_ns()
        _exchange(
            connections,
            requests,
            load=load,
            until_ns=started + int(seconds * 1e9),
            keep_bodies=keep_bodies,
        )
        load.seconds = (time.perf_counter_ns() - started) / 1e9
        load.client_cpu_s = time.process_time() - cpu_before
    except OSError as error:
        raise BenchError(f"a connection broke in the middle of a run: {error}") from error
    finally:
        for client in connections:
            client.sock.close()
    return load


def _exchange(
    connections: list[_Client],
    requests: Iterator[bytes],
    *,
    load: Load,
    until_ns: int,
    keep_bodies: bool,
) -> None:
    """The loop itself; kept in one function because a call costs as much as its work."""
    clock = time.perf_counter_ns
    latencies, statuses, expected = load.latencies_ns, load.statuses, load.expected
    poll = select.poll()
    by_descriptor = {client.sock.fileno(): client for client in connections}
    busy = 0
    for descriptor, client in by_descriptor.items():
        poll.register(descriptor, select.POLLIN)
        busy += _send_next(client, requests)
    while busy:
        ready = poll.poll(SILENCE_MAX_S * 1000)
        if not ready:
            raise BenchError(f"the server was silent for {SILENCE_MAX_S:.0f} seconds")
        for descriptor, _ in ready:
            client = by_descriptor[descriptor]
            data: bytes | bytearray = client.sock.recv(_RECEIVE_BYTES)
            if not data:
                raise BenchError("the server closed a connection in the middle of a run")
            if client.partial is not None:
                client.partial += data
                data = client.partial
            head_end = data.find(b"\r\n\r\n")
            if head_end < 0 or len(data) < head_end + 4 + _content_length(data, head_end):
                if client.partial is None:
                    client.partial = bytearray(data)
                continue
            now = clock()
            latencies.append(now - client.sent_at_ns)
            status = int(data[9:12])
            statuses[status] += 1
            if status not in expected and len(load.unexpected) < _SAMPLES_MAX:
                load.unexpected.append(bytes(data[:2000]).decode("utf-8", "replace"))
            if keep_bodies:
                load.bodies.append(bytes(data[head_end + 4 :]))
            client.partial = None
            if now >= until_ns or not _send_next(client, requests):
                busy -= 1


def _send_next(client: _Client, requests: Iterator[bytes]) -> bool:
    """Send one more request on the connection; false when there are none left."""
    request = next(requests, None)
    if request is None:
        return False
    client.sent_at_ns = time.perf_counter_ns()
    client.sock.sendall(request)
    return True


def _content_length(data: bytes | bytearray, head_end: int) -> int:
    """The announced length of the body; the servers measured here spell the header lower-case."""
    at = data.find(b"content-length: ", 0, head_end)
    if at >= 0:
        return int(data[at + 16 : data.find(b"\r", at)])
    for line in bytes(data[:head_end]).split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    if data[9:12] in (b"204", b"304"):
        return 0
    raise BenchError(f"an answer without Content-Length: {bytes(data[:head_end])!r}")
