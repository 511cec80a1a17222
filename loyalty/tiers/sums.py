"""What everybody's windows hold and where that leads, as SQL over all members of a program at once.

Texts that both databases run. They add up what orders that stand contribute, and adjustments that
count, once per member, and compare it with the thresholds there, so that only answers leave the
database. Refuses what no sum says: points that an adjustment took come off the newest orders
before it. Members of whom that may matter are marked as odd, to be looked at one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core import clock
from programs.ladder import BEGINNING, Ladder, year_start

_DAY = 86_400 * clock.SECOND
#: So many days are in so many months at least.
_LEAST_DAYS = (0, 28, 59, 89, 120, 150, 181, 212, 242, 273, 303, 334)
_AMONG = {"sqlite": "IN :ids", "postgresql": "= ANY(:ids)"}
_ADDED = {
    "spend": "c.spend_minor",
    "points": "c.qualifying_points",
    "orders": "c.order_count",
    "referrals": "c.referral_count",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose ladder is looked at, as of when."""

    ladder: Ladder
    zone: ZoneInfo
    now: int

    @property
    def columns(self) -> range:
        """The metrics by number."""
        return range(len(self.ladder.metrics))

    @property
    def counts_points(self) -> bool:
        """Whether more than orders counts: activities that earn, and adjustments."""
        return "points" in self.ladder.metrics

    @property
    def counts_referrals(self) -> bool:
        """Whether approved friends count."""
        return "referrals" in self.ladder.metrics


def list_odd(connection: sa.Connection, program_id: bytes) -> list[bytes]:
    """Members of whom sums do not tell enough where points count."""
    statement = sa.text(
        "SELECT DISTINCT tier_member_id FROM adjustments WHERE program_id = :program_id"
        " AND tier_member_id IS NOT NULL AND points < 0"
    )
    return [bytes(one) for (one,) in connection.execute(statement, {"program_id": program_id})]


def widen(connection: sa.Connection, *, timeout_ms: int) -> None:
    """Let PostgreSQL read whole tables in this transaction, for so long at most (0: any time)."""
    if connection.dialect.name == "postgresql":
        timeout = f"statement_timeout = {int(timeout_ms)}"
        # Sums are taken by hashing: the planner, who cannot know how many groups there are, would
        # sort a million rows.
        by_hash = "enable_sort = off"
        for setting in ("enable_seqscan = on", by_hash, "plan_cache_mode = auto", timeout):
            connection.exec_driver_sql(f"SET LOCAL {setting}")


def met(ladder: Ladder, needed: Sequence[int] | None, sums: Sequence[str]) -> str:
    """Whether sums come up to thresholds."""
    if needed is None:
        return "1 = 0"
    joint = " AND " if ladder.require == "all" else " OR "
    tests = [f"{one} >= {int(least)}" for one, least in zip(sums, needed, strict=True)]
    return f"({joint.join(tests)})"


def rank_reached(ladder: Ladder, sums: Sequence[str]) -> str:
    """The rank of the highest level that sums enter."""
    cases = [
        f"WHEN {met(ladder, level.enter_at, sums)} THEN {level.rank}"
        for level in reversed(ladder.levels)
        if level.enter_at is not None and level.is_live
    ]
    return f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"


def is_kept(ladder: Ladder, rank: str, sums: Sequence[str]) -> str:
    """1 when sums keep the level of a rank, otherwise 0."""
    cases = [
        f"WHEN {level.rank} THEN CASE WHEN {met(ladder, level.retain_at, sums)} THEN 1 ELSE 0 END"
        for level in ladder.levels
    ]
    return f"CASE {rank} {' '.join(cases)} ELSE 0 END" if cases else "0"


def rank_held(ladder: Ladder, column: str, *, prefix: str) -> str:
    """The rank of the level with the key in a column: -1 when the ladder has lost it, 0 where
    there is none. The keys are bound, under names with the prefix (`keys`)."""
    cases = [f"WHEN {column} = :{prefix}{level.rank} THEN {level.rank}" for level in ladder.levels]
    return f"CASE WHEN {column} IS NULL THEN 0 {' '.join(cases)} ELSE -1 END"


