"""Addresses that a storefront calls: members, orders, quotes, decisions, entries."""

from typing import Any

import sqlalchemy as sa

from core import auth, db, http, ids, paging
from core.errors import FieldError, invalid
from loyalty import reading, showing
from loyalty.schemas import (
    BalancesAnswer,
    EntriesAnswer,
    EntriesQuery,
    MomentQuery,
    TierAnswer,
)
from members import members
from members.schemas import MemberSchema, MembersQuery, SearchSchema
from orders.schemas import OrderSchema, RefundQuery, RefundSchema
from programs import versions
from storefront import batch, decisions, orders, quotes, reads, schemas
from storefront.explanations import explanation_schemas, redeemed, why
from storefront.membership import signup
from storefront.points import past
from storefront.refunding import refunds
from storefront.vouchers import seeing

routes = http.Routes("storefront", __name__, url_prefix="/v1", description="Storefront.")

_MEMBER = schemas.SignupAnswer()
_ORDER = schemas.OrderAnswer()
_REFUND = schemas.RefundAnswer()


def _program_id() -> bytes:
    return auth.credential().program_id


@routes.operation(
    "PUT",
    "/members/<ref:member_ref>",
    answers={200: _MEMBER, 201: _MEMBER},
    body=MemberSchema(),
)
def put_member(member_ref: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Tell a member: signup, or a change of what is known."""
    return signup.put(_program_id(), member_ref, body, actor=auth.actor())


@routes.operation("GET", "/members/<ref:member_ref>", answers={200: schemas.MemberView()})
def get_member(member_ref: str) -> dict[str, Any]:
    """A member."""
    return db.reading(lambda connection: reads.member(connection, _program_id(), member_ref))


@routes.operation("GET", "/members", answers={200: schemas.MembersAnswer()}, query=MembersQuery())
def list_members(query: dict[str, Any]) -> dict[str, Any]:
    """Members, oldest first."""
    return db.reading(lambda connection: reads.list_members(connection, _program_id(), query))


@routes.operation(
    "POST",
    "/members/search",
    answers={200: schemas.MembersAnswer()},
    body=SearchSchema(),
    is_reading=True,
)
def search_members(body: dict[str, Any]) -> dict[str, Any]:
    """Members by a contact, in any spelling of it; needs no Idempotency-Key."""
    if len(body) != 1:
        raise invalid([FieldError("", "invalid", "needs exactly one of email, phone, card_ref")])
    [(kind, text)] = body.items()
    return db.reading(lambda connection: reads.search(connection, _program_id(), kind, text))


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/balances",
    answers={200: BalancesAnswer()},
    query=schemas.BalancesQuery(),
)
def get_balances(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """Balances of every kind of points, now or as of another time."""
    program_id = _program_id()
    if not query:
        return reads.balances(program_id, member_ref)
    if "as_of" in query or "known_at" in query:
        found = db.reading(
            lambda connection: past.balances(connection, program_id, member_ref, query)
        )
    else:
        found = reads.balances(program_id, member_ref)
    return paging.of_list(found, query, key="points_key")


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/entries",
    answers={200: EntriesAnswer()},
    query=EntriesQuery(),
)
def list_entries(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """A member's entries, newest first."""
    if "as_of" in query or "known_at" in query:
        program_id = _program_id()
        return db.reading(
            lambda connection: past.entries(connection, program_id, member_ref, query)
        )
    cursor = paging.read_cursor(query.get("cursor"), [int, str])
    before = (cursor[0], paging.read_id("ent", cursor[1])) if cursor else None
    limit = query["limit"]

    def read(connection: sa.Connection) -> dict[str, Any]:
        member = members.get(connection, _program_id(), member_ref)
        live, _ = versions.get_live(connection, _program_id())
        if "points_key" in query:
            reads.check_key(connection, live, member.id, query["points_key"])
        rows = reading.list_entries(
            connection,
            _program_id(),
            member.id,
            points_key=query.get("points_key"),
            before=before,
            limit=limit,
        )
        named = redeemed.names(connection, _program_id(), live.currency, rows)
        return paging.page(
            rows,
            limit,
            key=lambda row: [row["recorded_at"], ids.show_id("ent", bytes(row["id"]))],
            show=lambda row: showing.show_entry(
                row, live, member_ref=member.member_ref, named=named
            ),
        )

    return db.reading(read)


@routes.operation(
    "GET", "/members/<ref:member_ref>/tier", answers={200: TierAnswer()}, query=MomentQuery()
)
def get_tier(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """A member's tier and the progress to the next, now or as of another time."""
    if query:
        program_id = _program_id()
        return db.reading(lambda connection: past.tier(connection, program_id, member_ref, query))
    return db.reading(lambda connection: reads.tier(connection, _program_id(), member_ref))


@routes.operation(
    "PUT", "/orders/<ref:order_ref>", answers={200: _ORDER, 201: _ORDER}, body=OrderSchema()
)
def put_order(order_ref: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Tell how an order looks now."""
    if body["is_history"]:
        auth.require_scope("import", "Telling history (is_history)")
    ref = reads.resolve_order_ref(_program_id(), order_ref)
    return orders.put(_program_id(), ref, body, actor=auth.actor())


@routes.operation(
    "PUT",
    "/orders/<ref:order_ref>/refunds/<ref:refund_ref>",
    answers={200: _REFUND, 201: _REFUND, 202: _REFUND},
    body=RefundSchema(),
    query=RefundQuery(),
    problems=(409,),
)
def put_refund(
    order_ref: str, refund_ref: str, body: dict[str, Any], query: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    """Tell a refund of an order: of lines, of an amount, of shipping, or that it was withdrawn.

    Before its order is known it is parked (202) and applied when the order is told.
    """
    ref = reads.resolve_order_ref(_program_id(), order_ref)
    return refunds.put(
        _program_id(), ref, refund_ref, body, actor=auth.actor(), is_preview=query["dry_run"]
    )


@routes.operation("GET", "/orders/<ref:order_ref>", answers={200: _ORDER})
def get_order(order_ref: str) -> dict[str, Any]:
    """An order as last told, and what it earned."""
    ref = reads.resolve_order_ref(_program_id(), order_ref)
    found = db.reading(lambda connection: reads.order(connection, _program_id(), ref))
    return seeing.as_seen(found, "orders")


@routes.operation(
    "POST", "/orders/batch", answers={200: schemas.BatchAnswer()}, body=schemas.BatchBody()
)
def put_orders(body: dict[str, Any]) -> dict[str, Any]:
    """Tell up to 500 orders; each converges by itself, so no Idempotency-Key is needed."""
    if any(order["is_history"] for order in body["orders"]):
        auth.require_scope("import", "Telling history (is_history)")
    return {"results": batch.put(_program_id(), body["orders"], actor=auth.actor())}


@routes.operation(
    "POST",
    "/quotes",
    answers={200: schemas.QuoteAnswer()},
    body=schemas.QuoteBody(),
    is_reading=True,
)
def quote(body: dict[str, Any]) -> dict[str, Any]:
    """What a cart would bring; writes nothing and needs no Idempotency-Key."""
    return quotes.quote(_program_id(), body, key_id=auth.credential().key_id)


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/why",
    answers={200: explanation_schemas.WhyAnswer()},
    query=explanation_schemas.WhyQuery(),
)
def get_why(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """What became of each rule when something happened, and what would have changed it."""
    source = query["source"]
    return db.reading(lambda connection: why.explain(connection, _program_id(), member_ref, source))


@routes.operation(
    "GET", "/decisions/<decision_id>", answers={200: explanation_schemas.DecisionAnswer()}
)
def get_decision(decision_id: str) -> dict[str, Any]:
    """Why points were given, and why not."""
    return db.reading(lambda connection: decisions.show(connection, _program_id(), decision_id))


@routes.operation(
    "GET", "/entries/<entry_id>", answers={200: explanation_schemas.EntryDetailAnswer()}
)
def get_entry(entry_id: str) -> dict[str, Any]:
    """An entry with its decision and the lots it touched."""
    return db.reading(lambda connection: decisions.show_entry(connection, _program_id(), entry_id))
