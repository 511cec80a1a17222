"""The statement that reads the standing of members before orders, as `storefront.standing` asks it.

Owns its text alone: what its columns mean is said where they are read.
"""

import functools

from core import rawsql

#: Sums over a member's other orders `h`, by the instants of an item `i`.
SUMS = """
    COUNT(CASE WHEN h.placed_at <= i.at THEN 1 END),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at <= i.at THEN h.spend_minor END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at <= i.at AND h.placed_at > i.year_from
                           THEN h.spend_minor END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at <= i.at AND h.placed_at > i.window_from
                           THEN h.spend_minor END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at <= i.at AND h.placed_at > i.window_from
                           THEN h.qualifying_points END), 0) AS BIGINT),
    COUNT(CASE WHEN h.placed_at <= i.at AND h.placed_at > i.window_from THEN 1 END),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at > i.now_from THEN h.spend_minor END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at > i.now_from THEN h.qualifying_points END), 0)
         AS BIGINT),
    COUNT(CASE WHEN h.placed_at > i.now_from THEN 1 END),
    COUNT(CASE WHEN h.placed_at > i.at THEN 1 END),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at > i.at THEN h.spend_minor END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN h.placed_at > i.at THEN h.qualifying_points END), 0) AS BIGINT),
    MAX(CASE WHEN h.placed_at <= i.at THEN h.placed_at END)
"""

_ORDER = """
    o.id, o.member_id, o.revision, o.placed_at, o.snapshot, o.net_minor, o.refunded_minor,
    o.spend_minor, o.qualifying_points, o.stands, o.is_first, o.is_history, o.decision_id,
    o.created_at, o.updated_at, o.points_returned, d.version, d.facts, d.switches
"""


_ACCOUNT = (
    "a.member_id, a.points_key, a.available, a.pending, a.held, a.lifetime_earned, a.version,"
    " a.head, a.due_at, a.has_inactivity, a.has_counted"
)


@functools.cache
def sql(count: int, dialect: str) -> str:
    """The statement for so many items."""
    mark, blob = rawsql.mark(dialect), "BLOB" if dialect == "sqlite" else "BYTEA"
    program = f"CAST({mark}1 AS {blob})"
    types = ("BIGINT", blob, "TEXT", "BIGINT", "BIGINT", "BIGINT", "BIGINT")
    rows = ", ".join(
        "("
        + ", ".join(
            f"CAST({mark}{2 + index * len(types) + place} AS {kind})"
            for place, kind in enumerate(types)
        )
        + ")"
        for index in range(count)
    )
    names = "k, member_id, order_ref, at, year_from, window_from, now_from"
    sums = (
        f"SELECT {SUMS} FROM orders h WHERE h.program_id = {program}"
        " AND h.member_id = i.member_id AND h.stands AND h.order_ref <> i.order_ref"
    )
    columns = ", ".join(f"c{number}" for number in range(13))
    if dialect == "sqlite":
        start = f"WITH i({names}) AS (VALUES {rows}), s(k, {columns}) AS (" + (
            f"SELECT i.k, {SUMS} FROM i LEFT JOIN orders h ON h.program_id = {program}"
            " AND h.member_id = i.member_id AND h.stands AND h.order_ref <> i.order_ref"
            " GROUP BY i.k)"
        )
        summed = "JOIN s ON s.k = i.k"
    else:
        start = f"WITH i({names}) AS (VALUES {rows})"
        summed = f"CROSS JOIN LATERAL ({sums}) s({columns})"
    joins = [
        rawsql.left_join(dialect, table, alias, on=f"{alias}.program_id = {program} AND {on}")
        for table, alias, on in (
            ("orders", "o", "o.order_ref = i.order_ref"),
            ("decisions", "d", "d.id = o.decision_id"),
            ("member_tiers", "t", "t.member_id = i.member_id"),
            ("accounts", "a", "a.member_id = i.member_id"),
            ("referrals", "f", "f.friend_id = i.member_id"),
        )
    ]
    return f"""
{start}
SELECT i.k, {_ACCOUNT},
    p.live_version, p.clock_at, t.level_key, t.since,
    (SELECT b.order_ref FROM orders b
     WHERE b.program_id = {program} AND b.member_id = i.member_id AND b.is_first),
    s.{columns.replace(", ", ", s.")},
    {_ORDER},
    (SELECT 1 FROM order_refunds r
     WHERE r.program_id = {program} AND r.order_ref = i.order_ref LIMIT 1),
    t.until, t.grace_until, t.is_at_risk, t.due_at, t.manual_key, t.manual_since, t.manual_until,
    t.assured_key, t.assured_since, t.assured_until, p.switches,
    f.id, f.advocate_id, f.state, f.order_ref, f.is_bound, f.reason, f.qualified_at,
    COALESCE(f.clicked_at, f.bound_at)
FROM i {summed} JOIN programs p ON p.program_id = {program}
{" ".join(joins)}
ORDER BY i.k, a.points_key
"""
