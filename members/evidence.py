"""Bodies of what may come with a signup or an order: contact, visitor, referral.

Personal data that is matched or hashed at once and never stored in clear.
"""

from core.fields import Schema, Text, described


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


class ReferralSchema(Schema):
    """Evidence of a referral: a code or a token."""

    code = described(Text, "Code typed.", most=64)
    token = described(Text, "Token of a click.", most=2000)
