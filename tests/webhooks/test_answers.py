"""What a receiver may answer and what counts as an answer."""

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.webhooks.conftest import Hooks
from tests.webhooks.receiver import Receiver

MakeReceiver = Callable[..., Receiver]


def test_no_answer_in_time_is_a_failure_and_the_endpoint_rests(
    hooks: Hooks, receiver: Receiver, outgoing: Callable[..., None]
) -> None:
    outgoing(timeout=1)
    receiver.released.clear()
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    [attempt] = hooks.one()["attempts"]
    assert (attempt["status"], attempt["error"]) == (None, "no answer within 1 s")
    assert 1000 <= attempt["duration_ms"] < 3000
    receiver.released.set()
    hooks.tell()
    hooks.run()
    assert len(receiver.got) == 1
    hooks.deliver(seconds=10)
    assert len(set(receiver.ids)) == 2
    assert {one["state"] for one in hooks.log()} == {"delivered"}


def test_an_answer_that_drips_ends_at_the_deadline(
    hooks: Hooks, receiver: Receiver, outgoing: Callable[..., None]
) -> None:
    outgoing(timeout=1)

    def drip(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.1)

    receiver.raw = drip
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    [attempt] = hooks.one()["attempts"]
    assert attempt["error"] == "no answer within 1 s"
    assert attempt["duration_ms"] < 3000


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (b"", "RemoteDisconnected"),
        (b"SSH-2.0-OpenSSH\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "LineTooLong"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, "HTTPException"),
    ],
)
def test_an_answer_that_is_no_http_is_a_failure(
    hooks: Hooks, receiver: Receiver, wire: bytes, error: str
) -> None:
    receiver.raw = lambda handler: handler.wfile.write(wire)
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    delivery = hooks.one()
    assert delivery["state"] == "pending"
    assert error in delivery["attempts"][0]["error"]


def test_a_long_answer_is_not_read_to_its_end(hooks: Hooks, receiver: Receiver) -> None:
    written = 0

    def pour(handler: Any) -> None:
        nonlocal written
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        with contextlib.suppress(OSError):
            while written < 100_000_000:
                written += handler.wfile.write(b"a\x00" * 32_768)

    receiver.raw = pour
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    delivery = hooks.one()
    assert delivery["state"] == "delivered"
    [attempt] = delivery["attempts"]
    assert attempt["response"] == "a\ufffd" * 512
    assert attempt["error"] == "the answer is longer than 16384 bytes; the rest was not read"
    # Socket buffers take some megabytes, not a gigabyte.
    assert written < 30_000_000


def test_a_body_that_breaks_off_does_not_undo_the_status(hooks: Hooks, receiver: Receiver) -> None:
    receiver.raw = lambda handler: handler.wfile.write(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
    )
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    delivery = hooks.one()
    assert (delivery["state"], delivery["attempts"][0]["error"]) == (
        "delivered",
        "the answer broke off",
    )


def test_nobody_listening_is_a_failure(hooks: Hooks) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        hooks.endpoint(f"http://127.0.0.1:{bound.getsockname()[1]}/")
    hooks.tell()
    hooks.run()
    [attempt] = hooks.one()["attempts"]
    assert attempt["error"] == "the connection failed (ConnectionRefusedError)"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(hooks: Hooks, receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {}, b"")]
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    assert hooks.one()["state"] == "delivered"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(
    hooks: Hooks, make_receiver: MakeReceiver, status: int
) -> None:
    first, second = make_receiver(), make_receiver()
    first.answers = [(status, {"Location": second.url}, b"")]
    hooks.endpoint(first.url)
    hooks.tell()
    hooks.run()
    delivery = hooks.one()
    assert (delivery["state"], delivery["attempts"][0]["status"]) == ("pending", status)
    assert delivery["attempts"][0]["error"] == "redirects are not followed"
    assert (len(first.got), len(second.got)) == (1, 0)


@pytest.mark.parametrize("status", [304, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_a_failure(hooks: Hooks, receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {}, b"")]
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.run()
    assert hooks.one()["state"] == "pending"


def test_an_answer_that_comes_after_an_erasure_is_not_kept(
    hooks: Hooks, receiver: Receiver
) -> None:
    hooks.endpoint(receiver.url, "member.created")
    receiver.answers = [(200, {}, b"hello mina")]
    for ref in ("mina", "jun"):
        hooks.world.member(ref)
    receiver.raw = erase_first(hooks, "mina")
    hooks.run()
    kept = {one["attempts"][0]["response"] for one in hooks.log()}
    assert kept == {None, "hello"}
    # A replay's answer is stored, so it does not repeat what a receiver said.
    for one in hooks.log():
        answer = hooks.world.post(f"/webhook-deliveries/{one['id']}/replay", status=202)
        assert [attempt["response"] for attempt in answer["attempts"]] == [None]


def erase_first(hooks: Hooks, ref: str) -> Callable[[Any], None]:
    """A receiver that lets a member be erased before it answers."""

    def answer(handler: Any) -> None:
        hooks.world.call("DELETE", f"/members/{ref}")
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    return answer
