"""The people of a simulated referral programme: who they are, what they click, buy and send back.

Drawn from a seed, with the outcome that each deserves, which follows from how they were drawn and
from nothing that Dangol says.
"""

import random
from dataclasses import dataclass, field
from typing import Literal

HOUR = 3600
DAY = 24 * HOUR
MINIMUM = 50_00
HOLD_DAYS = 14

Kind = Literal["honest", "alias", "device", "ring", "refunder", "guesser", "forger"]

AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1"
    " Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; SM-S921N) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile"
    " Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 Version/18.0"
    " Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Linux; Android 14; SM-A546S) AppleWebKit/537.36 SamsungBrowser/26.0 Mobile"
    " Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36"
    " Edg/130.0.0.0",
    "Mozilla/5.0 (Linux; Android 15; SM-S921N) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile"
    " Safari/537.36 KAKAOTALK/11.0.2 (INAPP)",
)
MACHINES = (
    "kakaotalk-scrap/1.0; +https://devtalk.kakao.com/",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Twitterbot/1.0",
    "WhatsApp/2.24.20.89 A",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
)
_FAMILY = "김이박최정강조윤장임한오서신권황안송류홍"
_GIVEN = (
    "민지",
    "서연",
    "지우",
    "하은",
    "도윤",
    "시우",
    "예준",
    "지호",
    "수아",
    "유진",
    "현우",
    "나은",
)
_FIRST = ("Anna", "Boris", "Clara", "David", "Emil", "Frida", "Georg", "Hanna", "Ivan", "Julia")
_LAST = (
    "Adler",
    "Brandt",
    "Conrad",
    "Dietz",
    "Engel",
    "Falk",
    "Gruber",
    "Hofer",
    "Iversen",
    "Jung",
)


@dataclass(slots=True)
class Person:
    """Somebody with what a shop sees of them."""

    ref: str
    email: str
    name: str
    ip: str
    agent: str
    device: str

    def visitor(self) -> dict[str, str]:
        """As a storefront tells it."""
        return {"ip": self.ip, "user_agent": self.agent, "device": self.device}


@dataclass(slots=True)
class Friend:
    """A friend: which links they click on which day, then when they sign up, buy and send back
    (seconds from the beginning). `types_code` types the code of the last link instead."""

    person: Person
    kind: Kind
    clicks: list[tuple[int, str]]
    types_code: bool
    signup_at: int
    order_at: int
    minor: int
    refund_at: int | None = None
    refund_minor: int = 0
    is_known: bool = False

    @property
    def advocate(self) -> str:
        """Whose they are by the last touch."""
        return self.clicks[-1][1]

    @property
    def deserves(self) -> bool:
        """Whether both sides are to be paid in the end."""
        return self.kind == "honest" and self.minor - self.refund_minor >= MINIMUM


@dataclass(slots=True)
class People:
    """Everybody."""

    advocates: list[Person] = field(default_factory=list)
    friends: list[Friend] = field(default_factory=list)
    #: Clicks that lead to nothing: day, whose link, by which agent.
    idle: list[tuple[int, str, str]] = field(default_factory=list)


def draw(seed: int, *, advocates: int, clicks: int, honest: int, cheats: int) -> People:
    """People for a seed; rings bring advocates of their own."""
    chance = random.Random(seed)
    found = People()
    used: set[str] = set()
    for number in range(advocates):
        found.advocates.append(_person(chance, used, f"adv-{number}"))
    for number in range(honest):
        found.friends.append(_honest(chance, used, found.advocates, number))
    # Nobody else abuses the links of a ring: one of whom was refused is no ring.
    shared = list(found.advocates)
    kinds: tuple[Kind, ...] = ("alias", "device", "refunder", "guesser", "forger", "ring")
    for number in range(cheats):
        kind = kinds[number % len(kinds)]
        if kind == "ring":
            # Three of them are one ring.
            if number // len(kinds) % 3 == 0:
                _ring(chance, used, found, number)
            continue
        found.friends.append(_cheat(chance, used, shared, number, kind))
    spent = sum(len(friend.clicks) for friend in found.friends)
    machines = clicks // 3
    for _ in range(machines):
        target = chance.choice(found.advocates).ref
        found.idle.append((chance.randrange(20), target, chance.choice(MACHINES)))
    for _ in range(max(0, clicks - machines - spent)):
        target = chance.choice(found.advocates).ref
        found.idle.append((chance.randrange(20), target, chance.choice(AGENTS)))
    return found


