"""What referrals do in the units of work of a storefront: attributed, qualified, held, paid,
reviewed and taken back, always under the locks of the advocate and the friend."""
