"""Rolls, prizes, chains and trees, against figures that were computed apart from the code."""

import hashlib
import hmac
import json
import math
from typing import Any

import pytest

from rewards.luck import chains, merkle, rolling

SEED = bytes(31) + b"\x01"
ABOUT: dict[str, Any] = {"rule": "surprise-5th", "version": 3, "member_ref": "m_42"}


def test_rolls_are_those_of_the_contract() -> None:
    rolls = {"ord_5": 55725, "ord_1": 406399, "ord_2": 121206, "ord_3": 758797, "ord_6": 25315}
    for activity, expected in rolls.items():
        assert rolling.roll(SEED, activity_ref=activity, **ABOUT) == expected
    # Written out once more, by the letter of the contract, with names beyond ASCII.
    text = '["draw.v1","행운",7,"단골 \\"1\\"","주문/1",0]'
    mac = hmac.new(SEED, text.encode(), hashlib.sha256).digest()
    told: dict[str, Any] = {
        "rule": "행운",
        "version": 7,
        "member_ref": '단골 "1"',
        "activity_ref": "주문/1",
    }
    assert rolling.roll(SEED, **told) == int.from_bytes(mac, "big") * 10**6 // 2**256
    assert rolling.roll(SEED, k=1, **told) != rolling.roll(SEED, **told)
    # Rounded down: 12.3457 % of which pacing leaves a third.
    assert rolling.threshold(123_457, 333_333) == 41_152
    body = {"z": 1, "a": "단골", "weights": [1, 2], "none": None, "yes": True}
    text = '{"a":"단골","none":null,"weights":[1,2],"yes":true,"z":1}'
    assert rolling.body_hash(body) == hashlib.sha256(text.encode()).digest()


def test_the_prize_is_picked_by_a_roll_of_its_own() -> None:
    mac = hmac.new(SEED, b'["draw.v1","surprise-5th",3,"m_42","ord_5",1]', hashlib.sha256)
    number = int.from_bytes(mac.digest(), "big")
    for weights in ([1], [1, 1], [90, 9, 1], [1, 9, 90], [0, 5, 0, 5], [10**9] * 7):
        left, expected = number * sum(weights) // 2**256, 0
        while left >= weights[expected]:
            left -= weights[expected]
            expected += 1
        assert rolling.pick(SEED, activity_ref="ord_5", weights=weights, **ABOUT) == expected
        assert weights[expected] > 0
    for weights in ([], [0, 0], [3, -1]):
        with pytest.raises(ValueError, match="weights"):
            rolling.pick(SEED, activity_ref="ord_5", weights=weights, **ABOUT)


def test_luck_is_as_likely_as_it_says() -> None:
    """200,000 draws at 10 %, with three prizes at 70, 25 and 5."""
    weights = (70, 25, 5)
    wins = [0, 0, 0]
    count, p = 200_000, 0.1
    for number in range(count):
        about: dict[str, Any] = {
            "rule": "luck",
            "version": 1,
            "member_ref": f"c-{number % 5000}",
            "activity_ref": f"A-{number}",
        }
        if rolling.roll(SEED, **about) < 100_000:
            wins[rolling.pick(SEED, weights=weights, **about)] += 1
    error = math.sqrt(count * p * (1 - p))
    assert abs(sum(wins) - count * p) < 4 * error
    expected = [sum(wins) * weight / 100 for weight in weights]
    square = sum((one - other) ** 2 / other for one, other in zip(wins, expected, strict=True))
    # Chi-square with two degrees of freedom exceeds 13.8 once in a thousand times.
    assert square < 13.8


def test_a_chain_leads_from_every_seed_to_its_anchor_and_forward_from_none() -> None:
    last = hashlib.sha256(b"last").digest()
    seeds = [last]
    for _ in range(5):
        seeds.insert(0, hashlib.sha256(seeds[0]).digest())
    # Five seeds that are used, behind the anchor.
    assert chains.back(last, 5) == seeds[0]
    for place in range(1, 6):
        assert chains.seed_at(last, place, length=5, anchor=seeds[0]) == seeds[place]
        assert chains.back(seeds[place], place) == seeds[0]
    for place in (0, 6):
        with pytest.raises(chains.BrokenChainError):
            chains.seed_at(last, place, length=5, anchor=seeds[0])
    with pytest.raises(chains.BrokenChainError):
        chains.seed_at(seeds[4], 3, length=5, anchor=seeds[0])
    assert chains.LENGTH == 4096
    made = {chains.new_last() for _ in range(50)}
    assert len(made) == 50 and {len(one) for one in made} == {32}


#: The leaves and roots that implementations of RFC 6962 test each other with.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
LEAVES += ["606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(leaves: list[bytes]) -> bytes:
    """By the words of RFC 6962."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = max(1 << n for n in range(20) if 1 << n < len(leaves))
    left, right = naive_root(leaves[:split]), naive_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def test_trees_are_those_of_rfc_6962() -> None:
    data = [bytes.fromhex(text) for text in LEAVES]
    for count, expected in enumerate(ROOTS, start=1):
        hashes = [merkle.leaf(one) for one in data[:count]]
        assert merkle.root(hashes).hex() == expected == naive_root(data[:count]).hex()
    assert merkle.root([]) == hashlib.sha256(b"").digest()
    for count in (*range(1, 34), 255, 256, 257, 300):
        data = [json.dumps(number).encode() for number in range(count)]
        hashes = [merkle.leaf(one) for one in data]
        expected_root = naive_root(data)
        assert merkle.root(hashes) == expected_root
        for place in {0, count // 3, count - 1}:
            path = merkle.proof(hashes, place)
            told = {"path": path}
            assert merkle.root_of_proof(hashes[place], place, count, **told) == expected_root
            other = merkle.leaf(b"other")
            assert merkle.root_of_proof(other, place, count, **told) != expected_root
            if count > 1:
                wrong = merkle.root_of_proof(hashes[place], (place + 1) % count, count, **told)
                assert wrong != expected_root
                assert merkle.root_of_proof(hashes[place], place, count, path=path[:-1]) is None
        # Blocks of a tree are nodes of it.
        blocks = [merkle.root(hashes[at : at + 4]) for at in range(0, count, 4)]
        assert merkle.root(blocks) == expected_root
