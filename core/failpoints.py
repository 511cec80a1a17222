"""Failpoints: named places at which a test lets a process die as `kill -9` would kill it.

`CRASH_AT=name` kills this process the first time it reaches `name`, `CRASH_AT=name:3` the third
time. Without it `reach` is one comparison. Production refuses to start with it.
"""

import itertools
import os
import signal

import config

#: Every place there is, so that the tests can hold that each of them has one.
NAMES = (
    "db.before_commit",
    "db.after_commit",
    "http.before_answer",
    "jobs.after_claim",
    "jobs.before_done",
    "webhooks.before_send",
    "webhooks.after_send",
)

_name, _time = config.crash_at(os.environ)
_times = itertools.count(1)
if _name and _name not in NAMES:
    raise config.SettingsError(f"CRASH_AT names no failpoint; there are {', '.join(NAMES)}.")


def reach(name: str) -> None:
    """Die here if `CRASH_AT` says so: without cleaning up, flushing or answering anything."""
    if _name == name and next(_times) == _time:
        os.kill(os.getpid(), signal.SIGKILL)
