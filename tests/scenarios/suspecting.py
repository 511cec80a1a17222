"""Friends who may be the advocate themselves: what they are seen with, and what is held of it."""

from typing import Any

from tests.scenarios.attributing import code_of, sign_up
from tests.world import World

START = "2026-01-01T00:00:00Z"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{}.0 Safari/537.36"
HOME = {"ip": "203.0.113.9", "user_agent": CHROME.format(120)}
#: Another address of the same network; the same browser, some versions later.
NEXT_DOOR = {"ip": "203.0.113.77"}
SAME_HOME = NEXT_DOOR | {"user_agent": CHROME.format(131)}


def befriend(world: World, ref: str, *, by: str = "mina", **fields: Any) -> Any:
    """Somebody signs up by an advocate's code."""
    return sign_up(world, ref, {"code": code_of(world, by)}, **fields)


def buy(world: World, ref: str, minor: int = 10_000, *, at: str, **more: Any) -> Any:
    """A member's order, referenced as they are."""
    return world.order(f"O-{ref}", minor, member_ref=ref, placed_at=at, **more)


def find(world: World, friend: str) -> Any:
    """A friend's referral, as staff sees it."""
    [found] = world.get(f"/referrals?friend={friend}")["data"]
    return world.get(f"/referrals/{found['id']}")


def decide(world: World, friend: str, action: str, *, by: str | None = "Ada", **body: Any) -> Any:
    """A reviewer's decision; the response."""
    [found] = world.get(f"/referrals?friend={friend}")["data"]
    number = world.get(f"/referrals/{found['id']}")["transitions"][-1]["number"]
    headers = {"Idempotency-Key": f"{friend}-{action}-{number}-{by}"}
    if by is not None:
        headers["Dangol-Actor"] = by
    path = f"/referrals/{found['id']}/{action}"
    return world.call("POST", path, {"reason": "looked into"} | body, headers=headers)


def decided(world: World, friend: str, action: str, **more: Any) -> Any:
    """The referral after a decision that must be possible."""
    answer = decide(world, friend, action, **more)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json["referral"]


def state(referral: Any) -> tuple[str, str | None]:
    """State and reason of a referral as staff sees it."""
    return referral["state"], referral["reason"]


def weights(referral: Any) -> dict[str, int]:
    """What each signal weighed."""
    return {one["signal"]: one["weight_bp"] for one in referral["signals"]}


def sides(referral: Any) -> dict[str, str]:
    """The state of each side."""
    return {one["side"]: one["state"] for one in referral["sides"]}
