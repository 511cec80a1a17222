"""Segments over the use cases' view of members: the relation of facts that they are asked by, the
looks that tell who entered and left, and their addresses. Refuses to decide anything.
"""
