"""Landing pages: the address that a link leads to, as it is sent.

Pure. The host is the very one that was compared with the hosts an offer allows (`host_of`); what
the address holds besides stays as it was written, but for signs that no header can carry. Refuses
an address that names no host by answering nothing.
"""

import functools
import string
from urllib.parse import quote, unquote_plus, urlsplit

from programs.referrals import host_of

PARAMETER = "rt"
#: What stays as it is: whatever a header can carry and a browser does not make another sign of.
_KEPT = "".join(sorted(set(string.printable) - set(string.whitespace) - set('"<>\\')))


@functools.lru_cache(maxsize=1024)
def parts(url: str) -> tuple[str, str] | None:
    """A page's address up to the end of its query, without a token of its own in that, and its
    fragment; in ASCII. None for an address that nobody can be led to."""
    host = host_of(url)
    if host is None:
        return None
    found = urlsplit(url)
    query = found.query
    pairs = query.split("&")
    others = [one for one in pairs if unquote_plus(one.partition("=")[0]) != PARAMETER]
    if len(others) < len(pairs):
        query = "&".join(others)
    try:
        path, query, fragment = map(_ascii, (found.path or "/", query, found.fragment))
    except UnicodeEncodeError:
        # Half of a symbol.
        return None
    before = f"{found.scheme}://{host}{path}"
    return (f"{before}?{query}" if query else before), (f"#{fragment}" if fragment else "")


def _ascii(text: str) -> str:
    return quote(text, safe=_KEPT)
