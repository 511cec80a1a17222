"""English and Korean as people write them: particles, plurals, lists, money, days and hours.

Pure. Owns how words are put together, and no word of the domain. Refuses to guess: a Korean
particle after a script whose sound it does not know is given in both its forms.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from core import clock
from core.money import exponent

#: A text in both languages.
Text = dict[str, str]
LANGUAGES = ("en", "ko")

_PARTICLES = {
    "은": ("은", "는"),
    "이": ("이", "가"),
    "을": ("을", "를"),
    "과": ("과", "와"),
    "으로": ("으로", "로"),
    "이라": ("이라", "라"),
}
_SYLLABLES = (0xAC00, 0xD7A3)
_FINALS = 28
_RIEUL = 8
#: How the sound of a digit ends: 영 일 이 삼 사 오 육 칠 팔 구.
_DIGITS = "clvcvvcllv"
#: Letters whose Korean names end in a consonant: 엘 알, and 엠 엔.
_LETTERS = {"l": "l", "r": "l", "m": "c", "n": "c"}
_WORD_L = re.compile(r"le?$")
_WORD_C = re.compile(r"(?:[mn]e?|ng|ck|ook|(?:^|[^aeiou])[aeiou](?:[bckpt]|bb|pp|tt))$")
#: VIP is spelled out, SALE is not.
_SPELLED_MAX = 3
_CLOSING = re.compile(r"[^\w]+$|_+$")
_LAST = re.compile(r"[a-zA-Z]+$|[0-9][0-9,]*$")
_SYMBOLS = {
    "KRW": "₩",
    "EUR": "€",
    "USD": "$",
    "GBP": "£",
    "JPY": "¥",
    "CNY": "CN¥",
    "INR": "₹",
    "VND": "₫",
    "THB": "฿",
    "PHP": "₱",
    "TWD": "NT$",
    "HKD": "HK$",
    "SGD": "S$",
    "AUD": "A$",
    "CAD": "CA$",
    "BRL": "R$",
    "ILS": "₪",
    "TRY": "₺",
    "UAH": "₴",
}
_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_WEEKDAYS = {
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "ko": ["월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"],
}
_SHORT = {"en": 3, "ko": 1}
#: So many days in a row are told by the first and the last.
_RUN = 3
_SECONDS = ((3600, "hour", "시간"), (60, "minute", "분"), (1, "second", "초"))


def _ending(word: str) -> str | None:
    """How the sound of a word ends: in a vowel (v), in ㄹ (l), in another consonant (c)."""
    bare = _CLOSING.sub("", unicodedata.normalize("NFC", word))
    if not bare:
        return None
    last = ord(bare[-1])
    if _SYLLABLES[0] <= last <= _SYLLABLES[1]:
        final = (last - _SYLLABLES[0]) % _FINALS
        return "v" if final == 0 else "l" if final == _RIEUL else "c"
    run = _LAST.search(bare)
    if run is None:
        return None
    return _number_ending(run[0]) if bare[-1].isdigit() else _latin_ending(run[0])


def _number_ending(text: str) -> str:
    digits = text.replace(",", "")
    zeros = len(digits) - len(digits.rstrip("0"))
    # Of ten, hundred, … every word ends in a consonant, but for 조 (10 to the 12th).
    if zeros < len(digits) and 12 <= zeros < 16:
        return "v"
    return _DIGITS[int(digits[-1])]


def _latin_ending(run: str) -> str:
    """A few capitals are spelled out by their names, anything else is read as an English word."""
    is_spelled = run.isupper() and (len(run) <= _SPELLED_MAX or not set(run) & set("AEIOU"))
    if is_spelled or len(run) == 1:
        return _LETTERS.get(run[-1].lower(), "v")
    word = run.lower()
    if _WORD_L.search(word):
        return "l"
    return "c" if _WORD_C.search(word) else "v"


def particle(word: str, kind: str) -> str:
    """The form of 은, 이, 을, 과, 으로 or 이라 that stands after `word`; both if unknown."""
    closed, open_ = _PARTICLES[kind]
    ending = _ending(word)
    if ending is None:
        return {"으로": "(으)로", "이라": "(이)라"}.get(kind, f"{closed}({open_})")
    if ending == "l" and kind == "으로":
        return open_
    return open_ if ending == "v" else closed


def with_particle(word: str, kind: str) -> str:
    """`word` with its particle."""
    return word + particle(word, kind)


def of_locale(names: Mapping[str, str] | None, language: str) -> str | None:
    """The text of a language out of a map by locale: its own, or of one of its regions."""
    if not names:
        return None
    found = names.get(language)
    if found is not None:
        return found
    return next((text for key, text in names.items() if key.startswith(f"{language}-")), None)


def name_of(names: Mapping[str, str] | None, key: str) -> Text:
    """What something is called in both languages: its name, in whatever language there is one,
    else its key."""
    spare = (
        of_locale(names, "en") or of_locale(names, "ko") or next(iter((names or {}).values()), key)
    )
    return {language: of_locale(names, language) or spare for language in LANGUAGES}


def number(value: int) -> str:
    """With separators of thousands."""
    return f"{value:,}"


def plural(count: int, one: str, many: str) -> str:
    """`1 item`, `2 items`, with separators of thousands."""
    return f"{count:,} {one if count == 1 else many}"


def money(minor: int, currency: str, *, language: str = "en") -> str:
    """₩2,000, €12.34: by the currency's own minor unit; won are 2,000원 in Korean."""
    places = exponent(currency)
    whole, rest = divmod(abs(minor), 10**places)
    amount = f"{whole:,}" + (f".{rest:0{places}d}" if places else "")
    sign = "-" if minor < 0 else ""
    if (currency, language) == ("KRW", "ko"):
        return f"{sign}{amount}원"
    return f"{sign}{_SYMBOLS.get(currency, f'{currency} ')}{amount}"


