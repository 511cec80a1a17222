"""SEMANTICS F51: who is a machine and who is a person in the browser of an app."""

import pytest

from referrals import machines

_SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15"
_CHROME = "Mozilla/5.0 (Linux; Android 14; SM-S918N) AppleWebKit/537.36 Chrome/122.0.0.0 Mobile"

PEOPLE = (
    f"{_SAFARI} (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
    f"{_SAFARI} Mobile/15E148 KAKAOTALK/10.5.0 (INAPP)",
    f"{_CHROME} Safari/537.36;KAKAOTALK 2410500",
    f"{_CHROME} Safari/537.36 NAVER(inapp; search; 1110; 12.4.1)",
    f"{_SAFARI} Safari Line/14.3.1",
    f"{_CHROME} Safari/537.36 Line/14.3.1/IAB",
    f"{_CHROME} Safari/537.36 DaumApps/7.9.0 DaumDevice/mobile",
    f"{_SAFARI} [FBAN/FBIOS;FBAV/450.0;FBDV/iPhone15,2]",
    f"{_SAFARI} Instagram 320.0.0 (iPhone15,2; iOS 17_4)",
    f"{_SAFARI} GSA/305.0.6 Mobile/15E148 Safari/604.1",
    f"{_CHROME} Safari/537.36 [Pinterest/Android]",
    f"{_CHROME} Safari/537.36 WhatsApp/2.24.13.77 A",
    f"{_SAFARI} (KHTML, like Gecko) Mobile/15E148 [FBAN/WhatsApp;FBAV/24.12]",
    f"{_SAFARI} Mobile/15E148 Mastodon/4.2",
    f"{_CHROME} Safari/537.36 Viber/22.1",
    "Mozilla/5.0 (Linux; Android 11; CUBOT X50) AppleWebKit/537.36 Chrome/120.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 11; CUBOT) AppleWebKit/537.36 Chrome/120.0 Safari/537.36",
    "Opera/9.80 (J2ME/MIDP; Opera Mini/9.80/190.291; U; en) Presto/2.5.25 Version/10.54",
)
MACHINES = (
    "",
    "facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "facebookexternalhit/1.1;line-poker/1.0",
    "Line/14.3.1 (preview)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Twitterbot/1.0",
    "WhatsApp/2.23.20.0 A",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "TelegramBot (like TwitterBot)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Linux; Android 7.0) Chrome/59 Mobile Safari (compatible; Google-Read-Aloud)",
    "Mozilla/5.0 AppleWebKit/537.36 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; Yeti/1.1; +https://naver.me/spd)",
    "Mozilla/5.0 (compatible; Daum/4.1; +http://cs.daum.net/faq/15/4118.html)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/122.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "curl/8.4.0",
    "Wget/1.21.4",
    "python-requests/2.31.0",
    "Dalvik/2.1.0 (Linux; U; Android 14; SM-S918N)",
    "http.rb/5.1.1 (Mastodon/4.2.8; +https://mastodon.example/)",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/7.0; ms-office; MSOffice 16)",
    "Mozilla/5.0 (compatible; Viber; +https://viber.com)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://x",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Claude-User/1.0; +https://x)",
    "Mozilla/5.0 (compatible; YandexImages/3.0; +http://yandex.com/images)",
    "Mozilla/5.0 zgrab/0.x",
    "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
    "Mozilla/5.0 (compatible; urlscan)",
    "Mozilla/5.0 (compatible; Proofpoint)",
)


@pytest.mark.parametrize("agent", PEOPLE)
def test_people_click(agent: str) -> None:
    assert not machines.is_machine(agent)


@pytest.mark.parametrize("agent", MACHINES)
def test_machines_do_not(agent: str) -> None:
    assert machines.is_machine(agent)


@pytest.mark.parametrize(
    "agent",
    [
        *PEOPLE,
        "MyShop/3.2 (iPhone; iOS 17.1)",
        "okhttp/4.9.0",
        "Dart/3.1 (dart:io)",
        "MyShop/41 CFNetwork/1485 Darwin/23.1.0",
        "Dalvik/2.1.0 (Linux; U; Android 14; SM-S918N)",
        "Line/14.3.1 iPhone",
    ],
)
def test_who_tells_of_a_click_may_be_an_app(agent: str) -> None:
    assert not machines.is_named(agent)


@pytest.mark.parametrize("agent", [one for one in MACHINES if one and "Dalvik" not in one])
def test_who_tells_of_a_click_is_no_machine_by_name(agent: str) -> None:
    assert machines.is_named(agent)


def test_an_agent_that_is_not_told_is_a_machine_and_a_long_one_is_read_at_once() -> None:
    assert machines.is_machine(None)
    assert machines.is_machine("x" * 100_000)
    assert not machines.is_machine(PEOPLE[0] + "x" * 100_000)


@pytest.mark.parametrize(
    ("headers", "is_ahead"),
    [
        ({}, False),
        ({"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}, False),
        ({"Purpose": "prefetch"}, True),
        ({"Sec-Purpose": "prefetch;prerender"}, True),
        ({"Sec-Purpose": "Prefetch"}, True),
        ({"X-Moz": "prefetch"}, True),
        ({"X-Purpose": "preview"}, True),
        # A link that is planted in a page as a picture or in a hidden frame.
        ({"Sec-Fetch-Dest": "image"}, True),
        ({"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"}, True),
    ],
)
def test_what_a_browser_fetches_by_itself_is_no_click(
    headers: dict[str, str], is_ahead: bool
) -> None:
    environ = {f"HTTP_{name.replace('-', '_').upper()}": text for name, text in headers.items()}
    assert machines.is_ahead(environ) is is_ahead
