"""Addresses of the catalogue: what members can have."""

from typing import Any

from core import auth, http, paging
from core.paging import PageQuery
from storefront.redeeming import catalogue, reward_schemas
from storefront.vouchers import seeing

routes = http.Routes("rewards", __name__, url_prefix="/v1", description="Rewards.")


@routes.operation(
    "GET",
    "/members/<ref:member_ref>/rewards",
    answers={200: reward_schemas.CatalogueAnswer()},
    query=PageQuery(),
)
def list_rewards(member_ref: str, query: dict[str, Any]) -> dict[str, Any]:
    """Every reward of the catalogue, what it costs this member, whether they can have it now and
    every reason why not; also what they were granted. What asks for an order is judged by a quote.
    """
    found = catalogue.list_rewards(auth.credential().program_id, member_ref)
    return seeing.as_seen(paging.of_list(found, query), "members", "orders")
