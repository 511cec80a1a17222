"""Statements of a member, lots, and entries with every lot that they touched."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from core import ids, spreadsheet
from loyalty.ledger.entries import OWN
from storefront.points import statements
from tests import holding as holds
from tests.world import World

Make = Callable[..., World]
MONTH = {"policy": "after", "duration": "P1M"}


@pytest.fixture
def told(make_world: Make) -> World:
    """Mina: 100 on 1 March, 50 on 10 March, 120 of them spent, 10 given by =cmd."""
    world = make_world(points=[{"key": "points", "expiry": MONTH}], locales=["ko", "en"])
    world.set_clock("2026-03-01T10:00:00Z")
    world.member("mina")
    world.order("A-1", 10_000, placed_at="2026-03-01T10:00:00Z")
    world.set_clock("2026-03-10T10:00:00Z")
    world.order("=1+1", 5_000, placed_at="2026-03-10T10:00:00Z")
    with world.app.app_context():
        program_id = ids.read_id("prg", world.program_id)
        assert program_id is not None
        held = holds.hold(program_id, "mina", 120, ttl=None, actor="=cmd|' /C calc'!A0")
        holds.capture(program_id, held["id"])
    return world


def in_csv(world: World, query: str = "") -> list[dict[str, str]]:
    response = world.call("GET", f"/members/mina/statement?format=csv{query}")
    assert response.status_code == 200
    assert response.mimetype == "text/csv"
    text = response.get_data().decode("utf-8")
    assert text.startswith("\ufeff")
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def test_entries_stand_between_opening_and_closing(told: World) -> None:
    [account] = told.get("/members/mina/statement")["accounts"]
    assert account["points_key"] == "points"
    assert account["opening"] == {"available": 0, "pending": 0, "held": 0}
    assert account["closing"] == {"available": 30, "pending": 0, "held": 0}
    moved = [(one["kind"], one["points"], one["available_after"]) for one in account["entries"]]
    assert moved == [("earn", 100, 100), ("earn", 50, 150), ("hold", 120, 30), ("capture", 120, 30)]


def test_a_period_begins_and_ends_with_what_there_was(told: World) -> None:
    body = told.get("/members/mina/statement?from=2026-03-02T00:00:00Z")
    assert body["from"] == "2026-03-02T00:00:00Z"
    [account] = body["accounts"]
    assert (account["opening"]["available"], len(account["entries"])) == (100, 3)
    [account] = told.get("/members/mina/statement?until=2026-03-10T10:00:00Z")["accounts"]
    assert (account["closing"]["available"], len(account["entries"])) == (100, 1)
    path = "/members/mina/statement?from=2026-04-01T00:00:00Z&until=2026-05-01T00:00:00Z"
    [account] = told.get(path)["accounts"]
    assert (account["opening"], account["entries"]) == (account["closing"], [])


def test_what_is_due_and_not_written_ends_the_statement(told: World) -> None:
    # What is left is 30 of the second order, gone behind 10 April in Seoul.
    told.set_clock("2026-04-20T10:00:00Z")
    [account] = told.get("/members/mina/statement")["accounts"]
    last = account["entries"][-1]
    assert (last["kind"], last["points"], last["id"]) == ("expire", 30, None)
    assert last["effective_at"] == "2026-04-10T15:00:00Z"
    assert account["closing"] == {"available": 0, "pending": 0, "held": 0}
    assert [row["kind"] for row in in_csv(told)][-2:] == ["expire", "closing"]
    assert in_csv(told)[-2]["entry_id"] == ""


def test_cells_that_a_spreadsheet_would_run_are_neutralised(told: World) -> None:
    rows = in_csv(told)[1:-1]
    assert list(rows[0]) == list(statements.COLUMNS)
    assert [row["points"] for row in rows] == ["100", "50", "120", "120"]
    assert [row["source_ref"] for row in rows][:2] == ["A-1", "'=1+1"]
    assert rows[2]["actor"] == "'=cmd|' /C calc'!A0"
    assert rows[0]["summary"] == "주문 A-1로 100포인트 적립"
    assert all(
        not cell.startswith(("=", "+", "@", "\t", "\r")) for row in rows for cell in row.values()
    )


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1", "'=1"),
        ("+82", "'+82"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("a=1", "a=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\uff20SUM(1)", "'\uff20SUM(1)"),
        (" =1", "' =1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\u3000\uff0b1", "'\u3000\uff0b1"),
        ("\ufeff\u200b=1", "'\ufeff\u200b=1"),
        ("x;=1+1", "x;'=1+1"),
        ("x, \uff0d1", "x,' \uff0d1"),
        ("x\t@y", "x\t'@y"),
        ('x;"=1', "x;'\"=1"),
        ("x; y, z", "x; y, z"),
        ("\t=1", "'\t'=1"),
        ("", ""),
        (-5, "-5"),
        (None, ""),
    ],
)
def test_a_text_is_never_a_formula_and_a_number_stays_one(value: Any, cell: str) -> None:
    assert spreadsheet.cell(value) == cell


def test_a_statement_is_streamed_in_parts(told: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = told.get("/members/mina/statement")
    monkeypatch.setattr(statements, "_ROWS", 1)
    assert told.get("/members/mina/statement") == whole
    response = told.call("GET", "/members/mina/statement?format=csv")
    assert response.is_streamed
    assert len(list(response.iter_encoded())) == 7


def test_a_statement_of_nobody_is_404_and_of_one_without_points_is_empty(world: World) -> None:
    assert world.call("GET", "/members/nobody/statement").status_code == 404
    [account] = world.get("/members/jun/statement")["accounts"]
    assert (account["entries"], account["closing"]["available"]) == ([], 0)
    assert world.call("GET", "/members/mina/statement?format=pdf").status_code == 422


def test_lots_say_where_their_points_are(told: World) -> None:
    data = told.get("/members/mina/lots")["data"]
    shown = [(one["points"], one["remaining"], one["state"]) for one in data]
    assert shown == [(50, 30, "available"), (100, 0, "used")]
    assert [one["points"] for one in told.get("/members/mina/lots?open=true")["data"]] == [50]
    page = told.get("/members/mina/lots?limit=1")
    following = told.get(f"/members/mina/lots?limit=1&cursor={page['next_cursor']}")
    assert [page["data"][0]["points"], following["data"][0]["points"]] == [50, 100]
    assert following["next_cursor"] is None
    # Expired, though nobody wrote it yet; and after somebody did.
    for _ in range(2):
        told.set_clock("2026-04-20T10:00:00Z")
        states = [one["state"] for one in told.get("/members/mina/lots")["data"]]
        assert states[-2:] == ["expired", "used"]
        assert told.get("/members/mina/lots?open=true")["data"] == [] or len(states) == 3
        told.order("A-9", 100, placed_at="2026-04-20T10:00:00Z")


def test_an_entry_names_every_lot_that_it_touched(told: World) -> None:
    hold = told.entries()[2]
    lots = told.get(f"/entries/{hold['id']}")["lots"]
    touched = [(one["points"], one["change"], one["held_change"]) for one in lots]
    # Soonest expiry first: all of the first, 20 of the second.
    assert touched == [(100, 0, 100), (50, 0, 20)]
    earned = told.get(f"/entries/{told.entries()[0]['id']}")["lots"]
    assert [(one["change"], one["for_lot_id"]) for one in earned] == [(100, None)]


def test_an_entry_that_a_deficit_took_touches_no_lot(make_world: Make) -> None:
    world = make_world(points=[{"key": "points", "return_policy": "unlimited"}])
    world.member("mina")
    world.order("A-1", 50_000)
    with world.app.app_context():
        program_id = ids.read_id("prg", world.program_id)
        assert program_id is not None
        holds.capture(program_id, holds.hold(program_id, "mina", 400, ttl=None)["id"])
    world.order("A-1", 50_000, status="cancelled")
    assert world.balance() == -400
    world.order("A-2", 15_000)
    assert world.balance() == -250
    entry = world.entries()[-1]
    assert world.get(f"/entries/{entry['id']}")["lots"] == []
    assert world.verify()["mismatches"] == []


def test_the_changes_of_a_csv_lead_from_its_opening_to_its_closing_line(told: World) -> None:
    rows = in_csv(told, "&from=2026-03-02T00:00:00Z&until=2026-03-20T00:00:00Z")
    names = [f"{bucket}_{what}" for what in ("change", "after") for bucket in OWN]
    shown = [(row["kind"], *(row[name] for name in names)) for row in rows]
    assert shown == [
        ("opening", "", "", "", "100", "0", "0"),
        ("earn", "50", "0", "0", "150", "0", "0"),
        ("hold", "-120", "0", "120", "30", "0", "120"),
        ("capture", "0", "0", "-120", "30", "0", "0"),
        ("closing", "", "", "", "30", "0", "0"),
    ]
    dates = [(row["recorded_at"], row["entry_id"], row["points_key"]) for row in rows]
    assert dates[0] == ("2026-03-02T00:00:00Z", "", "points")
    # The clock stands on 10 March: there is nothing to say of later.
    assert dates[-1] == ("2026-03-10T10:00:00Z", "", "points")
    assert in_csv(told)[0]["recorded_at"] == ""


def test_why_points_were_moved_by_hand_can_be_read_back(told: World) -> None:
    told.member("jun")
    body = {"member_ref": "mina", "points": 5, "reason": "=parcel lost", "note": "ticket 77"}
    made = told.post("/adjustments", body, status=201)
    gift = {"from_member_ref": "mina", "to_member_ref": "jun", "points": 3, "reason": "a gift"}
    told.post("/transfers", gift, status=201)
    assert told.get(f"/entries/{made['entry']['id']}")["adjustment"] == made["adjustment"]
    assert told.get(f"/entries/{told.entries()[0]['id']}")["adjustment"] is None
    [account] = told.get("/members/mina/statement")["accounts"]
    assert [one["reason"] for one in account["entries"]] == [None] * 4 + ["=parcel lost", "a gift"]
    assert [row["reason"] for row in in_csv(told)[5:-1]] == ["'=parcel lost", "a gift"]


def test_a_period_that_ends_before_it_begins_is_refused(told: World) -> None:
    path = "/members/mina/statement?from=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z"
    refused = told.call("GET", path)
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "?from")
    same = "/members/mina/statement?from=2026-03-02T00:00:00Z&until=2026-03-02T00:00:00Z"
    assert told.get(same)["accounts"][0]["entries"] == []


def test_a_kind_of_points_that_nobody_ever_had_is_refused(make_world: Make) -> None:
    world = make_world(points=[{"key": "points"}, {"key": "stars"}])
    world.member("mina")
    world.member("jun")
    body = {"member_ref": "mina", "points": 5, "points_key": "stars", "reason": "gift"}
    world.post("/adjustments", body, status=201)
    world.publish(points=[{"key": "points"}])
    for path in ("entries?", "statement?", "lots?", "entries?as_of=2026-03-01T00:00:00Z&"):
        # The program has no stars any more, and Mina still has hers.
        assert world.call("GET", f"/members/mina/{path}points_key=stars").status_code == 200
        for ref, key in (("mina", "moons"), ("jun", "stars")):
            refused = world.call("GET", f"/members/{ref}/{path}points_key={key}")
            assert refused.status_code == 422, path
            assert refused.json["errors"][0]["pointer"] == "?points_key"
