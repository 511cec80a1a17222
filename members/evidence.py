"""Bodies of what may come with a signup or an order: contact, visitor, referral.

Personal data that is matched or hashed at once and never stored in clear. What comes with a fact
is taken as it is; where it says who asks, it is checked.
"""

import ipaddress
from typing import Any

import marshmallow as ma

from core.fields import Schema, Text, described


class IpAddress(Text):
    """An address of version 4 or 6, bare: without zone, brackets or port."""

    def __init__(self, **options: Any) -> None:
        super().__init__(most=64, **options)

    def _deserialize(self, value: Any, *rest: Any, **named: Any) -> str:
        text = super()._deserialize(value, *rest, **named)
        try:
            found = ipaddress.ip_address(text)
        except ValueError:
            found = None
        if found is None or "%" in text:
            raise ma.ValidationError(
                "must be an IP address, such as 203.0.113.9 or 2001:db8::1, without zone and port"
            )
        return text


class ContactSchema(Schema):
    """Contact given with an order; never stored in clear."""

    email = described(Text, "E-mail address.", most=320)
    phone = described(Text, "Telephone number.", most=40)


class VisitorSchema(Schema):
    """Traces of the visitor; never stored in clear."""

    ip = described(Text, "Network address.", most=64)
    user_agent = described(Text, "Browser.", most=1000)
    device = described(Text, "Device id.", most=256)
    payment_fingerprint = described(Text, "Fingerprint of the means of payment.", most=256)
    address = described(Text, "Postal address.", most=500)


class AskingVisitorSchema(VisitorSchema):
    """Traces of a visitor who asks: by their address wrong codes are counted."""

    ip = described(IpAddress, "Network address, version 4 or 6, without zone and port.")


class ReferralSchema(Schema):
    """Evidence of a referral: a code or a token."""

    code = described(Text, "Code typed.", most=64)
    token = described(Text, "Token of a click.", most=2000)
