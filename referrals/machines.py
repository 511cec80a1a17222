"""Who is a machine: link previews, prefetching, crawlers, programs; they attribute nothing.

Pure. A click is evidence only where a person opens a link in a browser as the page they go to. What
messengers, search engines and scripts fetch is counted as a preview, and so is what a browser
fetches before anybody asked for it, or as a part of another page (a hidden picture or frame would
otherwise plant clicks). The in-app browsers of messengers are people. Refuses to be a wall: an
agent is whatever it says it is.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

#: What agents of machines have in them, in lower case.
MARKS = (
    # Previews of links in messengers and networks.
    "kakaotalk-scrap",
    "kakaostory-og-reader",
    "facebookexternalhit",
    "facebookcatalog",
    "facebot",
    "meta-externalagent",
    "meta-externalfetcher",
    "slackbot",
    "slack-imgproxy",
    "twitterbot",
    "line-poker",
    "discordbot",
    "telegrambot",
    "linkedinbot",
    "skypeuripreview",
    "microsoftpreview",
    "bingpreview",
    "vkshare",
    "embedly",
    "iframely",
    "cardyb",
    "flipboardproxy",
    "compatible; viber",
    "ms-office",
    "msoffice",
    "google web preview",
    "link preview",
    "linkpreview",
    "link check",
    "scrap",
    # Search engines and other crawlers.
    "google-",
    "-google",
    "googleother",
    "googleimageproxy",
    "feedfetcher",
    "yeti/",
    "blueno",
    "naver.me/",
    "daumoa",
    "daum/",
    "yahoo! slurp",
    "yandeximages",
    "yandex.com/bots",
    # What assistants fetch for somebody who asked them: ChatGPT-User/1.0.
    "-user/",
    "crawler",
    "spider",
    # Browsers that nobody sits at, and programs.
    "headless",
    "phantomjs",
    "puppeteer",
    "playwright",
    "selenium",
    "lighthouse",
    "pagespeed",
    "pingdom",
    "uptimerobot",
    "zgrab",
    "nmap scripting",
    "urlscan",
    "proofpoint",
    "curl/",
    "wget",
    "python",
    "aiohttp",
    "httpx",
    "scrapy",
    "node-fetch",
    "axios",
    "undici",
    "go-http-client",
    "apache-httpclient",
    "libwww",
    "guzzle",
    "postmanruntime",
    "insomnia",
)
#: What apps fetch with: no browsers, but maybe a person's who taps a link in one.
LIBRARIES = ("okhttp", "cfnetwork", "dalvik/")
#: Previews by what is also in the name of an in-app browser: they are no browsers of any kind.
_PREVIEWS = re.compile(r"whatsapp/|viber/|mastodon/|http\.rb/|\w+/[\d.]+ \(preview\)")
#: What every browser says of itself, also those inside of apps.
_BROWSERS = ("mozilla/", "opera/", "ucweb/")
#: Headers in which browsers say it, as WSGI names them.
_AHEAD = ("HTTP_PURPOSE", "HTTP_SEC_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")
#: So much of an agent is read.
_AGENT_MAX = 512
#: Any bot by name, but not the telephones called Cubot.
_NAMED = re.compile("|".join([*map(re.escape, MARKS), r"(?<!cu)bot\b"]))
_MACHINE = re.compile("|".join([_NAMED.pattern, *map(re.escape, LIBRARIES)]))


def is_machine(agent: str | None) -> bool:
    """Whether an agent (the header User-Agent) is none of a person's browser."""
    return not agent or _is_machine(agent[:_AGENT_MAX])


def is_named(agent: str) -> bool:
    """Whether an agent that a storefront names is a machine's by name. What is no browser may be
    the storefront's own app."""
    told = agent[:_AGENT_MAX].lower()
    return _NAMED.search(told) is not None or _PREVIEWS.match(told) is not None


@functools.lru_cache(maxsize=2048)
def _is_machine(agent: str) -> bool:
    told = agent.lower()
    return not any(one in told for one in _BROWSERS) or _MACHINE.search(told) is not None


def is_ahead(environ: Mapping[str, Any]) -> bool:
    """Whether a browser asks before a person did, or for a part of a page: prefetching, preview,
    pictures, frames, scripts. `environ` is of WSGI."""
    for name in _AHEAD:
        told = environ.get(name)
        if told and any(one in told.lower() for one in ("prefetch", "prerender", "preview")):
            return True
    # Browsers that say nothing of it are believed.
    return str(environ.get("HTTP_SEC_FETCH_DEST", "document")).lower() != "document"
