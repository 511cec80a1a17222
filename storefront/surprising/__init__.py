"""Surprises of the use cases: chances that orders and other happenings bring are drawn here, won
prizes are paid, and follow what caused them."""
