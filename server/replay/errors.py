"""What ends a replay."""


class ReplayError(RuntimeError):
    """The replay cannot go on; the message says why, and what to do about it."""
