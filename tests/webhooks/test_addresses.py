"""No address leads inside, however it is spelled; every attempt is checked anew."""

import ipaddress
import itertools
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from core import ids
from tests.contract.checking import problem
from tests.webhooks.conftest import LOOPBACK, Hooks
from tests.webhooks.receiver import Receiver
from webhooks import addresses
from webhooks.addresses import AddressError

#: Hosts that never are what a webhook may call, as texts in a URL.
HOSTILE_LITERALS = [
    # Loopback and this host.
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "0x7f.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "0X7F000001",
    "0177.0.0.1",
    "017700000001",
    "2130706433",
    "127.0.0.1.",
    "127.0.0.01",
    "127.0.0.0x1",
    "0",
    "0.0.0.0",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::1%25lo]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:0:127.0.0.1]",
    # Private, shared, link-local.
    "10.0.0.1",
    "10.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.168.257",
    "100.64.0.1",
    "100.127.255.255",
    "100.100.100.200",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "168.63.129.16",
    "[::ffff:169.254.169.254]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    # IPv4 inside of IPv6.
    "[64:ff9b::7f00:1]",
    "[64:ff9b::8.8.8.8]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2002:c0a8:101::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[2001::1]",
    # Multicast, broadcast, reserved, documentation, benchmarks.
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "240.0.0.1",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "[ff02::1]",
    "[ff0e::1]",
    "[2001:db8::1]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[3fff::1]",
    "[100::1]",
    "[5f00::1]",
    "[4000::1]",
]

#: URLs that are refused for what they are.
HOSTILE_URLS = [
    "http://hooks.example.org/",
    "ftp://hooks.example.org/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_",
    "//hooks.example.org/",
    "hooks.example.org",
    "https:hooks.example.org",
    "https://",
    "https:///path",
    "https://user@hooks.example.org/",
    "https://user:secret@hooks.example.org/",
    "https://hooks.example.org@127.0.0.1/",
    "https://127.0.0.1#@hooks.example.org/",
    "https://127.0.0.1\\@hooks.example.org/",
    "https://hooks.example.org\t/",
    "https://hooks.example.org/\r\nHost: inside",
    "https://hooks.example.org/ x",
    " https://hooks.example.org/",
    "https://hooks.example.org:22/",
    "https://hooks.example.org:25/",
    "https://hooks.example.org:0/",
    "https://hooks.example.org:65536/",
    "https://hooks.example.org:-1/",
    "https://hooks.example.org:/",
    "https://hooks.example.org:443x/",
    "https://hooks..example.org/",
    "https://.example.org/",
    "https://hooks.example.org./",
    "https://-x.example.org/",
    "https://１２７.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://127。0。0。1/",
    "https://ⓛocalhost/",
    "https://hooks.exämple.org/",
    "https://%31%32%37.0.0.1/",
    "https://127%2e0.0.1/",
    "https://[127.0.0.1]/",
    "https://[::1/",
    "https://::1/",
    "https://[v1.x]/",
    "https://hooks.example.org/" + "a" * 2048,
]


@pytest.mark.parametrize("host", HOSTILE_LITERALS)
def test_no_spelling_of_an_address_inside_is_accepted(host: str) -> None:
    for url in (f"https://{host}/", f"https://{host}:8443/hook"):
        with pytest.raises(AddressError):
            addresses.parse(url, ())


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_no_url_is_accepted_that_is_more_than_an_address(url: str) -> None:
    with pytest.raises(AddressError):
        addresses.parse(url, ())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hooks.example.org", (True, "hooks.example.org", 443, "/")),
        ("HTTPS://Hooks.Example.org:8443/a?b=c", (True, "hooks.example.org", 8443, "/a?b=c")),
        ("https://hooks.example.org?x=%20", (True, "hooks.example.org", 443, "/?x=%20")),
        ("https://xn--exmple-cua.org/", (True, "xn--exmple-cua.org", 443, "/")),
        ("https://8.8.8.8/", (True, "8.8.8.8", 443, "/")),
        ("https://[2606:4700:4700::1111]/", (True, "2606:4700:4700::1111", 443, "/")),
    ],
)
def test_public_addresses_are_taken_apart(url: str, expected: tuple[Any, ...]) -> None:
    target = addresses.parse(url, ())
    assert (target.is_tls, target.host, target.port, target.path) == expected


def answering(texts: list[str]) -> addresses.Resolve:
    return lambda _: texts


