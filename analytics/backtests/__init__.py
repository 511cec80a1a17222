"""Back-tests: stored orders, refunds and activities told again to a copy of the program under
another document, by the same use cases that served them."""
