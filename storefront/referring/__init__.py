"""What referrals do in the units of work of a storefront, under the locks of advocate and friend.

Links and clicks (`links/`), whose a friend is (`attribution/`), what both get and give back
(`rewarding/`), what speaks against it (`review/`); here the locks, merges and erasure.
"""
