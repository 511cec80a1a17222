"""The balances served against a computation that knows nothing of this application.

Owns running that computation (a development tool, in a process of its own) and naming where the
two differ. Refuses to compute a single point.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from server.replay.dataset import RefundChoice, member_ref
from server.replay.driver import PassReport
from server.replay.errors import ReplayError
from server.replay.instance import ROOT

MODULE: Final = "tests.independent.complete_journey"
SHOWN_MAX: Final = 5


class DiffersError(ReplayError):
    """The balances served are not those computed independently."""


class IndependentCheck:
    """What every member must hold, before and after the refunds; made before the replay."""

    def __init__(self, weeks: int | None, refund: RefundChoice | None) -> None:
        self._expected = {0: _computed(weeks, RefundChoice(0, 0))}
        if refund is not None:
            self._expected[refund.share_bp] = _computed(weeks, refund)

    def __call__(self, report: PassReport) -> None:
        """Compare a pass with what was computed; DiffersError when they disagree."""
        compare(report, self._expected[report.refund_bp])


def compare(report: PassReport, expected: Mapping[str, int]) -> None:
    """Raise DiffersError, naming the first members, unless the balances are those expected."""
    served = report.balances
    differing = [
        ref
        for ref in sorted(served.keys() | expected.keys(), key=lambda it: (len(it), it))
        if served.get(ref) != expected.get(ref)
    ]
    if not differing:
        return
    rows = [
        f"  {ref}: served {_shown(served.get(ref))}, expected {_shown(expected.get(ref))}"
        for ref in differing[:SHOWN_MAX]
    ]
    raise DiffersError(
        f"After {report.name!r}, {len(differing)} of {len(expected)} members differ from the "
        "independent computation. The first:\n" + "\n".join(rows)
    )


def _shown(points: int | None) -> str:
    return "nothing" if points is None else str(points)


def _computed(weeks: int | None, refund: RefundChoice) -> dict[str, int]:
    command = [sys.executable, "-m", MODULE, "--json"]
    command += ["--refund-seed", str(refund.seed), "--refund-bp", str(refund.share_bp)]
    if weeks is not None:
        command += ["--weeks", str(weeks)]
    # Our own module with our own numbers.
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise ReplayError(
            f"The independent computation ({MODULE}) failed: {last[0]} "
            "It is a development tool: run `make setup`."
        )
    return {member_ref(int(household)): points for household, points in _pairs(done.stdout)}


def _pairs(text: str) -> list[tuple[str, int]]:
    return list(json.loads(text).items())
