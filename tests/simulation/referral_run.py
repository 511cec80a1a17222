"""Playing the people against an instance over HTTP, day by day, and reading what came of it."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient

from tests.simulation.referral_people import DAY, Friend, People
from tests.world import World

BEGINNING = datetime(2026, 3, 1, tzinfo=UTC)
ADVOCATE, FRIEND, MILESTONE = 5_000, 3_000, 10_000
LATE_DAYS = 3
DAYS = 52

OFFER = {
    "key": "friends",
    "landing_url": "https://shop.example/welcome",
    "advocate": [{"do": "add_points", "points": ADVOCATE}],
    "friend": [{"do": "add_points", "points": FRIEND}],
    "qualifies": {"min_net_minor": 50_00},
    "hold": "P14D",
    "milestones": [{"at": 3, "effects": [{"do": "add_points", "points": MILESTONE}]}],
}
DOCUMENT: dict[str, Any] = {
    "earning": {"rules": []},
    "referral_offers": [OFFER],
    "members": {"auto_enrol": True},
}


def instant(seconds: int) -> str:
    """So many seconds after the beginning."""
    return (BEGINNING + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


@dataclass(slots=True)
class Outcome:
    """What came of it: points by member, what stands of each friend, machines that got a token."""

    balances: dict[str, int] = field(default_factory=dict)
    paid: dict[str, bool] = field(default_factory=dict)
    states: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    advocate_of: dict[str, str] = field(default_factory=dict)
    machine_tokens: int = 0


def play(world: World, people: People, *, delivery: int | None) -> Outcome:
    """Play all days. Without `delivery` every message arrives on its day, in order of time; with it
    (a seed) each is up to three days late, in any order, and some come twice."""
    run = _Run(world, people, delivery)
    return run.play()


class _Run:
    def __init__(self, world: World, people: People, delivery: int | None) -> None:
        self.world, self.people = world, people
        self.chance = None if delivery is None else random.Random(delivery)
        self.codes: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.browsers: dict[str, FlaskClient] = {}
        #: The program's cookie; before anybody clicked it is not known.
        self.cookie = "dangol_rt"
        self.outcome = Outcome()

    def play(self) -> Outcome:
        self._open()
        clicks: dict[int, list[tuple[Friend, str]]] = {}
        for friend in self.people.friends:
            for day, ref in friend.clicks:
                clicks.setdefault(day, []).append((friend, ref))
        mail = self._mail()
        for day in range(DAYS):
            self.world.post("/test-clock", {"now": instant(day * DAY)})
            for message in mail.get(day, ()):
                self._deliver(*message)
            for friend, ref in clicks.get(day, ()):
                self._click(friend, ref)
            for at, ref, agent in self.people.idle:
                if at == day:
                    self._idle(ref, agent)
        self._read()
        return self.outcome

    def _open(self) -> None:
        self.world.post("/test-clock", {"now": instant(0)})
        for person in self.people.advocates:
            body = {
                "email": person.email,
                "name": person.name,
                "visitor": person.visitor(),
                "joined_at": "2025-06-01T00:00:00Z",
            }
            self.world.put(f"/members/{person.ref}", body)
            made = self.world.post(f"/members/{person.ref}/links", {}, status=201)
            self.codes[person.ref] = made["code"]

    def _mail(self) -> dict[int, list[tuple[str, Friend]]]:
        """What the storefront tells, by the day on which it arrives."""
        told: list[tuple[int, str, Friend]] = []
        for friend in self.people.friends:
            told.append((friend.signup_at, "signup", friend))
            told.append((friend.order_at, "order", friend))
            if friend.refund_at is not None:
                told.append((friend.refund_at, "refund", friend))
        found: dict[int, list[tuple[str, Friend]]] = {}
        for at, what, friend in sorted(told, key=lambda one: one[0]):
            # Told on the day after it happened, when the clock has passed it.
            day = at // DAY + 1
            if self.chance is None:
                found.setdefault(day, []).append((what, friend))
                continue
            for _ in range(2 if self.chance.random() < 0.1 else 1):
                late = day + self.chance.randrange(LATE_DAYS + 1)
                found.setdefault(late, []).append((what, friend))
        if self.chance is not None:
            for messages in found.values():
                self.chance.shuffle(messages)
        return found

    def _click(self, friend: Friend, ref: str) -> None:
        """By a browser that keeps its cookies; a forger's has one that they made."""
        client = self.browsers.get(friend.person.ref)
        if client is None:
            client = self.browsers[friend.person.ref] = self.world.app.test_client()
        if friend.kind == "forger":
            client.set_cookie(self.cookie, "WzE4OTM0NTYwMDAwMDBd.forged", path="/r/")
        answer = client.get(
            f"/r/{self.codes[ref]}?ch=kakao",
            headers={"User-Agent": friend.person.agent},
            environ_base={"REMOTE_ADDR": friend.person.ip},
        )
        assert answer.status_code == 302, answer.get_data(as_text=True)
        self.cookie = answer.headers["Set-Cookie"].partition("=")[0]
        [token] = parse_qs(urlsplit(answer.headers["Location"]).query)["rt"]
        self.tokens[friend.person.ref] = token

    def _idle(self, ref: str, agent: str) -> None:
        answer = self.world.app.test_client().get(
            f"/r/{self.codes[ref]}", headers={"User-Agent": agent}
        )
        assert answer.status_code == 302
        is_machine = not agent.startswith("Mozilla/5.0 (") or "bot" in agent.lower()
        if is_machine and "rt=" in answer.headers["Location"]:
            self.outcome.machine_tokens += 1

    def _deliver(self, what: str, friend: Friend) -> None:
        getattr(self, f"_tell_{what}")(friend)

    def _tell_signup(self, friend: Friend) -> None:
        person = friend.person
        body: dict[str, Any] = {
            "email": person.email,
            "name": person.name,
            "visitor": person.visitor(),
            "referral": self._evidence(friend),
        }
        if not friend.is_known:
            body["joined_at"] = instant(friend.signup_at)
        self.world.put(f"/members/{person.ref}", body)

    def _evidence(self, friend: Friend) -> dict[str, str]:
        token = self.tokens[friend.person.ref]
        if friend.kind == "guesser":
            guess = random.Random(friend.person.ref).randrange(32**8)
            symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
            return {"code": "".join(symbols[guess >> shift & 31] for shift in range(0, 40, 5))}
        if friend.kind == "forger":
            # One symbol of the signature is another.
            swapped = "A" if token[-6] != "A" else "B"
            return {"token": token[:-6] + swapped + token[-5:]}
        if friend.types_code:
            return {"code": self.codes[friend.advocate].lower()}
        return {"token": token}

    def _tell_order(self, friend: Friend) -> None:
        body = {
            "member_ref": friend.person.ref,
            "status": "paid",
            "currency": "EUR",
            "placed_at": instant(friend.order_at),
            "paid_at": instant(friend.order_at),
            "visitor": friend.person.visitor(),
            "lines": [{"line_ref": "1", "quantity": 1, "unit_price_minor": friend.minor}],
        }
        self.world.put(f"/orders/o-{friend.person.ref}", body)

    def _tell_refund(self, friend: Friend) -> None:
        assert friend.refund_at is not None
        body = {"refunded_at": instant(friend.refund_at), "amount_minor": friend.refund_minor}
        answer = self.world.call("PUT", f"/orders/o-{friend.person.ref}/refunds/r", body)
        assert answer.status_code in (200, 201, 202), answer.get_data(as_text=True)

    def _read(self) -> None:
        refs = {one.ref for one in self.people.advocates}
        refs |= {one.person.ref for one in self.people.friends}
        for ref in sorted(refs):
            self.outcome.balances[ref] = self.world.balance(ref)
        cursor = ""
        while True:
            page = self.world.get(f"/referrals?limit=100{cursor}")
            for one in page["data"]:
                friend = one["friend_ref"]
                self.outcome.states[friend] = (one["state"], one["reason"])
                self.outcome.advocate_of[friend] = one["advocate_ref"]
                self.outcome.paid[friend] = one["counts"]
            if page["next_cursor"] is None:
                return
            cursor = f"&cursor={page['next_cursor']}"
