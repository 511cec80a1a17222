"""What a referral deserves: qualified, held, paid, capped, taken back, and what hangs on it."""