def day(value: date) -> Text:
    """31 January 2027, 2027년 1월 31일."""
    return {
        "en": f"{value.day} {_MONTHS[value.month - 1]} {value.year}",
        "ko": f"{value.year}년 {value.month}월 {value.day}일",
    }


def moment(instant: int, zone: ZoneInfo) -> Text:
    """The local day of an instant, with the time unless that is midnight."""
    local: datetime = clock.to_datetime(instant, zone)
    told = day(local.date())
    if (local.hour, local.minute) == (0, 0):
        return told
    return {language: f"{text} {local:%H:%M}" for language, text in told.items()}


def weekdays(numbers: Sequence[int]) -> Text:
    """Saturdays, 토요일; several in short, Mon–Fri, 월–금: 1 is Monday."""
    days = sorted(numbers)
    if len(days) == 1:
        return {"en": f"{_WEEKDAYS['en'][days[0] - 1]}s", "ko": _WEEKDAYS["ko"][days[0] - 1]}
    runs: list[list[int]] = []
    for number in days:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [
        part
        for run in runs
        for part in ([(run[0], run[-1])] if len(run) >= _RUN else [(one, one) for one in run])
    ]
    return {one: ", ".join(_run(first, last, one) for first, last in parts) for one in LANGUAGES}


def _run(first: int, last: int, language: str) -> str:
    """One weekday in short, or from one to another."""
    names = [name[: _SHORT[language]] for name in _WEEKDAYS[language]]
    return names[first - 1] if first == last else f"{names[first - 1]}–{names[last - 1]}"


def duration(value: clock.Duration) -> Text:
    """30 days, 30일; a year is 12 months."""
    english, korean = [], []
    if value.months:
        english.append(plural(value.months, "month", "months"))
        korean.append(f"{value.months:,}개월")
    if value.days:
        english.append(plural(value.days, "day", "days"))
        korean.append(f"{value.days:,}일")
    rest = value.seconds
    for size, word, korean_word in _SECONDS:
        count, rest = divmod(rest, size)
        if count:
            english.append(plural(count, word, f"{word}s"))
            korean.append(f"{count:,}{korean_word}")
    return {"en": listed(english, "en"), "ko": " ".join(korean)}


def listed(words: Sequence[str], language: str, *, is_choice: bool = False) -> str:
    """a, b and c (or c); in Korean a, b, c, of which one is chosen with 또는."""
    if len(words) < 2:
        return "".join(words)
    head = ", ".join(words[:-1])
    if language == "en":
        return f"{head} {'or' if is_choice else 'and'} {words[-1]}"
    return f"{head} 또는 {words[-1]}" if is_choice else f"{head}, {words[-1]}"


def quoted(word: str, language: str) -> str:
    """A name within a sentence: “word”, and ‘word’ in Korean."""
    return f"‘{word}’" if language == "ko" else f"“{word}”"
