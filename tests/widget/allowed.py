"""Every field that a browser may be answered with, by address: each was looked at."""

#: Kinds of worth: `discount` in any answer.
WORTH = ("kind", "minor", "percent_bp", "max_minor", "sku", "perk", "valid_for", "until")
PAYING = ("points_key", "min_points", "step_points", "max_order_bp", "exclude_gift_cards")


def below(path: str, *names: str) -> set[str]:
    return {f"{path}.{name}" for name in names}


PUBLIC = {
    *("name", "locale", "locales", "timezone", "currency", "level_metrics"),
    *below("points", "key", "name"),
    *below("ways_to_earn", "key", "trigger", "name", "description", "summary", "hours"),
    *below("ways_to_earn", "ends_at", "has_conditions"),
    *below("levels", "key", "name", "description", "enter_at.spend", "multiplier_bp", "brings"),
    *below("levels", "enter_at"),
    *below("levels.perks", "key", "name"),
    *below("cards", "key", "name", "description", "stamps", "brings", "repeats", "valid_for"),
    *below("rewards", "key", "name", "description", "kind", "cost_points", "cost_by_tier.silver"),
    *below("rewards", "points_key", "min_order_minor", "tiers", "starts_at", "ends_at", "hours"),
    *below("rewards", "image_url", "terms", "category", "position", "combines"),
    *below("rewards.discount", *WORTH),
    *below("pay_with_points", *PAYING, "value.points", "value.minor"),
    *below("offers", "key", "name", "description", "advocate", "friend", "qualifies"),
    *below("offers", "min_net_minor", "tiers", "landing_url"),
    *below("offers.milestones", "at", "repeats", "brings"),
}
MEMBER = {
    *("id", "member_ref", "name", "email", "phone", "birthday_on", "locale", "card_ref"),
    *("is_enrolled", "joined_at"),
    *below("consents", "purpose", "channel", "is_granted", "at", "source", "text_version"),
}
BALANCE = {
    *("points_key", "name", "available", "pending", "held", "lifetime_earned"),
    *below("expiring", "expires_at", "points"),
}
CARD = {
    *("key", "name", "stamps", "required", "completed_count", "first_stamp_at", "expires_at"),
    "state",
}
SURPRISE = {
    *("id", "name", "note", "source.type", "source.ref", "won_at", "is_seen"),
    *below("points", "name", "points_key", "points", "state", "available_at", "expires_at"),
    *below("rewards", "id", "reward", "name", "state", "expires_at"),
    *below("rewards", "voucher", "voucher.code", "voucher.expires_at"),
    *below("cash", "minor", "currency"),
}
ME = {
    "locale",
    *below("member", *MEMBER),
    *below("member.entitlements", "perk", "name", "until", "source"),
    *below("balances", *BALANCE),
    *below("expiring", "points_key", "expires_at", "points"),
    *below("tier", "key", "name", "since", "until", "grace_until", "at_risk", "projected"),
    *below("tier.progress", "metric", "value", "next", "next.key", "next.missing"),
    *below("tier.progress", "retain", "retain.missing", "retain.by"),
    *below("cards", *CARD),
    "next_reward",
    *below("next_reward", "key", "name", "kind", "cost_points", "points_key", "missing_points"),
    *below("next_reward", "image_url"),
    *below("surprises", *SURPRISE),
}
ENTRY = {
    *("id", "seq", "kind", "points", "points_key", "from", "to", "available_after"),
    *("effective_at", "recorded_at", "source.type", "source.ref", "summary"),
}
VOUCHER = {"voucher", "voucher.code", "voucher.expires_at"}
REWARD = {
    *("key", "name", "description", "kind", "cost_points", "points_key", "min_order_minor"),
    *("needs_cart", "has_voucher", "combines", "is_available", "is_in_stock", "missing_points"),
    *("image_url", "terms", "category", "position"),
    *below("discount", *WORTH),
    *below("unavailable_reasons", "code", "detail", "missing_points", "missing_minor", "from"),
    *below("grants", "id", "expires_at", *VOUCHER),
}
REDEMPTION = {
    *("id", "reward", "name", "kind", "state", "points_key", "points", "discount_minor"),
    *("cart_ref", "order_ref", "held_at", "expires_at", "captured_at", "ended_at"),
    *below("discount", *WORTH),
    *VOUCHER,
}
CODE = {
    *("id", "state", "kind", "reward", "name", "value_minor", "remaining_minor", "uses_left"),
    *("redemption_id", "grant_id", "issued_at", "expires_at", "code"),
    *below("discount", *WORTH),
}
REDEEMED = {*below("redemption", *REDEMPTION), *below("balances", *BALANCE)}
LINK = {
    *("id", "code", "url", "aliases", "offer"),
    *below("share", "text", "copy", "email", "sms", "line", "whatsapp", "x", "qr_svg_url"),
    *below("share.kakao", "title", "description", "link", "button"),
}
REFERRALS = {
    *below("counts", "identified", "on_hold", "approved", "rejected", "expired"),
    "rewarded",
    *below("rewards", "kind", "name", "points_key", "points", "reward", "count"),
    *below("rewards", "currency", "minor", "card", "stamps"),
    *below("milestones", "offer", "at", "reached", "times", "missing"),
    *below("next_milestone", "offer", "at", "missing"),
    *below("data", "id", "name", "state", "reward", "detail", "offer", "bound_at"),
    *below("data", "qualified_at", "hold_until", "approved_at"),
}
EXPORT = {
    *("exported_at", "program"),
    *below("member", *MEMBER, "contact_verified", "attributes", "created_at", "earlier_refs"),
    *below("balances", *BALANCE),
    *below("cards", *CARD),
    *below("entries", *ENTRY),
    *below("lots", "id", "points_key", "points", "remaining", "earned_at", "available_at"),
    *below("lots", "expires_at"),
    "orders",
    *below("activities", "activity_ref", "kind", "status", "occurred_at", "facts"),
    *below("tier_changes", "from", "to", "kind", "cause", "effective_at", "recorded_at"),
    *below("redemptions", *REDEMPTION),
    *below("grants", "id", "reward", "state", "source.type", "source.ref", "granted_at"),
    *below("grants", "expires_at", "ended_at"),
    *below("vouchers", "id", "kind", "reward", "state", "origin", "code", "value_minor"),
    *below("vouchers", "remaining_minor", "issued_at", "expires_at", "ended_at"),
    *below("fulfilments", "id", "reward", "state", "carrier", "tracking", "requested_at"),
    *below("fulfilments", "shipped_at", "delivered_at", "cancelled_at"),
    *below("payables", "id", "minor", "currency", "source.type", "source.ref"),
    *below("payables", "effective_at", "is_exported"),
    *below("links", "id", "offer", "code", "created_at"),
    *below("referrals", "id", "side", "state", "first_rewarded_at"),
    *below("surprises", "id", "state", "source.type", "source.ref", "won_at", "recorded_at"),
    "surprises.seen_at",
    *below("decisions", "id", "source.type", "source.ref", "facts", "effective_at"),
    "decisions.recorded_at",
}
PAGED = {"next_cursor", "data"}
ALLOWED: dict[str, set[str]] = {
    "widget.get_public_program": PUBLIC,
    "widget.get_me": ME,
    "widget.change_me": ME,
    "widget.list_my_entries": PAGED | below("data", *ENTRY),
    "widget.list_my_rewards": PAGED | below("data", *REWARD),
    "widget.list_my_redemptions": PAGED | below("data", *REDEMPTION),
    "widget.list_my_vouchers": PAGED | below("data", *CODE),
    "widget.hold_mine": REDEEMED,
    "widget.release_mine": REDEEMED,
    "widget.share_mine": LINK,
    "widget.list_my_links": PAGED
    | below("data", *LINK, "is_open", *below("counts", "channel", "shared", "clicked")),
    "widget.list_my_referrals": PAGED | REFERRALS,
    "widget.list_my_surprises": PAGED | below("data", *SURPRISE),
    "widget.see_mine": below("surprise", "id", "is_seen", "seen_at"),
    "widget.export_me": EXPORT,
}
