"""The check of segments, and of every condition that names them."""

from collections.abc import Iterator
from typing import Any

from programs import triggers
from programs.checking.findings import Findings
from programs.segments import SEGMENTS
from rules import conditions


def check_segments(found: Findings, document: dict[str, Any]) -> None:
    """The segments, and who asks for segments that there are none of."""
    segments = document.get("segments") or []
    for index, segment in enumerate(segments):
        at = f"/segments/{index}/when"
        for one in conditions.check(
            segment.get("when"), catalogue=triggers.segment_facts(), pointer=at
        ):
            is_own = one.code == "unknown_fact" and SEGMENTS in one.detail
            told = "No segment can ask which segments a member belongs to; repeat its condition."
            found.error(one.pointer, told if is_own else one.detail, one.code)
    keys = {segment["key"] for segment in segments}
    for pointer, key in _named(document, ""):
        if key not in keys:
            known = ", ".join(sorted(keys)) or "none"
            found.error(pointer, f"is none of the segments: {known}", "unknown_segment")


def _named(part: Any, at: str) -> Iterator[tuple[str, str]]:
    """Every key of a segment that some condition of the document compares with, and where."""
    if isinstance(part, list):
        for index, one in enumerate(part):
            yield from _named(one, f"{at}/{index}")
    elif isinstance(part, dict):
        if part.get("fact") == SEGMENTS:
            yield from _compared(part.get("value"), f"{at}/value")
            return
        for name, one in part.items():
            if at or name != "segments":
                yield from _named(one, f"{at}/{name}")


def _compared(value: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, list):
        yield from ((f"{at}/{i}", one) for i, one in enumerate(value) if isinstance(one, str))
