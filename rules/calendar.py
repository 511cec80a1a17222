"""The calendar of schedules and limits: local time and local days of instants in a zone.

Pure. Instants are whole microseconds since 1970-01-01T00:00:00Z. Refuses to know what now is.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def local(at: int, zone: ZoneInfo) -> datetime:
    """What calendar and clock show in a zone at an instant."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(zone)


def instant(moment: datetime) -> int:
    """The instant of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def day_start(day: date, zone: ZoneInfo) -> int:
    """The first instant of a local day, also where the clock skips its midnight."""
    return instant(datetime(day.year, day.month, day.day, tzinfo=zone))
