"""Independent computations that the served figures are compared with.

Owns other ways to the same numbers, written from the requirements alone. Refuses to import
anything of the application: what shares its code would share its mistakes.
"""
