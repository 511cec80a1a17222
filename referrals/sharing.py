"""Sharing: the texts and the addresses by which a member passes a link on.

Pure. Every address is ready to open, and names in the link that it carries over which channel it
went. Fields of a text are replaced by exact name only, and what is filled in is not looked at
again. Refuses to send anything: members do.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import segno

from core import language

#: What a channel is called in links.
CHANNEL = r"[a-z0-9_-]{1,32}"
_FIELD = re.compile(r"\{(link|code|program)\}")
_DEFAULT = {
    "en": "Join me at {program}! Sign up or shop through my link: {link}",
    "ko": "{program}에 초대합니다! 아래 링크로 가입하거나 구매해 보세요. {link}",
}
_SUBJECT = {"en": "An invitation to {program}", "ko": "{program} 초대장"}
_BUTTON = {"en": "See the invitation", "ko": "초대장 보기"}
#: KakaoTalk cuts texts off there.
_KAKAO_MAX = 200


def url(base_url: str, code: str, channel: str = "") -> str:
    """A link, over a channel."""
    asked = f"?ch={channel}" if channel else ""
    return f"{base_url}/r/{quote(code, safe='')}{asked}"


@dataclass(frozen=True, slots=True)
class Shared:
    """What is shared of a link: its code, where the instance is, the program's name, and the text
    of the offer by locale with the locales in which it is read, the best first."""

    code: str
    base_url: str
    program: str
    texts: Mapping[str, str]
    locales: tuple[str, ...]

    def url(self, channel: str = "") -> str:
        """The link, over a channel."""
        return url(self.base_url, self.code, channel)

    @property
    def qr_svg_url(self) -> str:
        """Where the link's picture is."""
        return f"{self.base_url}/r/{quote(self.code, safe='')}/qr.svg"

    def text(self, channel: str = "") -> str:
        """What is said with the link, over a channel."""
        found = _read(self.texts or _DEFAULT, self.locales)
        if "{link}" not in found and "{code}" not in found:
            found += "\n{link}"
        return self._filled(found, channel)

    def _filled(self, text: str, channel: str) -> str:
        values = {"link": self.url(channel), "code": self.code, "program": self.program}
        return _FIELD.sub(lambda match: values[match[1]], text)

    def shown(self, channel: str = "") -> dict[str, Any]:
        """Everything to share the link with; `channel` is of the plain text alone."""
        subject = self._filled(_read(_SUBJECT, self.locales), "")
        return {
            "text": self.text(channel),
            "copy": self.url("copy"),
            "email": f"mailto:?subject={_said(subject)}&body={_said(self.text('email'))}",
            "sms": f"sms:?&body={_said(self.text('sms'))}",
            "kakao": self._kakao(subject),
            "line": f"https://line.me/R/share?text={_said(self.text('line'))}",
            "whatsapp": f"https://wa.me/?text={_said(self.text('whatsapp'))}",
            "x": f"https://x.com/intent/post?text={_said(self.text('x'))}",
            "qr_svg_url": self.qr_svg_url,
        }

    def _kakao(self, subject: str) -> dict[str, str]:
        """KakaoTalk has no address to open: its JavaScript SDK takes a title, a text, a link and
        the words of its button (Kakao.Share.sendDefault)."""
        return {
            "title": subject,
            "description": self.text("kakao")[:_KAKAO_MAX],
            "link": self.url("kakao"),
            "button": _read(_BUTTON, self.locales),
        }


def _read(texts: Mapping[str, str], locales: tuple[str, ...]) -> str:
    """The text in the best of these locales that there is one in."""
    for locale in (*locales, "en"):
        found = texts.get(locale) or language.of_locale(texts, locale.partition("-")[0])
        if found:
            return found
    return next(iter(texts.values()))


def _said(text: str) -> str:
    # Mail wants the line breaks of mail; the others take them as well.
    return quote(text.replace("\r\n", "\n").replace("\n", "\r\n"), safe="")


def picture(url: str) -> bytes:
    """A QR code as an SVG document: error correction M, a quiet zone of four modules."""
    found = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        found, kind="svg", scale=8, border=4, light="#fff", svgclass=None, lineclass=None
    )
    return found.getvalue()
