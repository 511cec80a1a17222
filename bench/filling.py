"""Owns ledgers of any size made in seconds: members with orders, entries and lots, by SQL.

Rows have the shape that the application writes; hashes are random, so such a ledger is for
measuring and not for proving.
"""

from bench.postgres import Postgres

_ID = "uuid_send(uuidv7())"
_NOW = "(EXTRACT(EPOCH FROM now()) * 1000000)::bigint"
_DAY = 86_400_000_000

_MEMBERS = f"""
INSERT INTO members (program_id, id, member_ref, contact_verified, attributes, is_enrolled,
                     joined_at, created_at)
SELECT p.program_id, {_ID}, 'member-' || n, '[]', '{{}}', true,
       {_NOW} - 400 * {_DAY}::bigint, {_NOW} - 400 * {_DAY}::bigint
FROM programs p, generate_series(%(first)s::int, %(last)s::int) n
ON CONFLICT DO NOTHING
"""

_ACCOUNTS = f"""
INSERT INTO accounts (program_id, member_id, points_key, available, pending, held,
                      lifetime_earned, version, head, due_at, has_inactivity, has_counted)
SELECT m.program_id, m.id, 'points', %(each)s::int * 10, 0, 0, %(each)s::int * 10, %(each)s::int,
       sha256(m.id), CASE WHEN %(is_due)s::bool THEN {_NOW} - {_DAY} END, false, false
FROM members m WHERE m.member_ref LIKE 'member-%%' AND substr(m.member_ref, 8) ~ '^[0-9]+$'
  AND substr(m.member_ref, 8)::int BETWEEN %(first)s::int AND %(last)s::int
ON CONFLICT (program_id, member_id, points_key) DO UPDATE
SET available = excluded.available, lifetime_earned = excluded.lifetime_earned,
    version = accounts.version + excluded.version, due_at = excluded.due_at
"""

_LOTS = f"""
INSERT INTO lots (program_id, id, member_id, points_key, source_id, terms, points, remaining, held,
                  reversed, borrowed, overdrawn, written_off, expired, earned_at,
                  available_at, is_pending, expires_at, due_at, is_moved)
SELECT a.program_id, {_ID}, a.member_id, 'points', {_ID}, %(terms)s::text, 10, 10, 0, 0, 0, 0, 0,
       0,
       {_NOW} - (370 + s) * {_DAY}::bigint, {_NOW} - (370 + s) * {_DAY}::bigint, false,
       CASE WHEN %(is_due)s::bool THEN {_NOW} - (1 + s) * {_DAY}::bigint END,
       CASE WHEN %(is_due)s::bool THEN {_NOW} - (1 + s) * {_DAY}::bigint END, false
FROM accounts a, generate_series(1, %(each)s::int) s
WHERE a.lifetime_earned = %(each)s::int * 10
"""

_ENTRIES = f"""
INSERT INTO entries (program_id, id, member_id, points_key, seq, kind, points, from_bucket,
                     to_bucket, available_after, pending_after, held_after, lot_id, is_split,
                     source_type, source_ref, effective_at, recorded_at, hash)
SELECT l.program_id, {_ID}, l.member_id, 'points',
       row_number() OVER (PARTITION BY l.member_id ORDER BY l.earned_at), 'earn', 10, 'issued',
       'available', 10, 0, 0, l.id, false, 'order', 'old-order', l.earned_at, l.earned_at,
       sha256(l.id)
FROM lots l WHERE l.points = 10
"""

_ORDERS = f"""
INSERT INTO orders (program_id, id, order_ref, member_id, status, placed_at, snapshot, net_minor,
                    refunded_minor, spend_minor, qualifying_points, stands, is_first, is_history,
                    created_at, updated_at)
SELECT l.program_id, l.source_id, 'old-' || encode(l.id, 'hex'), l.member_id, 'paid', l.earned_at,
       '{{}}', 1000, 0, 1000, 10, true, false, false, {_NOW}, {_NOW}
FROM lots l WHERE l.points = 10
"""


def fill(postgres: Postgres, database: str, *, member_count: int, each: int, is_due: bool) -> None:
    """Members, each with so many lots of 10 points; due since yesterday, or never and then each
    with its order and its entry."""
    values = {
        "first": 0,
        "last": member_count - 1,
        "each": each,
        "is_due": is_due,
        "terms": "immediate|after P12M day" if is_due else "immediate|never",
    }
    with postgres.connect(database) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(_MEMBERS, values)
        if each:
            connection.execute(_ACCOUNTS, values)
            connection.execute(_LOTS, values)
            if not is_due:
                connection.execute(_ENTRIES)
                connection.execute(_ORDERS)
        connection.execute("ANALYZE")


def make_due_again(postgres: Postgres, database: str) -> int:
    """Let every lot be full and due again; how many there are."""
    with postgres.connect(database) as connection:
        connection.execute(
            "UPDATE lots SET remaining = points, due_at = expires_at WHERE expires_at IS NOT NULL"
        )
        connection.execute(
            "UPDATE accounts a SET available = 10 * l.n, due_at = l.due_at FROM"
            " (SELECT program_id, member_id, count(*) n, min(due_at) due_at FROM lots"
            "  WHERE due_at IS NOT NULL GROUP BY program_id, member_id) l"
            " WHERE l.program_id = a.program_id AND l.member_id = a.member_id"
        )
        connection.execute("VACUUM ANALYZE lots")
        connection.execute("VACUUM ANALYZE accounts")
        row = connection.execute("SELECT count(*) FROM lots WHERE due_at IS NOT NULL").fetchone()
    assert row is not None
    return int(row[0])
