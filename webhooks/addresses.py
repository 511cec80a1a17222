"""Addresses that may be called: public ones, and what the operator allows besides.

Owns the check of a URL when it is told and of every address its host leads to when it is called.
Refuses whatever can lead inside: loopback in any spelling, private and special networks, and the
IPv6 forms that carry an IPv4 address. Names are resolved at each attempt, never before.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Texts of the addresses of a host, in the order to try them; OSError when there are none.
Resolve = Callable[[str], Sequence[str]]

URL_MAX = 2048
_URL = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
#: What URL parsers take for the end of an IPv4 address, in whatever base.
_NUMERIC = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)

_REFUSED_V4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host, reachable from inside only
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
#: Everything outside of this is no unicast address of the Internet: `::1`, `::ffff:0:0/96`,
#: NAT64, unique local, link-local, site-local, multicast.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = [
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo, benchmarking, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]
_LOOPBACK = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))


class AddressError(ValueError):
    """An address that is not called; the message says why."""


class InsideError(AddressError):
    """An address that is called where the operator allows its network."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart."""

    is_tls: bool
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """The value of the header Host."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == (443 if self.is_tls else 80) else f"{shown}:{self.port}"


def parse(url: str, allowed: Sequence[Network]) -> Target:
    """A URL that could be called; AddressError for one that never can.

    Plain http is accepted only where the operator allows networks at all, and then called only
    inside of them (`choose`). A host name is not resolved here.
    """
    if len(url) > URL_MAX or not _URL.fullmatch(url):
        raise AddressError(
            f"must be a URL of up to {URL_MAX} ASCII characters without a fragment "
            "(a host in its xn-- form)"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise AddressError("is not a URL") from None
    scheme = parts.scheme.lower()
    if scheme != "https" and not (scheme == "http" and allowed):
        refused = InsideError if scheme == "http" else AddressError
        raise refused("must start with https://")
    if "@" in parts.netloc:
        raise AddressError("must not hold credentials")
    if "[" in parts.path + parts.query or "]" in parts.path + parts.query:
        raise AddressError("must not hold brackets outside of the host")
    is_tls = scheme == "https"
    if port is None:
        if parts.netloc.endswith(":"):
            raise AddressError("has an empty port")
        port = 443 if is_tls else 80
    if port not in {80, 443} and not 1024 <= port <= 65535:
        raise AddressError("must have the port 443, 80 or one from 1024 to 65535")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(is_tls=is_tls, host=host, port=port, path=path)
    literal = _literal(host, is_bracketed="[" in parts.netloc)
    if literal is not None:
        _check(literal, allowed, is_tls=is_tls)
    elif host.rpartition(".")[2] == "localhost" and not any(
        one in network for network in allowed for one in _LOOPBACK
    ):
        # By definition it leads to this machine: that need not be resolved.
        raise InsideError("leads to an address that is not public")
    return target


def _literal(host: str, *, is_bracketed: bool) -> Address | None:
    """The address that a host is, or None when it is a name; AddressError when it is neither."""
    if is_bracketed:
        try:
            return ipaddress.IPv6Address(_without_zone(host))
        except ValueError:
            raise AddressError("has no IPv6 address in its brackets") from None
    labels = host.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 253:
        raise AddressError("has no host name")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return ipaddress.IPv4Address(host)
        except ValueError:
            raise AddressError("must write an IPv4 address as four decimal numbers") from None
    return None


def _without_zone(host: str) -> str:
    if "%" in host:
        raise AddressError("must not name a zone")
    return host


def is_public(address: Address) -> bool:
    """Whether an address is one of a host on the Internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in _REFUSED_V4)
    return (
        address in _GLOBAL_V6
        and address.is_global
        and not any(address in network for network in _REFUSED_V6)
    )


def _check(address: Address, allowed: Sequence[Network], *, is_tls: bool) -> None:
    if any(address in network for network in allowed):
        return
    if not is_tls:
        raise InsideError("must start with https:// outside of the networks the operator allows")
    if not is_public(address):
        raise InsideError("leads to an address that is not public")


def choose(target: Target, *, allowed: Sequence[Network], resolve: Resolve) -> list[str]:
    """The addresses to connect to, just resolved; AddressError unless all of them may be called.

    One that may not be called spoils the rest: a name that leads inside at all is not called.
    """
    try:
        texts = list(dict.fromkeys(resolve(target.host)))
    except (OSError, UnicodeError):
        raise AddressError("has a host name that cannot be resolved") from None
    if not texts:
        raise AddressError("has a host name that leads nowhere")
    for text in texts:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise AddressError("leads to something that is no address") from None
        _check(address, allowed, is_tls=target.is_tls)
    return texts


def resolve(host: str) -> list[str]:
    """The system's resolver. A zone in an answer (`fe80::1%eth0`) stays, and is refused."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
