"""The worker: what is due is done here, outside of requests.

Has no handler yet: messages wait in the outbox until delivery exists.
"""

import signal
import threading


def run(*, once: bool) -> None:
    """Do what is due; with `once` return when nothing is, otherwise wait for SIGTERM."""
    if once:
        return
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
