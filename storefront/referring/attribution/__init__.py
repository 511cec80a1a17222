"""Whose a friend is: the evidence that comes with a signup or an order, or staff's word."""
