"""Any number of workers at once, and no receiver waits for another."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from core import clock
from server.app import create_app
from tests.webhooks.conftest import Hooks
from tests.webhooks.receiver import Receiver
from tests.world import World
from webhooks import deliveries, parcels

MakeReceiver = Callable[..., Receiver]


def test_a_slow_receiver_delays_nobody_else(
    hooks: Hooks, make_receiver: MakeReceiver, outgoing: Callable[..., None]
) -> None:
    slow, quick = make_receiver(), make_receiver()
    slow.released.clear()
    outgoing(timeout=4, threads=6)
    for receiver in (slow, quick):
        hooks.endpoint(receiver.url)
    for _ in range(30):
        hooks.tell()
    began = time.monotonic()
    while len(quick.got) < 30 and time.monotonic() - began < 4:
        hooks.dispatch()
        with hooks.app.app_context():
            deliveries.deliver_due(clock.system_now())
    assert len(set(quick.ids)) == 30, "the quick one waited for the slow one"
    # At most two hang at once.
    assert len(slow.got) <= 2
    slow.released.set()
    hooks.deliver()


def test_many_slow_receivers_leave_threads_to_the_others(
    hooks: Hooks, make_receiver: MakeReceiver, outgoing: Callable[..., None]
) -> None:
    """Once they are known to fail, they share half of the threads."""
    slow, quick = make_receiver(), make_receiver()
    slow.released.clear()
    outgoing(timeout=1, threads=6)
    for _ in range(8):
        endpoint = hooks.endpoint(slow.url)
        hooks.set_endpoint(endpoint, failing_since=clock.system_now(), failure_count=1)
    for _ in range(10):
        hooks.tell()
    hooks.dispatch()
    hooks.endpoint(quick.url)
    for _ in range(10):
        hooks.tell()
    hooks.dispatch()
    with hooks.app.app_context():
        deliveries.deliver_due(clock.system_now())
    assert len(set(quick.ids)) == 10
    # Three at once, each for a second.
    assert len(slow.got) <= 6
    slow.released.set()
    hooks.deliver(seconds=120)
    assert len(set(slow.ids)) == 20


def test_several_workers_send_each_message_once(
    app: Flask, hooks: Hooks, receiver: Receiver
) -> None:
    hooks.endpoint(receiver.url)
    for _ in range(60):
        hooks.tell()
    settings = app.extensions["dangol.settings"]
    workers = [create_app(settings) for _ in range(3)]
    barrier = threading.Barrier(len(workers))
    failed: list[BaseException] = []

    def work(worker: Flask) -> None:
        worker.extensions["dangol.outgoing"] = app.extensions["dangol.outgoing"]
        barrier.wait()
        try:
            with worker.app_context():
                while deliveries.dispatch_due(clock.system_now()):
                    pass
                while deliveries.deliver_due(clock.system_now()):
                    pass
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for worker in workers:
        with worker.app_context():
            from core.db import db

            db.engine.dispose()
    assert failed == []
    assert sorted(receiver.ids) == sorted(set(receiver.ids))
    assert len(receiver.ids) == 60
    assert all(len(one["attempts"]) == 1 for one in hooks.log("?limit=100"))


def test_what_a_dead_worker_had_leased_is_sent_when_the_lease_has_run_out(
    hooks: Hooks, receiver: Receiver
) -> None:
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.dispatch()
    until = clock.system_now() + parcels.LEASE_SECONDS * clock.SECOND
    hooks.set_delivery(leased_until=until)
    hooks.run()
    assert receiver.got == []
    hooks.deliver(seconds=parcels.LEASE_SECONDS + 1)
    assert len(receiver.got) == 1
    assert hooks.one()["state"] == "delivered"


def test_a_failure_after_the_lease_ran_out_changes_nothing_of_the_next_owner(
    hooks: Hooks, receiver: Receiver
) -> None:
    receiver.answers = [(500, {}, b"")]
    receiver.released.clear()
    hooks.endpoint(receiver.url)
    hooks.tell()
    hooks.dispatch()
    with hooks.app.app_context():
        deliveries.deliver_due(clock.system_now())
    theirs = clock.system_now() + parcels.LEASE_SECONDS * clock.SECOND
    hooks.set_delivery(leased_until=theirs)
    receiver.released.set()
    hooks.deliver()
    delivery = hooks.one()
    assert (delivery["state"], len(delivery["attempts"])) == ("pending", 1)
    hooks.run()
    assert len(receiver.got) == 1


def test_a_test_programs_clock_does_not_move_the_retries(hooks: Hooks, receiver: Receiver) -> None:
    receiver.answers = [(500, {}, b"")]
    hooks.endpoint(receiver.url)
    hooks.world.set_clock("2031-01-01T00:00:00Z")
    hooks.tell()
    hooks.run()
    hooks.world.set_clock("2032-01-01T00:00:00Z")
    hooks.run()
    assert len(receiver.got) == 1
    delivery = hooks.one()
    assert abs(clock.parse_instant(delivery["next_at"]) - clock.system_now()) < 60 * clock.SECOND


def test_an_outbox_longer_than_a_batch_is_dispatched_whole_and_each_program_in_turn(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "DISPATCHED_AT_ONCE", 7)
    hooks.endpoint(receiver.url)
    for _ in range(20):
        hooks.tell()
    counts = []
    while count := hooks.dispatch():
        counts.append(count)
    assert counts == [7, 7, 6]
    assert len(hooks.log("?limit=100")) == 20
    hooks.deliver()
    assert len(set(receiver.ids)) == 20


def test_receivers_that_answer_late_share_half_of_the_threads(
    hooks: Hooks, make_receiver: MakeReceiver, outgoing: Callable[..., None]
) -> None:
    late, quick = make_receiver(), make_receiver()
    outgoing(threads=6)
    lock, now_at, peaks = threading.Lock(), 0, [0]

    def answer(handler: Any) -> None:
        nonlocal now_at
        with lock:
            now_at += 1
            peaks.append(now_at)
        time.sleep(1.1)
        with lock:
            now_at -= 1
        handler.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    late.raw = answer
    for _ in range(8):
        hooks.endpoint(late.url)
    hooks.tell()
    hooks.run()
    # Unknown as they were, they had every thread; nothing of it was a failure.
    assert max(peaks) > 3
    assert {one["state"] for one in hooks.log()} == {"delivered"}
    peaks.clear()
    for _ in range(3):
        hooks.tell()
    hooks.endpoint(quick.url)
    for _ in range(10):
        hooks.tell()
    hooks.dispatch()
    with hooks.app.app_context():
        deliveries.deliver_due(clock.system_now())
    assert len(set(quick.ids)) == 10
    assert max(peaks) <= 3
    # One that answers in time again is like any other.
    late.raw = None
    hooks.deliver()
    hooks.deliver()
    slow = hooks.app.extensions["dangol.sender"].slow
    assert not any(program_id == hooks.program_id for program_id, _ in slow)
    assert len(set(late.ids)) == 14


def test_a_program_has_a_quarter_of_the_threads_while_others_wait(
    hooks: Hooks,
    make_world: Callable[..., World],
    make_receiver: MakeReceiver,
    outgoing: Callable[..., None],
) -> None:
    slow, quick, other = make_receiver(), make_receiver(), Hooks(make_world())
    other.run()
    outgoing(timeout=4, threads=8)
    slow.released.clear()
    for _ in range(8):
        hooks.endpoint(slow.url)
    theirs = [other.endpoint(quick.url) for _ in range(4)]
    for one in (hooks, other):
        for _ in range(5):
            one.tell()
    hooks.dispatch()
    hooks.app.extensions["dangol.sender"].last = (b"", b"")
    # A call is enough where the machine has nothing else to do; the slow hold on for four seconds.
    ends_at = time.monotonic() + 3.5
    with hooks.app.app_context():
        while len(quick.got) < 20 and time.monotonic() < ends_at:
            deliveries.deliver_due(clock.system_now())
    assert len(quick.got) == 20, "a program waited for another"
    # What was left over was not left idle.
    assert len(slow.got) > 2
    slow.released.set()
    hooks.deliver()
    for endpoint in theirs:
        other.world.call("DELETE", f"/webhook-endpoints/{endpoint['id']}")
