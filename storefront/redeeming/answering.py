"""Answers that show a code: stored sealed, sent in clear.

A repeated request is answered what was answered first, so its answer is kept for a month; a code
in it is sealed there, as it is in its own row. Refuses to store one that can be read.
"""

from typing import Any

import sqlalchemy as sa
from flask import Response

from core import idempotency, ids, jsontext, sealing
from rewards import redemptions

_PURPOSE = "redemption answers"


def once(work: idempotency.Work, *, subjects: idempotency.Subjects) -> Response:
    """Run `work`, which answers a redemption, once per Idempotency-Key (`core.idempotency`)."""

    def sealed(connection: sa.Connection) -> tuple[dict[str, Any], int]:
        answer, status = work(connection)
        return _sealed(answer), status

    response = idempotency.once(sealed, subjects=subjects)
    answer = jsontext.parse(response.get_data())
    if answer["redemption"]["voucher"] is not None:
        response.set_data(jsontext.write(_opened(answer)))
    return response


def _sealed(answer: dict[str, Any]) -> dict[str, Any]:
    voucher = answer["redemption"]["voucher"]
    if voucher is None or voucher["code"] is None:
        return answer
    owner, keys = _owner(answer), sealing.keys()
    code = sealing.seal(voucher["code"], purpose=_PURPOSE, keys=keys, owner=owner)
    return _with_code(answer, code)


def _opened(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with its code; null where SECRET_KEY was changed without a fallback."""
    sealed = answer["redemption"]["voucher"]["code"]
    if sealed is None:
        return answer
    try:
        code = sealing.unseal(sealed, purpose=_PURPOSE, keys=sealing.keys(), owner=_owner(answer))
    except sealing.SealError:
        return _with_code(answer, None)
    return _with_code(answer, code)


def _owner(answer: dict[str, Any]) -> bytes:
    found = ids.read_id(redemptions.PREFIX, answer["redemption"]["id"])
    assert found is not None
    return found


def _with_code(answer: dict[str, Any], code: str | None) -> dict[str, Any]:
    redemption = answer["redemption"]
    voucher = redemption["voucher"] | {"code": code}
    return answer | {"redemption": redemption | {"voucher": voucher}}
