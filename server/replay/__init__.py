"""Replays a year of a real grocer's baskets against a served instance, through HTTP alone.

Owns the mapping of the Complete Journey data set to members and orders, the program document it
is replayed under, and the driver that sends it. Refuses to touch the database or any other
package of this application: whatever it learns, it learns from answers.
"""
