"""Where members stand: levels as orders, time, hands and the ladder move them, and what entering
them pays. Refuses the arithmetic of a ladder: `loyalty.tiers` has it.
"""
