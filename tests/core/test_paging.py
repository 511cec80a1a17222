"""Lists in pages: each row once, in order, whatever the size of a page and whoever adds rows."""

from typing import Any

import pytest

from tests.world import World, rule


def walk(world: World, path: str, limit: int) -> tuple[list[Any], list[int]]:
    """Every row by following the cursors, and the size of each page."""
    found: list[Any] = []
    sizes: list[int] = []
    cursor = None
    while True:
        joint = "&" if "?" in path else "?"
        more = f"&cursor={cursor}" if cursor else ""
        page = world.get(f"{path}{joint}limit={limit}{more}")
        assert set(page) == {"data", "next_cursor"}
        found += page["data"]
        sizes.append(len(page["data"]))
        cursor = page["next_cursor"]
        if cursor is None:
            return found, sizes
        assert len(sizes) < 50


@pytest.fixture
def stocked(make_world: Any) -> World:
    """Six members, six entries of Mina's in two kinds of points, four versions and five keys."""
    world: World = make_world(
        points=[{"key": "points"}, {"key": "stars"}],
        earning={
            "rules": [
                rule("base", {"do": "points_per_amount", "points": 1, "per_minor": 100}),
                rule("star", {"do": "add_points", "points": 1, "points_key": "stars"}),
            ]
        },
    )
    for ref in ("mina", "jun", "ara", "bo", "chul", "dae"):
        world.member(ref)
    for number in range(3):
        world.order(f"A-{number}", 1000)
    for number in range(3):
        world.post(f"/program/versions/{number + 1}/restore")
        world.post("/keys", {"name": f"till {number}"}, status=201)
    return world


@pytest.mark.parametrize(
    ("path", "name", "count"),
    [
        ("/members", "id", 6),
        ("/members?tier=none", "id", 6),
        ("/members/mina/entries", "id", 6),
        ("/members/mina/entries?points_key=stars", "id", 3),
        ("/program/versions", "version", 4),
        ("/keys", "id", 5),
    ],
)
def test_pages_of_any_size_hold_each_row_once_and_in_order(
    stocked: World, path: str, name: str, count: int
) -> None:
    whole = stocked.get(path)
    assert whole["next_cursor"] is None
    shown = [one[name] for one in whole["data"]]
    assert len(shown) == len(set(shown)) == count
    for limit in (1, 2, count - 1, count, 100):
        found, sizes = walk(stocked, path, limit)
        assert [one[name] for one in found] == shown
        # A list that ends with a full page is not followed by an empty one.
        assert sizes == [limit] * (count // limit) + ([count % limit] if count % limit else [])


def test_members_are_listed_oldest_first_and_the_rest_newest_first(stocked: World) -> None:
    refs = [one["member_ref"] for one in stocked.get("/members")["data"]]
    assert refs == ["mina", "jun", "ara", "bo", "chul", "dae"]
    assert [one["version"] for one in stocked.get("/program/versions")["data"]] == [4, 3, 2, 1]
    assert stocked.get("/keys")["data"][0]["name"] == "till 2"
    entries = stocked.get("/members/mina/entries?points_key=points")["data"]
    assert [one["source"]["ref"] for one in entries] == ["A-2", "A-1", "A-0"]
    assert [one["seq"] for one in entries] == [3, 2, 1]


def test_rows_that_come_between_pages_move_no_other_row(stocked: World) -> None:
    whole = [one["id"] for one in stocked.get("/members/mina/entries")["data"]]
    page = stocked.get("/members/mina/entries?limit=2")
    stocked.order("A-9", 1000)
    rest = stocked.get(f"/members/mina/entries?limit=100&cursor={page['next_cursor']}")
    assert [one["id"] for one in page["data"] + rest["data"]] == whole


def test_a_list_without_rows_is_an_empty_list(world: World) -> None:
    assert world.get("/members/mina/entries") == {"data": [], "next_cursor": None}
    assert world.get("/members?tier=gold") == {"data": [], "next_cursor": None}


def test_without_a_limit_a_page_has_50_rows(make_world: Any) -> None:
    world: World = make_world(members={"auto_enrol": True})
    orders = [
        {
            "order_ref": f"A-{number}",
            "member_ref": f"m-{number}",
            "status": "pending",
            "currency": "EUR",
            "placed_at": "2026-03-01T10:00:00Z",
            "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": 1}],
        }
        for number in range(51)
    ]
    world.post("/orders/batch", {"orders": orders})
    page = world.get("/members")
    assert len(page["data"]) == 50
    assert len(world.get(f"/members?cursor={page['next_cursor']}")["data"]) == 1


def test_short_lists_are_paged_as_well(make_world: Any) -> None:
    keys = [f"r{number}" for number in range(5)]
    world: World = make_world(
        points=[{"key": "points"}, {"key": "stars"}],
        rewards=[{"key": key, "kind": "custom", "cost_points": 1} for key in keys],
        cards=[{"key": key, "stamps": 3} for key in keys[:3]],
    )
    world.member()
    for path, named, of, expected in (
        ("/members/mina/rewards", "key", keys, [2, 2, 1]),
        ("/members/mina/cards", "key", keys[:3], [2, 1]),
    ):
        found, sizes = walk(world, path, 2)
        assert ([one[named] for one in found], sizes) == (of, expected)
        assert world.get(path)["data"] == found
    found, sizes = walk(world, "/members/mina/balances", 1)
    assert ([one["points_key"] for one in found], sizes) == (["points", "stars"], [1, 1])
    found, sizes = walk(world, "/members/mina/balances?as_of=2026-03-01T00:00:00Z", 1)
    assert ([one["points_key"] for one in found], sizes) == (["points", "stars"], [1, 1])
    for path in ("rewards", "cards", "balances"):
        address = f"/members/mina/{path}"
        assert world.call("GET", f"{address}?limit=0").status_code == 422
        for cursor in ("nonsense", "WyJnb25lIl0"):
            response = world.call("GET", f"{address}?cursor={cursor}")
            assert response.json["code"] == "invalid_cursor", path


def test_fifty_rewards_are_a_page_where_nobody_says(make_world: Any) -> None:
    world: World = make_world(
        rewards=[{"key": f"r{number}", "kind": "custom", "cost_points": 1} for number in range(51)]
    )
    world.member()
    page = world.get("/members/mina/rewards")
    assert (len(page["data"]), page["next_cursor"] is None) == (50, False)
    more = world.get(f"/members/mina/rewards?cursor={page['next_cursor']}")
    assert ([one["key"] for one in more["data"]], more["next_cursor"]) == (["r50"], None)
