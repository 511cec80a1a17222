"""Facts of orders and lines that rules may ask about."""

from rules.facts import Catalogue, Fact

_STOREFRONT = "the order as the storefront told it"

ORDER = Catalogue(
    [
        Fact(
            "order.net_minor",
            "integer",
            "Value of what stands, net of discounts, without shipping (minor units)",
            _STOREFRONT,
        ),
        Fact(
            "order.gross_minor",
            "integer",
            "Value of what stands before discounts (minor units)",
            _STOREFRONT,
        ),
        Fact(
            "order.discount_minor", "integer", "Discounts on what stands (minor units)", _STOREFRONT
        ),
        Fact("order.item_count", "integer", "Quantity of all lines that stand", _STOREFRONT),
        Fact("order.line_count", "integer", "Number of lines that stand", _STOREFRONT),
        Fact("order.channel", "text", "Where it was sold", _STOREFRONT),
        Fact("order.currency", "text", "Currency of the order", _STOREFRONT),
        Fact("order.skus", "list", "Stock keeping units of the lines that stand", _STOREFRONT),
        Fact("order.categories", "list", "Categories of the lines that stand", _STOREFRONT),
        Fact("order.codes", "list", "Codes entered", _STOREFRONT),
        Fact(
            "order.is_first",
            "boolean",
            "The member's first purchase that still stands",
            "the claim on the first purchase",
        ),
        Fact("order.is_renewal", "boolean", "A renewal of a subscription", _STOREFRONT),
        Fact("order.location_ref", "text", "Which place it was sold at", _STOREFRONT),
        Fact("order.attributes.*", "attribute", "A fact of the storefront's own", _STOREFRONT),
    ]
)

LINE = Catalogue(
    [
        Fact("line.sku", "text", "Stock keeping unit of the line", _STOREFRONT),
        Fact("line.categories", "list", "Categories of the line's product", _STOREFRONT),
        Fact(
            "line.net_minor",
            "integer",
            "What is left of the line, net of discounts (minor units)",
            _STOREFRONT,
        ),
        Fact("line.quantity", "integer", "How many are left", _STOREFRONT),
        Fact("line.attributes.*", "attribute", "A fact of the storefront's own", _STOREFRONT),
    ]
)
