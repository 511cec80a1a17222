"""Programs: the tenant, its one versioned document, what was decided under it, its keys.

Owns the document's schema, check, draft, publication and compiled form, and the decisions that
pin a version. Refuses to know members, orders or points: it holds their settings, not them.
"""