def _person(chance: random.Random, used: set[str], ref: str) -> Person:
    while True:
        ip = ".".join(str(chance.randrange(1, 250)) for _ in range(4))
        prefix = ip.rsplit(".", 1)[0]
        if prefix not in used:
            used.add(prefix)
            break
    if chance.random() < 0.5:
        name = chance.choice(_FAMILY) + chance.choice(_GIVEN)
    else:
        name = f"{chance.choice(_FIRST)} {chance.choice(_LAST)}"
    domain = chance.choice(("naver.com", "gmail.com", "daum.net", "posteo.de"))
    email = f"{ref.replace('-', '')}x{chance.randrange(10**6)}@{domain}"
    return Person(ref, email, name, ip, chance.choice(AGENTS), f"device-{chance.randrange(10**12)}")


def _honest(chance: random.Random, used: set[str], advocates: list[Person], number: int) -> Friend:
    person = _person(chance, used, f"friend-{number}")
    first, last = chance.choice(advocates), chance.choice(advocates)
    if chance.random() < 0.03:
        # A household: the same network, another device.
        person.ip = last.ip
    day = chance.randrange(15)
    clicks = [(day, last.ref)]
    if first is not last and chance.random() < 0.2:
        clicks.insert(0, (max(0, day - chance.randrange(1, 4)), first.ref))
    signup_at = day * DAY + chance.randrange(HOUR, 3 * DAY)
    order_at = signup_at + chance.choice(
        (chance.randrange(600, HOUR), chance.randrange(HOUR, 3 * DAY))
    )
    minor = chance.randrange(20_00, MINIMUM) if chance.random() < 0.1 else 0
    friend = Friend(
        person,
        "honest",
        clicks,
        chance.random() < 0.1,
        signup_at,
        order_at,
        minor or chance.randrange(MINIMUM, 200_00),
    )
    if chance.random() < 0.084:
        _send_back(chance, friend, friend.minor if chance.random() < 0.6 else friend.minor // 4)
    return friend


def _send_back(chance: random.Random, friend: Friend, minor: int) -> None:
    """Half of what comes back comes within the hold, the other half after it was paid."""
    later = chance.choice((chance.randrange(1, 11), chance.randrange(18, 25)))
    friend.refund_at, friend.refund_minor = friend.order_at + later * DAY, minor


def _cheat(
    chance: random.Random, used: set[str], advocates: list[Person], number: int, kind: Kind
) -> Friend:
    person, advocate = _person(chance, used, f"cheat-{number}"), chance.choice(advocates)
    day = chance.randrange(15)
    signup_at = day * DAY + chance.randrange(HOUR, DAY)
    order_at = signup_at + chance.randrange(HOUR, DAY)
    friend = Friend(
        person, kind, [(day, advocate.ref)], False, signup_at, order_at, MINIMUM + number
    )
    if kind == "alias":
        # Their own mailbox under another spelling.
        local, _, domain = advocate.email.partition("@")
        if domain == "gmail.com":
            person.email = f"{local[0]}.{local[1:]}+{number}@googlemail.com"
        else:
            person.email = f"{local.upper()}@{domain}"
    elif kind == "device":
        person.ip, person.agent, person.device = advocate.ip, advocate.agent, advocate.device
    elif kind == "refunder":
        _send_back(chance, friend, friend.minor)
    return friend


def _ring(chance: random.Random, used: set[str], found: People, number: int) -> None:
    """Three who bring each other in a circle, within a day."""
    people = [_person(chance, used, f"ring-{number}-{place}") for place in range(3)]
    day = chance.randrange(15)
    found.advocates += people
    for place, person in enumerate(people):
        signup_at = day * DAY + chance.randrange(HOUR, DAY)
        found.friends.append(
            Friend(
                person,
                "ring",
                [(day, people[place - 1].ref)],
                False,
                signup_at,
                signup_at + chance.randrange(HOUR, DAY),
                MINIMUM,
                is_known=True,
            )
        )
