"""Facts of orders and lines that rules may ask about."""

from rules.facts import Catalogue, Fact, Words

_STOREFRONT = "the order as the storefront told it"

ORDER = Catalogue(
    [
        Fact(
            "order.net_minor",
            "integer",
            "Value of what stands, net of discounts, without shipping (minor units)",
            _STOREFRONT,
            words=Words("", "", "{n}", is_money=True),
        ),
        Fact(
            "order.gross_minor",
            "integer",
            "Value of what stands before discounts (minor units)",
            _STOREFRONT,
            words=Words("", "before discounts", "할인 전 금액 {n}", is_money=True),
        ),
        Fact(
            "order.discount_minor",
            "integer",
            "Discounts on what stands (minor units)",
            _STOREFRONT,
            words=Words("", "in discounts", "할인 금액 {n}", is_money=True),
        ),
        Fact(
            "order.item_count",
            "integer",
            "Quantity of all lines that stand",
            _STOREFRONT,
            words=Words("item", "items", "상품 {n}개"),
        ),
        Fact(
            "order.line_count",
            "integer",
            "Number of lines that stand",
            _STOREFRONT,
            words=Words("different item", "different items", "서로 다른 상품 {n}개"),
        ),
        Fact(
            "order.channel",
            "text",
            "Where it was sold",
            _STOREFRONT,
            words=Words("channel", "channels", "판매 채널"),
        ),
        Fact(
            "order.currency",
            "text",
            "Currency of the order",
            _STOREFRONT,
            words=Words("currency", "currencies", "통화"),
        ),
        Fact(
            "order.skus",
            "list",
            "Stock keeping units of the lines that stand",
            _STOREFRONT,
            words=Words("product", "products", "상품"),
        ),
        Fact(
            "order.categories",
            "list",
            "Categories of the lines that stand",
            _STOREFRONT,
            words=Words("category", "categories", "카테고리"),
        ),
        Fact(
            "order.codes",
            "list",
            "Codes entered",
            _STOREFRONT,
            words=Words("code", "codes", "코드"),
        ),
        Fact(
            "order.is_first",
            "boolean",
            "The member's first purchase that still stands",
            "the claim on the first purchase",
            words=Words(
                "on the first purchase", "after the first purchase", "첫 구매", "첫 구매 이후"
            ),
        ),
        Fact(
            "order.is_renewal",
            "boolean",
            "A renewal of a subscription",
            _STOREFRONT,
            words=Words(
                "when a subscription is renewed",
                "when it is no renewal of a subscription",
                "정기 구독 갱신",
                "정기 구독 갱신이 아닌 주문",
            ),
        ),
        Fact(
            "order.location_ref",
            "text",
            "Which place it was sold at",
            _STOREFRONT,
            words=Words("place", "places", "구매 장소"),
        ),
        Fact("order.attributes.*", "attribute", "A fact of the storefront's own", _STOREFRONT),
    ]
)

LINE = Catalogue(
    [
        Fact(
            "line.sku",
            "text",
            "Stock keeping unit of the line",
            _STOREFRONT,
            words=Words("product", "products", "상품"),
        ),
        Fact(
            "line.categories",
            "list",
            "Categories of the line's product",
            _STOREFRONT,
            words=Words("category", "categories", "카테고리"),
        ),
        Fact(
            "line.net_minor",
            "integer",
            "What is left of the line, net of discounts (minor units)",
            _STOREFRONT,
            words=Words("", "on one item", "한 상품에 {n}", is_money=True),
        ),
        Fact(
            "line.quantity",
            "integer",
            "How many are left",
            _STOREFRONT,
            words=Words("piece of one item", "pieces of one item", "같은 상품 {n}개"),
        ),
        Fact("line.attributes.*", "attribute", "A fact of the storefront's own", _STOREFRONT),
    ]
)