def test_what_a_host_resolves_to_is_judged_as_a_literal_is() -> None:
    target = addresses.parse("https://hooks.example.org/", ())
    for literal in HOSTILE_LITERALS:
        text = literal.strip("[]").replace("%25", "%")
        # A single one among public ones is enough.
        for answer in ([text], ["8.8.8.8", text], [text, "8.8.8.8"]):
            with pytest.raises(AddressError):
                addresses.choose(target, allowed=(), resolve=answering(answer))
    found = addresses.choose(
        target, allowed=(), resolve=lambda _: ["8.8.8.8", "2606:4700::1111", "8.8.8.8"]
    )
    assert found == ["8.8.8.8", "2606:4700::1111"]


def test_every_spelling_that_the_system_takes_for_loopback_resolves_to_a_refused_address() -> None:
    for spelling in ("127.1", "0x7f.1", "2130706433", "017700000001", "0x7f000001", "localhost"):
        for text in addresses.resolve(spelling):
            assert ipaddress.ip_address(text).is_loopback
            assert not addresses.is_public(ipaddress.ip_address(text))


def test_a_name_that_leads_nowhere_is_refused() -> None:
    target = addresses.parse("https://hooks.example.org/", ())

    def fails(_: str) -> list[str]:
        raise socket.gaierror("unknown")

    for resolve in (fails, answering([])):
        with pytest.raises(AddressError):
            addresses.choose(target, allowed=(), resolve=resolve)


def test_an_operators_network_is_allowed_and_nothing_beside_it() -> None:
    allowed = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))
    addresses.parse("http://10.1.2.3/", allowed)
    addresses.parse("https://10.1.2.3/", allowed)
    addresses.parse("https://[fd00::1]/", allowed)
    for url in ("https://10.2.0.1/", "https://127.0.0.1/", "http://8.8.8.8/"):
        with pytest.raises(AddressError):
            addresses.parse(url, allowed)
    # Plain http goes inside only, whatever the name says later.
    plain = addresses.parse("http://hooks.example.org/", allowed)
    assert addresses.choose(plain, allowed=allowed, resolve=lambda _: ["10.1.0.9"]) == ["10.1.0.9"]
    with pytest.raises(AddressError):
        addresses.choose(plain, allowed=allowed, resolve=lambda _: ["8.8.8.8"])


@pytest.mark.parametrize("host", ["127.1", "[::1]", "10.0.0.1", "169.254.169.254"])
def test_an_endpoint_inside_is_refused_when_it_is_told(hooks: Hooks, host: str) -> None:
    hooks.app.extensions["dangol.outgoing"] = type(hooks.app.extensions["dangol.outgoing"])()
    body = {"url": f"https://{host}/", "types": ["*"]}
    response = hooks.world.call(
        "POST", "/webhook-endpoints", body, headers={"Idempotency-Key": f"inside-{host}"}
    )
    found = problem(response, 422, "validation_failed")
    assert [(one["pointer"], one["code"]) for one in found["errors"]] == [
        ("/url", "address_refused")
    ]


def test_a_name_that_turns_inside_is_refused_at_the_attempt(
    hooks: Hooks, receiver: Receiver, outgoing: Callable[..., None]
) -> None:
    """DNS rebinding: public when it was told, inside when it is called."""
    hooks.endpoint(f"https://rebound.example.org:{receiver.port}/")
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    outgoing(allowed=(), resolve=resolve)
    hooks.tell()
    hooks.run()
    [attempt] = hooks.one()["attempts"]
    assert attempt["status"] is None
    assert attempt["error"] == "the address leads to an address that is not public"
    assert asked == ["rebound.example.org"]
    assert receiver.got == []


def test_the_connection_goes_to_the_address_that_was_checked(
    hooks: Hooks, receiver: Receiver, outgoing: Callable[..., None]
) -> None:
    """The name is resolved once an attempt: a second answer could differ from the checked one."""
    answers = itertools.cycle([["127.0.0.1"], ["10.0.0.1"]])
    lock, asked = threading.Lock(), []

    def resolve(host: str) -> list[str]:
        with lock:
            asked.append(host)
            return next(answers)

    outgoing(resolve=resolve, allowed=LOOPBACK)
    hooks.endpoint(f"http://turning.example.org:{receiver.port}/")
    hooks.tell()
    hooks.run()
    assert hooks.one()["state"] == "delivered"
    assert asked == ["turning.example.org"]
    assert receiver.got[0][0]["host"] == f"turning.example.org:{receiver.port}"
    hooks.tell()
    hooks.run()
    assert len(receiver.got) == 1
    assert ids.read_id("msg", receiver.ids[0]) is not None
