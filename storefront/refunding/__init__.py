"""What a refund does to an order, its awards, and what it was paid with. Refuses to decide what is
deserved: `storefront.decide` does, on what is left.
"""
