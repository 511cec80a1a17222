"""What a member did or was that is no order: activities, birthdays, anniversaries. Refuses to
know what rules say of them: `storefront.firing` does.
"""