def keys(ladder: Ladder, *, prefix: str) -> dict[str, str]:
    """What `rank_held` binds."""
    return {f"{prefix}{level.rank}": level.key for level in ladder.levels}


def contributing(*, counts_points: bool, counts_referrals: bool) -> str:
    """Everything that contributes: whose, when, and how much of each metric."""
    told = (
        "SELECT member_id, placed_at, spend_minor, qualifying_points, 1 AS order_count,"
        " 0 AS referral_count, 0 AS is_odd FROM orders"
        " WHERE program_id = :program_id AND stands AND member_id IS NOT NULL"
    )
    if counts_referrals:
        told += (
            " UNION ALL SELECT advocate_id, qualified_at, 0, 0, 0, 1, 0 FROM referrals"
            " WHERE program_id = :program_id AND stands"
        )
    if not counts_points:
        return told
    return (
        f"{told} UNION ALL SELECT member_id, occurred_at, 0, qualifying_points, 0, 0, 0"
        " FROM activities WHERE program_id = :program_id AND status = 'done'"
        " AND qualifying_points > 0"
        " UNION ALL SELECT tier_member_id, effective_at, 0, points, 0, 0,"
        " CASE WHEN points < 0 THEN 1 ELSE 0 END FROM adjustments"
        " WHERE program_id = :program_id AND tier_member_id IS NOT NULL"
    )


def _contributing_to(scope: Scope) -> str:
    return contributing(counts_points=scope.counts_points, counts_referrals=scope.counts_referrals)


def total(name: str) -> str:
    """The sum of a column under its own name, as an integer: PostgreSQL's own is a numeric, which
    is slow to compare."""
    return f"CAST(SUM({name}) AS BIGINT) AS {name}"


def added(ladder: Ladder, start: int | str) -> list[str]:
    """What a row `c` of `contributing` adds to each metric in a window that starts after an
    instant."""
    if start == BEGINNING:
        return [_ADDED[metric] for metric in ladder.metrics]
    return [
        f"CASE WHEN c.placed_at > {start} THEN {_ADDED[metric]} ELSE 0 END"
        for metric in ladder.metrics
    ]


def moved(scope: Scope, *, some: str | None = None) -> sa.TextClause:
    """Members whom a look at the ladder now would change, or whom it must be looked at again
    earlier than is remembered; of those alone whose ids are bound as `ids`, where a dialect is
    given to say how.

    `h` is the rank held, -1 of a level that the ladder lost, -2 without a row of tiers; `v` are
    the metrics now, `d` and `e` those that are left until the member is looked at next.
    """
    ladder = scope.ladder
    start = ladder.window_from(scope.now, scope.zone)
    mine, theirs = (f" AND {alias}.member_id {_AMONG[some]}" if some else "" for alias in "ct")
    watched, left, least = "", ["0" for _ in scope.columns], ["NULL" for _ in scope.columns]
    if _is_watched(ladder) and ladder.window == "rolling":
        watched = (
            "LEFT JOIN member_tiers t"
            f" ON t.program_id = :program_id AND t.member_id = c.member_id{theirs}"
        )
        left, least = _left(ladder)
    added_now = added(ladder, start)
    own = [
        f"{part} AS {name}{index}"
        for name, parts in (("v", added_now), ("d", left), ("e", least))
        for index, part in enumerate(parts)
    ]
    totals = [total(f"{name}{index}") for name in "vd" for index in scope.columns]
    totals += [f"MIN(e{index}) AS e{index}" for index in scope.columns]
    nothing = ["0" for _ in scope.columns] * 2 + ["NULL" for _ in scope.columns]
    statement = sa.text(
        f"""
SELECT member_id FROM (
SELECT member_id, {", ".join(totals)}, MAX(h) AS h, MAX(has_until) AS has_until,
    MAX(is_at_risk) AS is_at_risk, MAX(due_at) AS due_at, MAX(is_odd) AS is_odd
FROM (
SELECT c.member_id, {", ".join(own)}, -2 AS h, 0 AS has_until, 0 AS is_at_risk,
    CAST(NULL AS BIGINT) AS due_at, c.is_odd
FROM ({_contributing_to(scope)}) c {watched}
WHERE (c.placed_at > {start} OR c.is_odd = 1){mine}
UNION ALL
SELECT t.member_id, {", ".join(nothing)}, {rank_held(ladder, "t.level_key", prefix="k")},
    CASE WHEN t.until IS NULL THEN 0 ELSE 1 END, CASE WHEN t.is_at_risk THEN 1 ELSE 0 END,
    t.due_at, 0
FROM member_tiers t
WHERE t.program_id = :program_id{theirs}
) parts GROUP BY member_id
) everybody WHERE {" OR ".join(_reasons(scope))}
"""
    )
    if some == "sqlite":
        return statement.bindparams(sa.bindparam("ids", expanding=True))
    return statement


