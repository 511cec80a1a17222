"""Links and clicks: given, shared, opened, told; and what a member sees of whom they brought."""
