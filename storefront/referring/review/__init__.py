"""What speaks against a referral, and what staff decides of it."""
