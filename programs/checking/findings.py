"""Findings of the check: what is wrong or probably not meant, where, and what to do."""

from core.errors import FieldError


class Findings:
    """Errors and warnings, gathered."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self.warnings: list[FieldError] = []

    def error(self, pointer: str, detail: str, code: str = "invalid") -> None:
        """What must be changed before it can be saved."""
        self.errors.append(FieldError(pointer, code, detail))

    def missing(self, pointer: str, what: str) -> None:
        """A feature that this version does not have."""
        self.error(
            pointer,
            f"{what} is not available in this version of Dangol; leave it out",
            "not_available",
        )

    def warning(self, pointer: str, code: str, detail: str) -> None:
        """What is allowed but probably not meant."""
        self.warnings.append(FieldError(pointer, code, detail))
