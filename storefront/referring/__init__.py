"""What referrals do in the units of work of a storefront, always under the locks of the advocate and
the friend: links and clicks (`links/`), whose a friend is (`attribution/`), what both get and give
back (`rewarding/`), what speaks against it (`review/`); here the locks, merges and erasure."""
