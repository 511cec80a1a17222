"""The use cases a storefront calls: signup, quotes, orders, and what they answer.

Reads once, decides purely (`storefront.decide`), writes once. The only package that knows all
those below it.
"""
