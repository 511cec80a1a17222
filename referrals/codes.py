"""Codes of links: how they are made, in which form they are compared, which ones people may choose.

Pure. A code is shown as it was made; it is looked up by its canonical form, in which whatever is
easily taken for one another is one: case, width, separators, 0 and O, 1 and I and L, m and rn,
w and vv. Codes that are chosen (vanity codes) and codes that are made meet in that one form, so
none of either kind can pass for another. Refuses whatever may pass for letters of another script.
"""

import re
import secrets
import unicodedata

from referrals import refused_words

#: Crockford's base 32: no I, L, O and U.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
SHORTEST, LONGEST = 3, 20
#: More than this is no code, however it is spelled.
_TYPED_MAX = 64
_MADE = re.compile(rf"[0-9A-TV-Za-tv-z]{{{LENGTH}}}")
_SEPARATORS = dict.fromkeys(map(ord, " -_."))
_ONE = str.maketrans({"o": "0", "i": "1", "l": "1"})
_PAIRS = (("rn", "m"), ("vv", "w"))
_LATIN = frozenset("abcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset("0123456789")
#: What people write for letters that a list of words would else not find.
_WRITTEN = str.maketrans("013456789", "oieasgtbg")
_WRITTEN_TOO = _WRITTEN | str.maketrans("v", "u")
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
_SYLLABLES = range(0xAC00, 0xD7A4)


def canonical(text: str) -> str | None:
    """The form in which a code is stored and looked up, of however it was typed; None when no code
    is spelled like that."""
    if len(text) > _TYPED_MAX:
        return None
    # Some letters fold to what is composed only then.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    bare = folded.translate(_SEPARATORS)
    if not bare or not all(_is_latin(one) or _is_hangul(one) for one in bare):
        return None
    return _skeleton(bare)


def _skeleton(folded: str) -> str:
    found = folded.translate(_ONE)
    for pair, one in _PAIRS:
        found = found.replace(pair, one)
    return found


def _is_latin(symbol: str) -> bool:
    return symbol in _LATIN or symbol in _DIGITS


def _is_hangul(symbol: str) -> bool:
    return ord(symbol) in _SYLLABLES


def is_made(text: str) -> bool:
    """Whether a text has the form of a code that was made; I, L and O stand for 1 and 0."""
    return _MADE.fullmatch(text.strip()) is not None


def make() -> str:
    """A new code: eight symbols by chance, which spell no word that is refused."""
    while True:
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        if not _is_refused(code.casefold()):
            return code


def vanity(text: str) -> str:
    """A code that somebody chose, as it is shown; ValueError says why it cannot be one."""
    code = unicodedata.normalize("NFC", text)
    if not SHORTEST <= len(code) <= LONGEST:
        raise ValueError(f"must have {SHORTEST} to {LONGEST} letters and digits")
    folded = code.lower()
    letters = [one for one in folded if one not in _DIGITS]
    is_known = code.isascii() or all(one in _DIGITS or _is_hangul(one) for one in code)
    if not is_known or not all(one in _LATIN or _is_hangul(one) for one in letters):
        raise ValueError(
            "must hold letters from A to Z or Hangul syllables, and digits: none that only look"
            " like them, no two alphabets at once, no signs and no spaces"
        )
    if not letters:
        raise ValueError("must hold a letter: digits alone may be somebody's number")
    if _is_refused(folded):
        raise ValueError("is a word that may not be used; choose another one")
    return code


def _is_refused(folded: str) -> bool:
    """Whether a code is a word of the lists, with digits around it or for its letters, or holds
    one that is refused wherever it stands."""
    for word in refused_words.INNOCENT.split():
        folded = folded.replace(word, "")
    bare = "".join(one for one in folded if one not in _DIGITS)
    spelled = {
        *(folded, folded.strip("0123456789"), bare, _DRAWN_OUT.sub(r"\1", folded)),
        *(folded.translate(_WRITTEN), folded.translate(_WRITTEN_TOO)),
    }
    foul = {one.translate(_ONE) for one in spelled}
    if foul & _FOUL_ALONE or any(word in one for word in _FOUL for one in foul):
        return True
    seen = {_skeleton(one) for one in spelled}
    return bool(seen & _RESERVED) or any(word in one for word in _IMPERSONATING for one in seen)


# Foul words without the pairs: that `porn` looks like `pom` makes the latter none.
_FOUL_ALONE = frozenset(word.translate(_ONE) for word in refused_words.PROFANE_ALONE.split())
_FOUL = tuple(word.translate(_ONE) for word in refused_words.PROFANE.split())
# What passes for the house does so by how it looks.
_RESERVED = frozenset(map(_skeleton, refused_words.RESERVED.split()))
_IMPERSONATING = tuple(map(_skeleton, refused_words.IMPERSONATING.split()))
