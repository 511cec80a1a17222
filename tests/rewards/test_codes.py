"""Codes: made, read in any spelling, found and opened by keys alone."""

import re

import pytest
from flask import Flask

from core import ids, sealing
from rewards import codes
from webhooks import signing

KEYS = ("an-old-key-0123456789-abcdefghijklm", "another-key-0123456789-abcdefghijk")
PROGRAM, OTHER = ids.new_id(), ids.new_id()


def test_a_code_of_ours_has_thirteen_symbols_of_five_bits() -> None:
    made = codes.make("####-####-#####")
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{5}", made)
    assert codes.random_bits("####-####-#####") == 65
    assert len({codes.make("####-####-#####") for _ in range(1000)}) == 1000


def test_a_pattern_keeps_what_is_no_sign_of_it() -> None:
    assert codes.make("WELCOME").startswith("WELCOME")
    assert re.fullmatch(r"HI-[0-9A-Z]{2}\.x", codes.make("HI-##.x"))


def test_every_symbol_occurs() -> None:
    seen = set("".join(codes.make("#" * 64) for _ in range(100)))
    assert seen == set(codes.ALPHABET) and len(codes.ALPHABET) == 32


@pytest.mark.parametrize(
    "typed",
    [
        "k0p1-2345",
        "KOPI-2345",
        "kopl 2345",
        "K.O.P.L_2345",
        "  ko-pi\t23 45 ",
        "ｋｏｐｉ２３４５",
    ],
)
def test_spellings_of_one_code_are_one(typed: str) -> None:
    assert codes.canonical(typed) == "K0P12345"


def test_other_codes_are_others() -> None:
    assert codes.canonical("KOPI-2346") != codes.canonical("KOPI-2345")
    assert codes.canonical(" -_. ") == ""


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The instance's keys, to be changed by a test."""
    held: list[tuple[str, ...]] = [KEYS[:1]]
    monkeypatch.setattr(sealing, "keys", lambda: held[0])
    return held


def test_a_code_is_found_in_any_spelling_by_a_digest_of_its_program(keys: object) -> None:
    [digest] = codes.digests(PROGRAM, "KOPI-2345")
    assert codes.digests(PROGRAM, "kop1 2345") == [digest]
    assert codes.digests(OTHER, "KOPI-2345") != [digest]
    assert codes.digests(PROGRAM, "KOPI-2346") != [digest]


def test_a_rotated_key_still_finds_and_opens(keys: list[tuple[str, ...]]) -> None:
    voucher_id = ids.new_id()
    [digest] = codes.digests(PROGRAM, "KOPI-2345")
    sealed = codes.seal(PROGRAM, voucher_id, "KOPI-2345")
    keys[0] = (KEYS[1], KEYS[0])
    assert codes.digests(PROGRAM, "KOPI-2345")[1] == digest
    assert codes.digests(PROGRAM, "KOPI-2345")[0] != digest
    assert codes.reveal(PROGRAM, voucher_id, sealed) == "KOPI-2345"
    keys[0] = KEYS[1:]
    assert codes.reveal(PROGRAM, voucher_id, sealed) is None


def test_a_sealed_code_opens_in_its_own_row_alone(keys: object) -> None:
    voucher_id = ids.new_id()
    sealed = codes.seal(PROGRAM, voucher_id, "KOPI-2345")
    assert "KOPI" not in sealed
    assert sealed != codes.seal(PROGRAM, voucher_id, "KOPI-2345")
    assert codes.reveal(PROGRAM, ids.new_id(), sealed) is None
    assert codes.reveal(OTHER, voucher_id, sealed) is None


def test_webhook_secrets_sealed_before_still_open() -> None:
    """Sealed when the sealing was the webhooks' own."""
    import base64
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = hmac.digest(KEYS[0].encode(), b"dangol webhook secrets", hashlib.sha256)
    nonce = bytes(range(12))
    stored = base64.b64encode(nonce + AESGCM(key).encrypt(nonce, b"whsec_x", b"owner")).decode()
    assert signing.unseal(stored, keys=[KEYS[1], KEYS[0]], owner=b"owner") == "whsec_x"
    with pytest.raises(sealing.SealError):
        signing.unseal(stored, keys=KEYS[1:], owner=b"owner")


def test_one_purpose_opens_nothing_of_another(app: Flask) -> None:
    with app.app_context():
        sealed = sealing.seal("x", purpose="one", keys=sealing.keys(), owner=b"")
        with pytest.raises(sealing.SealError):
            sealing.unseal(sealed, purpose="two", keys=sealing.keys(), owner=b"")
