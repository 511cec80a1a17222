"""Orders as the storefront last told them, and what stands of each line.

Owns snapshots, their figures and the facts that rules may ask of an order. Refuses to know
points: what an order earns is decided above.
"""
