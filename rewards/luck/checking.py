"""Checking: everything that was drawn, derived again from what is published (pure).

Takes chains, epochs and receipts in the form in which they are shown to anybody, one after the
other, and names each receipt and each epoch that is not what it must be. Refuses to stop at the
first fault.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rewards.luck import chains, merkle, receipts, rolling

#: Faults that are named; the others are counted.
NAMED_MAX = 1000
View = Mapping[str, Any]


@dataclass(slots=True)
class Checker:
    """What was checked so far, and what is wrong.

    `person_of` says whose a reference is now, where members were merged: from then on losses of
    both count for one.
    """

    person_of: Callable[[str], str] = str
    epochs: int = 0
    receipts: int = 0
    sealed: int = 0
    found: int = 0
    faults: list[str] = field(default_factory=list)
    _anchors: dict[int, View] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _streaks: dict[tuple[Any, ...], int] = field(default_factory=dict)
    _before: View | None = None
    _epoch: View = field(default_factory=dict)
    _seed: bytes | None = None
    _tree: merkle.Tree = field(default_factory=merkle.Tree)
    _ranges: dict[str, list[int]] = field(default_factory=dict)

    def add_chain(self, chain: View) -> None:
        """A chain: its anchor was published at an instant."""
        number = chain["number"]
        self._compare(f"chain {number}", "number", number, len(self._anchors) + 1)
        self._anchors[number] = chain

    def begin_epoch(self, epoch: View, *, seed: bytes | None = None) -> None:
        """An epoch comes next; of an open one the seed is told beside it, if it is known."""
        self.epochs += 1
        before, place = self._before, f"epoch {epoch['number']}"
        self._epoch, self._before = epoch, epoch
        self._tree, self._ranges = merkle.Tree(), {}
        self._seed = bytes.fromhex(epoch["seed"]) if epoch["seed"] is not None else seed
        if epoch["state"] == "closed" and epoch["seed"] is None:
            self._note(place, "its seed is lost: nothing drawn in it can be checked")
        self._compare(place, "number", epoch["number"], before["number"] + 1 if before else 1)
        if before is not None and before["state"] == "open" and epoch["state"] == "closed":
            self._note(place, "is closed although the one before is open")
        if before is not None and epoch["day"] < before["day"]:
            self._note(place, f"its day {epoch['day']} is before that of the epoch before")
        self._check_place(place, before, epoch)

    def _check_place(self, place: str, before: View | None, epoch: View) -> None:
        chain = self._anchors.get(epoch["chain"])
        if chain is None:
            self._note(place, f"there is no chain {epoch['chain']}")
            return
        is_same = before is not None and before["chain"] == epoch["chain"]
        expected = before["place"] + 1 if before is not None and is_same else 1
        self._compare(place, "place in its chain", epoch["place"], expected)
        if before is not None and before["chain"] > epoch["chain"]:
            self._note(place, "goes back to an earlier chain")
        if not 1 <= epoch["place"] <= chain["length"]:
            self._note(place, "its place is not in its chain")
        elif self._seed is not None:
            first = chains.back(self._seed, epoch["place"])
            self._compare(place, "anchor that its seed leads to", first.hex(), chain["anchor"])

    def add_receipt(self, receipt: View) -> None:
        """A receipt of the epoch, in the order of the leaves; of an open one without a number."""
        self.receipts += 1
        rule, number = receipt["rule"], receipt["number"]
        place = f"epoch {self._epoch['number']} {rule} #{number or receipt.get('id')}"
        if number is not None:
            self._check_number(place, receipt)
        self._compare(place, "is_sealed", receipt["is_sealed"], receipt["body"] is None)
        if receipt["body"] is None:
            self.sealed += 1
            return
        try:
            self._check_body(place, receipt)
        except (KeyError, TypeError, ValueError) as error:
            self._note(place, f"its body cannot be read: {type(error).__name__}: {error}")

    def _check_number(self, place: str, receipt: View) -> None:
        rule, number = receipt["rule"], receipt["number"]
        self._compare(place, "number", number, self._last.get(rule, 0) + 1)
        self._last[rule] = number
        if rule not in self._ranges and self._ranges and rule < max(self._ranges):
            self._note(place, "its rule is out of order")
        self._ranges.setdefault(rule, [number, number])[1] = number
        leaf = receipts.leaf(rule, number, bytes.fromhex(receipt["body_hash"]))
        self._compare(place, "leaf", receipt["leaf"], leaf.hex())
        self._tree.add(leaf)

    def _check_body(self, place: str, receipt: View) -> None:
        body = receipt["body"]
        hashed = rolling.body_hash(body).hex()
        self._compare(place, "body_hash", receipt["body_hash"], hashed)
        self._compare(place, "rule", body["rule"], receipt["rule"])
        self._compare(place, "epoch", body["epoch"], self._epoch["number"])
        if body["guard"] not in (None, *receipts.GUARDS):
            self._note(place, f"guard: there is none called {body['guard']!r}")
        if self._seed is not None:
            for name, expected in receipts.outcome(self._seed, body).items():
                self._compare(place, name, body[name], expected)
        if body["guard"] is None:
            self._check_losses(place, body)

    def _check_losses(self, place: str, body: View) -> None:
        rule, is_shadow, ref = body["rule"], body["is_shadow"], body["member_ref"]
        # Before a merge each reference counts alone.
        keys = ((rule, is_shadow, ref), (rule, is_shadow, "merged", self.person_of(ref)))
        known = {self._streaks.get(key, 0) for key in keys}
        if body["pity_after"] is not None and body["losses"] not in known:
            self._compare(place, "losses", body["losses"], min(known))
        for key in keys:
            self._streaks[key] = 0 if body["won"] else body["losses"] + 1

    def end_epoch(self) -> None:
        """All receipts of the epoch were told."""
        epoch, place = self._epoch, f"epoch {self._epoch['number']}"
        if epoch["state"] != "closed":
            return
        told = {one["rule"]: [one["first"], one["last"]] for one in epoch["rules"]}
        self._compare(place, "numbers", told, self._ranges)
        self._compare(place, "receipts", epoch["receipts"], self._tree.count)
        self._compare(place, "root", epoch["root"], self._tree.root().hex())

    def compare_seed(self, seed: bytes | None) -> None:
        """Compare the seed that is shown with the one that the sealed chain holds."""
        if seed is not None and self._epoch["seed"] is not None:
            place = f"epoch {self._epoch['number']}"
            self._compare(place, "seed of the stored chain", self._epoch["seed"], seed.hex())

    def _compare(self, place: str, what: str, told: Any, expected: Any) -> None:
        if told != expected or type(told) is not type(expected):
            self._note(place, f"{what}: told {told}, must be {expected}")

    def _note(self, place: str, what: str) -> None:
        self.found += 1
        if self.found <= NAMED_MAX:
            self.faults.append(f"{place}: {what}")

    def note(self, place: str, what: str) -> None:
        """Note a fault that was found elsewhere."""
        self._note(place, what)

    def shown(self) -> dict[str, Any]:
        """The report."""
        more = self.found - len(self.faults)
        return {
            "epochs": self.epochs,
            "receipts": self.receipts,
            "sealed": self.sealed,
            "faults": [*self.faults, f"and {more} more"] if more else self.faults,
        }
