"""Webhooks: endpoints of a program, the delivery of its outbox to them, and the log of it.

Owns endpoints and their secrets, deliveries and their attempts, the types of messages, and all
outgoing HTTP. Refuses addresses that are not public unless the operator allows their network.
Decides nothing and knows no member: what a message says was fixed when its effect was written.
"""
