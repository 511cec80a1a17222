"""Who may call what: every route with the credential and scopes it asks for.

A route that is not in this table is open to nobody, and a test fails.
"""

from core.auth import OPEN, Access, secret

TABLE: dict[str, Access] = {
    "health.healthz": OPEN,
    "health.readyz": OPEN,
    "reference.openapi": OPEN,
    "reference.docs": OPEN,
    "reference.docs_file": OPEN,
    "reference.problems": OPEN,
    "program.get_program": secret("program", "read"),
    "program.get_draft": secret("program", "read"),
    "program.put_draft": secret("program"),
    "program.patch_draft": secret("program"),
    "program.get_draft_item": secret("program", "read"),
    "program.put_draft_item": secret("program"),
    "program.delete_draft_item": secret("program"),
    "program.check_draft": secret("program", "read"),
    "program.publish_draft": secret("program"),
    "program.list_versions": secret("program", "read"),
    "program.get_version": secret("program", "read"),
    "program.restore_version": secret("program"),
    "keys.create_key": secret("keys"),
    "keys.list_keys": secret("keys"),
    "keys.revoke_key": secret("keys"),
    "storefront.put_member": secret("members"),
    "storefront.get_member": secret("members", "read"),
    "storefront.list_members": secret("members", "read"),
    "storefront.search_members": secret("members", "read"),
    "storefront.get_balances": secret("members", "orders", "read"),
    "storefront.list_entries": secret("members", "read"),
    "storefront.get_tier": secret("members", "orders", "read"),
    "storefront.put_order": secret("orders"),
    "storefront.get_order": secret("orders", "read"),
    "storefront.put_orders": secret("orders"),
    "storefront.quote": secret("orders", "read"),
    "storefront.get_decision": secret("orders", "members", "read"),
    "storefront.get_entry": secret("members", "read"),
}
