"""Clients that a storefront could start from; each plays its story against a served instance."""
