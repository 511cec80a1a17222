"""Points held for a checkout: for tests of what points do, whose programs let none pay.

Real redemptions, captured, released and reversed as over HTTP; the program is published anew with
paying with points when the first are held.
"""

from typing import Any, Literal

import sqlalchemy as sa

from core import clock, db
from core.errors import not_found


def hold(
    program_id: bytes,
    member_ref: str,
    points: int,
    *,
    points_key: str | None = None,
    ttl: clock.Duration | None,
    actor: str | None = None,
) -> dict[str, Any]:
    """Hold points for so long (None: until somebody ends it); the redemption."""
    from loyalty import reading
    from members import members
    from programs import versions
    from rewards import redemptions, terms
    from storefront.plan import begin
    from storefront.redeeming import listing

    def unit(connection: sa.Connection) -> dict[str, Any]:
        known = members.find(connection, program_id, member_ref, is_locking=True)
        if known is None:
            raise not_found("member")
        pay = _let_pay(connection, program_id, points_key)
        live, now = versions.get_live(connection, program_id)
        plan = begin(connection, live, now=now, actor=actor)
        plan.book.load(reading.read_holdings(connection, program_id, known.id))
        plan.settle(known.id)
        expires_at = None if ttl is None else clock.after(now, ttl, live.zone)
        row = redemptions.hold(plan, known.id, terms.of_points(pay, points), expires_at=expires_at)
        shown = listing.show(plan, row, known.member_ref)
        plan.write(connection)
        return shown

    return db.in_transaction(unit)


def _let_pay(connection: sa.Connection, program_id: bytes, points_key: str | None) -> Any:
    """How points of a kind pay, by the document as it is live now, or is from now on."""
    from core import jsontext
    from programs import versions
    from programs.models import ProgramDraft

    live, _ = versions.get_live(connection, program_id)
    key = points_key or live.points[0].key
    pay = live.catalogue.pay_with_points
    if pay is not None and pay.points_key == key:
        return pay
    version, _ = versions.lock_program(connection, program_id)
    document = jsontext.parse(versions.get_version(connection, program_id, version).document)
    document["pay_with_points"] = {"points_key": key, "min_points": 1}
    connection.execute(
        sa.insert(ProgramDraft).values(
            program_id=program_id, document=jsontext.text(document), revision=1, updated_at=0
        )
    )
    versions.publish(connection, program_id, note="points pay", actor=None)
    live, _ = versions.get_live(connection, program_id)
    return live.catalogue.pay_with_points


def capture(program_id: bytes, redemption_id: str, *, actor: str | None = None) -> dict[str, Any]:
    """Spend what is held."""
    from storefront.redeeming import ending

    return _redemption(
        db.in_transaction(
            lambda connection: ending.capture(connection, program_id, redemption_id, actor=actor)
        )
    )


def release(program_id: bytes, redemption_id: str, *, actor: str | None = None) -> dict[str, Any]:
    """Give up what is held."""
    from storefront.redeeming import ending

    return _redemption(
        db.in_transaction(
            lambda connection: ending.release(connection, program_id, redemption_id, actor=actor)
        )
    )


def reverse(
    program_id: bytes,
    redemption_id: str,
    *,
    policy: Literal["strict", "grace"] = "strict",
    actor: str | None = None,
) -> dict[str, Any]:
    """Give back what was spent."""
    from storefront.redeeming import ending

    body = {"policy": policy, "reason": "given back"}
    return _redemption(
        db.in_transaction(
            lambda connection: ending.reverse(
                connection, program_id, redemption_id, body, actor=actor
            )
        )
    )


def _redemption(told: tuple[dict[str, Any], int]) -> dict[str, Any]:
    found: dict[str, Any] = told[0]["redemption"]
    return found
