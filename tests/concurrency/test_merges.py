"""Merging while both members order, and while somebody merges them the other way round."""

import threading
from collections.abc import Callable
from typing import Any

from tests.scenarios.soundness import assert_sound
from tests.world import World, order


def test_merging_against_orders_and_against_the_reverse(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.member("mina")
    world.member("jun")
    ids_of = {ref: world.get(f"/members/{ref}")["id"] for ref in ("mina", "jun")}
    for number in range(6):
        world.order(f"A-{number}", 10000, member_ref=("mina", "jun")[number % 2])
    start = threading.Barrier(14)
    answers: list[Any] = []

    def send(method: str, path: str, body: Any, key: str) -> None:
        start.wait(30)
        answers.append(world.call(method, path, body, headers={"Idempotency-Key": key}))

    works: list[tuple[str, str, Any, str]] = [
        ("POST", f"/members/{old}/merge", {"into_member_ref": into}, f"{old}-{number}")
        for number in range(2)
        for old, into in (("jun", "mina"), ("mina", "jun"))
    ]
    for number in range(10):
        # New orders of either, larger ones of those there are, and some that change hands.
        ref = f"A-{number}"
        owner = ("mina", "jun")[(number // 3) % 2]
        works.append(("PUT", f"/orders/{ref}", order(20000, member_ref=owner), ref))
    threads = [threading.Thread(target=send, args=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    statuses = sorted(answer.status_code for answer in answers)
    assert len(statuses) == 14 and statuses[-1] <= 409, [a.get_data(as_text=True) for a in answers]
    assert [status for status in statuses if status not in (200, 201)] == [409, 409]
    assert world.get("/members/mina")["id"] == world.get("/members/jun")["id"]
    assert world.balance() == 10 * 200
    for ref in ids_of.values():
        assert_sound(world, ref)


def test_the_same_file_sent_by_four_at_once_is_posted_once(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    members = [
        {
            "member_ref": f"m-{number}",
            "is_history": True,
            "email": f"m{number}@example.com",
            "opening": {
                "lots": [
                    {"points": 10, "earned_at": "2025-06-01T00:00:00Z", "expires_at": None},
                    {"points": 5, "earned_at": "2025-07-01T00:00:00Z", "expires_at": None},
                ],
                "lifetime_earned": 100,
            },
        }
        for number in range(120)
    ]
    start = threading.Barrier(4)
    answers: list[Any] = []

    def send(part: list[dict[str, Any]]) -> None:
        start.wait(30)
        answers.append(world.call("POST", "/members/batch", {"members": part}))

    threads = [threading.Thread(target=send, args=(members[::way],)) for way in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    results = [one for answer in answers for one in answer.json["results"]]
    assert sorted(one["status"] for one in results) == [200] * 360 + [201] * 120
    for number in (0, 57, 119):
        [balance] = world.get(f"/members/m-{number}/balances")["data"]
        assert (balance["available"], balance["lifetime_earned"]) == (15, 100)
    assert world.verify()["mismatches"] == []


def test_merging_against_transfers_between_the_two(make_world: Callable[..., World]) -> None:
    """Whoever gives to a member who is being merged gives to whom that becomes, or not at all."""
    for _ in range(6):
        world = make_world()
        for ref in ("mina", "jun"):
            world.member(ref)
            world.order(f"A-{ref}", 10000, member_ref=ref)
        start = threading.Barrier(3)
        answers: list[Any] = []

        def send(
            path: str, body: Any, *, to: World = world, ready: threading.Barrier = start
        ) -> None:
            ready.wait(30)
            headers = {"Idempotency-Key": f"{path}-{body.get('to_member_ref')}"}
            answers.append(to.call("POST", path, body, headers=headers))  # noqa: B023

        gifts = [
            ("/transfers", {"from_member_ref": source, "to_member_ref": target, "points": 5})
            for source, target in (("mina", "jun"), ("jun", "mina"))
        ]
        works = [("/members/mina/merge", {"into_member_ref": "jun"}), *gifts]
        threads = [threading.Thread(target=send, args=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        found = {answer.status_code for answer in answers}
        assert found <= {200, 201, 422}, [a.get_data(as_text=True) for a in answers]
        assert world.balance("jun") == 200
        assert world.verify()["mismatches"] == []
