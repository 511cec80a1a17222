"""Checks draws without trusting who made them: every outcome is derived again from public data.

    python verify_draws.py draws.json
    python verify_draws.py --url http://127.0.0.1:8000 --key sk_live_... [--anchor 6f1c...]

The file is what `flask draws export` writes. Needs nothing but the standard library. Prints what
was checked and what is wrong; exits 1 when anything is. Give the anchor that you wrote down before
the draws: then nobody can have chosen the seeds afterwards.
"""

import argparse
import hashlib
import hmac
import itertools
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

GUARDS = (None, "holdout", "excluded", "limit_reached", "cooldown", "budget")


def canonical(value: Any) -> bytes:
    """JSON with sorted names, no spaces, in UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def number_of(seed: bytes, body: dict[str, Any], k: int) -> int:
    """The number of 256 bits that decides: with k = 0 the roll, with k = 1 the prize."""
    names = [body["rule"], body["version"], body["member_ref"], body["activity_ref"]]
    mac = hmac.new(seed, canonical(["draw.v1", *names, k]), hashlib.sha256).digest()
    return int.from_bytes(mac, "big")


def root_of(leaves: list[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962, 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:]))


class Check:
    """What was told, and what is wrong with it."""

    def __init__(self) -> None:
        self.sealed = self.rolled = self.won = 0
        self.faults: list[str] = []
        self.merged: dict[str, str] = {}
        #: By rule the last number; by rule and member the losses in a row.
        self.last: dict[str, int] = {}
        self.losses: dict[tuple[Any, ...], int] = {}

    def equal(self, place: str, what: str, told: Any, expected: Any) -> None:
        """Note a fault unless both are the same."""
        if told != expected or type(told) is not type(expected):
            self.faults.append(f"{place}: {what} is {told}, must be {expected}")

    def run(self, told: dict[str, Any]) -> None:
        """Check every epoch, the first one first."""
        if not all(isinstance(told[part], list) for part in ("chains", "epochs", "receipts")):
            raise ValueError("chains, epochs and receipts must be lists")
        self.merged = told.get("merged") or {}
        chains = {one["number"]: one for one in told["chains"]}
        by_epoch: dict[int, list[dict[str, Any]]] = {}
        for receipt in told["receipts"]:
            by_epoch.setdefault(receipt["epoch"], []).append(receipt)
        before: dict[str, Any] = {"number": 0, "chain": 0, "place": 0, "day": "", "state": "closed"}
        for epoch in sorted(told["epochs"], key=lambda one: one["number"]):
            place = f"epoch {epoch['number']}"
            self.equal(place, "its number", epoch["number"], before["number"] + 1)
            expected = before["place"] + 1 if epoch["chain"] == before["chain"] else 1
            self.equal(place, "its place in the chain", epoch["place"], expected)
            for what in ("chain", "day"):
                self.equal(place, f"its {what}", epoch[what], max(epoch[what], before[what]))
            found = by_epoch.pop(epoch["number"], [])
            if epoch["state"] == "closed":
                self.equal(place, "the state of the epoch before", before["state"], "closed")
                self.check_epoch(place, epoch, chains[epoch["chain"]], found)
            elif found:
                self.faults.append(f"{place}: is open and has receipts")
            before = epoch
        for number in by_epoch:
            self.faults.append(f"epoch {number}: has receipts, and there is no such epoch")

    def check_epoch(
        self, place: str, epoch: dict[str, Any], chain: dict[str, Any], found: list[dict[str, Any]]
    ) -> None:
        """Check seed, numbers, receipts and root of a closed epoch."""
        seed = first = bytes.fromhex(epoch["seed"] or "")
        for _ in range(epoch["place"]):
            first = sha256(first)
        self.equal(place, "the anchor that its seed leads to", first.hex(), chain["anchor"])
        found = sorted(found, key=lambda one: (one["rule"], one["number"]))
        ranges: dict[str, list[int]] = {}
        leaves = []
        for receipt in found:
            rule, number = receipt["rule"], receipt["number"]
            name = f"{place} {rule} #{number}"
            self.equal(name, "its number", number, self.last.get(rule, 0) + 1)
            self.last[rule] = number
            ranges.setdefault(rule, [number, number])[1] = number
            leaf = sha256(b"\x00" + canonical([rule, number, receipt["body_hash"]]))
            self.equal(name, "its leaf", receipt["leaf"], leaf.hex())
            leaves.append(leaf)
            self.equal(name, "is_sealed", receipt["is_sealed"], receipt["body"] is None)
            self.sealed += receipt["body"] is None
            if receipt["body"] is not None:
                self.check_body(name, receipt, seed)
        told = {one["rule"]: [one["first"], one["last"]] for one in epoch["rules"]}
        self.equal(place, "the numbers of its rules", told, ranges)
        self.equal(place, "the count of its receipts", epoch["receipts"], len(found))
        self.equal(place, "its root", epoch["root"], root_of(leaves).hex())

    def check_body(self, name: str, receipt: dict[str, Any], seed: bytes) -> None:
        """Derive what a receipt says from the seed and from what was known."""
        body = receipt["body"]
        self.equal(name, "body_hash", receipt["body_hash"], sha256(canonical(body)).hex())
        self.equal(name, "its rule", body["rule"], receipt["rule"])
        self.equal(name, "its epoch", body["epoch"], receipt["epoch"])
        self.equal(name, "whether its guard is known", body["guard"] in GUARDS, True)
        if body["guard"] is not None:
            said = (body["roll"], body["prize"], body["won"], body["is_pity"])
            self.equal(name, "what was rolled", said, (None, None, False, False))
            return
        roll = number_of(seed, body, 0) * 1_000_000 >> 256
        threshold = body["probability_ppm"] * body["pace_ppm"] // 1_000_000
        is_owed = body["pity_after"] is not None and body["losses"] >= body["pity_after"]
        won, prize = roll < threshold or is_owed, None
        if won:
            left = number_of(seed, body, 1) * sum(body["weights"]) >> 256
            sums = itertools.accumulate(body["weights"])
            prize = next(place for place, upto in enumerate(sums) if left < upto)
        derived = {"roll": roll, "threshold_ppm": threshold, "won": won, "prize": prize}
        for what, value in {**derived, "is_pity": won and roll >= threshold}.items():
            self.equal(name, what, body[what], value)
        self.rolled, self.won = self.rolled + 1, self.won + won
        # Losses in a row; before two members were merged each counted alone.
        ref = body["member_ref"]
        people = ((ref,), ("merged", self.merged.get(ref, ref)))
        keys = [(body["rule"], body["is_shadow"], *one) for one in people]
        known = [self.losses.get(key, 0) for key in keys]
        if body["pity_after"] is not None and body["losses"] not in known:
            self.equal(name, "losses in a row", body["losses"], known[0])
        for key in keys:
            self.losses[key] = 0 if body["won"] else body["losses"] + 1


def fetch(url: str, key: str) -> dict[str, Any]:
    """The same as the file, from the addresses of the contract."""

    def pages(path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while not found or found[-1]["next_cursor"] is not None:
            cursor = f"&cursor={found[-1]['next_cursor']}" if found else ""
            address = f"{url}/v1{path}?limit=100{cursor}"
            request = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                found.append(json.load(answer))
        return found

    told = pages("/fairness/epochs")
    epochs = [one for page in told for one in page["data"]]
    receipts = []
    for number in (one["number"] for one in epochs if one["state"] == "closed"):
        for page in pages(f"/fairness/epochs/{number}/receipts"):
            receipts += [{"epoch": number} | one for one in page["data"]]
    return {"chains": told[0]["chains"], "epochs": epochs, "receipts": receipts}


def main() -> int:
    """Read, check, print."""
    parser = argparse.ArgumentParser(description="Checks draws without trusting who made them.")
    parser.add_argument("file", nargs="?", type=Path, help="what `flask draws export` wrote")
    parser.add_argument("--url", help="or an instance to ask")
    parser.add_argument("--key", help="a key of it that may read")
    parser.add_argument("--anchor", help="the anchor that was published")
    given = parser.parse_args()
    if bool(given.file) == bool(given.url and given.key):
        parser.error("name a file, or --url and --key")
    check = Check()
    try:
        told = json.loads(given.file.read_bytes()) if given.file else fetch(given.url, given.key)
        check.run(told)
        if given.anchor not in (None, *(one["anchor"] for one in told["chains"])):
            check.faults.append("the anchor that was published is not among the chains")
        print(f"{len(told['epochs'])} epochs, {len(told['receipts'])} receipts,", end=" ")
        print(f"{check.rolled} rolled, {check.won} won, {check.sealed} sealed")
    except (AttributeError, LookupError, OSError, TypeError, ValueError, StopIteration) as error:
        check.faults.append(f"what was told cannot be read: {error!r}")
    print(*(f"WRONG {fault}" for fault in check.faults), sep="\n", end="\n" * bool(check.faults))
    print("NOT CLEAN" if check.faults else "clean")
    return 1 if check.faults else 0


if __name__ == "__main__":
    sys.exit(main())
