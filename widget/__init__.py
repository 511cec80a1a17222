"""What a browser may ask: a program as everybody may see it, and a member's own account.

Owns members' tokens, which origins may call (CORS), and what is left out for these readers: costs,
budgets, stock, staff's names and reasons, and everybody else. Refuses to decide anything: it shows
and calls what `storefront` decides.
"""
