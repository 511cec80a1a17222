"""What a book reads when it needs it: lots, holds and what was taken of which lot."""

from collections.abc import Sequence
from typing import Protocol

from loyalty.ledger.rows import HeldHold, HeldLot


class Source(Protocol):
    """Where a book reads what it was not given."""

    def open_lots(self, member_id: bytes, points_key: str) -> list[HeldLot]:
        """Lots of an account with points remaining."""

    def lots_by_id(self, lot_ids: Sequence[bytes]) -> list[HeldLot]:
        """Lots by id."""

    def open_holds(self, member_id: bytes, points_key: str) -> list[HeldHold]:
        """Holds of an account that have not ended."""

    def hold_parts(self, entry_id: bytes) -> list[tuple[bytes, int]]:
        """What the entry of a hold took of which lot."""

    def spent_again(self, held: HeldHold) -> list[tuple[int, list[tuple[bytes, int]]]]:
        """What went back of a hold since it was made and what of that was spent anew, in order:
        how many points, with the lots of what was spent; nothing where none was."""

    def taken_for(self, lot_id: bytes) -> dict[bytes, int]:
        """What other lots gave for this one's award, less what they got back, by lot."""

    def made_by(self, source_id: bytes) -> list[HeldLot]:
        """The lots that a cause made."""

    def twin_of(self, lot: HeldLot) -> HeldLot | None:
        """The lot that another became when its account was merged into another."""


class Nothing:
    """The source of a book that was given everything there is."""

    def open_lots(self, _member_id: bytes, _points_key: str) -> list[HeldLot]:
        """None further."""
        return []

    def lots_by_id(self, _lot_ids: Sequence[bytes]) -> list[HeldLot]:
        """None further."""
        return []

    def open_holds(self, _member_id: bytes, _points_key: str) -> list[HeldHold]:
        """None."""
        return []

    def hold_parts(self, _entry_id: bytes) -> list[tuple[bytes, int]]:
        """None."""
        return []

    def spent_again(self, _held: HeldHold) -> list[tuple[int, list[tuple[bytes, int]]]]:
        """Nothing."""
        return []

    def taken_for(self, _lot_id: bytes) -> dict[bytes, int]:
        """Nothing."""
        return {}

    def made_by(self, _source_id: bytes) -> list[HeldLot]:
        """None further."""
        return []

    def twin_of(self, _lot: HeldLot) -> HeldLot | None:
        """None."""
        return None