def _left(ladder: Ladder) -> tuple[list[str], list[str]]:
    """What surely is in a rolling window until the member is looked at next, and the least that
    one adds with which that look will lose something: it was placed about a duration before.

    The calendar's own lengths are the application's affair; here a few days are left open, and who
    placed more than once in them may be looked at in vain.
    """
    least, most = _microseconds(ladder.duration)
    sure = added(ladder, f"t.due_at - {least}")
    ends = ("until", "assured_until", "manual_until")
    is_leaving = " AND ".join(
        [f"c.placed_at BETWEEN t.due_at - {most} AND t.due_at - {least}"]
        + [f"t.due_at <> COALESCE(t.{end}, 0)" for end in ends]
    )
    return sure, [f"CASE WHEN {is_leaving} THEN {_ADDED[one]} END" for one in ladder.metrics]


def _is_watched(ladder: Ladder) -> bool:
    """Whether time passing puts a level at risk."""
    return ladder.window != "lifetime" and ladder.downgrade != "none"


def _reasons(scope: Scope) -> list[str]:
    ladder = scope.ladder
    now = [f"v{index}" for index in scope.columns]
    then = [f"(d{index} + COALESCE(e{index}, 0))" for index in scope.columns]
    reached = rank_reached(ladder, now)
    kept = is_kept(ladder, "h", now)
    found = [f"({reached}) > 0 AND ({reached}) > h", "h = -1", "is_odd = 1"]
    if ladder.has_term:
        # The ladder had no terms when the level was entered.
        found.append("h > 0 AND has_until = 0")
    if ladder.downgrade == "none":
        return [*found, "is_at_risk = 1"]
    promised = " AND has_until = 1" if not ladder.has_term else ""
    found.append(f"h > 0 AND is_at_risk = ({kept}){promised}")
    if not ladder.has_term:
        found.append(f"h > 0 AND has_until = 0 AND ({kept}) = 0")
    if _is_watched(ladder):
        if ladder.window == "calendar_year":
            year = clock.local_date(scope.now, scope.zone).year
            then = ["0" for _ in scope.columns]
            due = f"due_at > {year_start(year + 1, scope.zone)}"
        else:
            due = "due_at > 0"
        left = is_kept(ladder, "h", then)
        found.append(f"h > 0 AND is_at_risk = 0 AND ({left}) = 0 AND (due_at IS NULL OR {due})")
    return found


def _microseconds(duration: clock.Duration) -> tuple[int, int]:
    """How long a duration is at least and at most, also where the clocks are changed."""
    years, months = divmod(duration.months, 12)
    slack = bool(duration.months or duration.days)
    least = years * 365 + _LEAST_DAYS[months] + duration.days - slack
    most = years * 366 + months * 31 + duration.days + slack
    seconds = duration.seconds * clock.SECOND
    return max(0, least) * _DAY + seconds, most * _DAY + seconds
