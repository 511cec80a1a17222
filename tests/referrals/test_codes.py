"""Codes: in which form they are one, and which may be chosen."""

import pytest

from referrals import codes, sharing
from referrals.sharing import Shared


def test_what_looks_alike_is_one_code() -> None:
    wanted = codes.canonical("A0B1C1KM")
    for typed in (
        "a0b1c1km",
        "AOBIClKM",
        " A0B1-C1KM ",
        "a0b1.c1_km",
        "ＡｏＢｉＣ１ＫＭ",
        "A0BlCLkrn",
    ):
        assert codes.canonical(typed) == wanted, typed
    assert codes.canonical("vvow") == codes.canonical("W0W")
    assert codes.canonical("modern") == codes.canonical("rnodem")
    # Hangul in parts, as some machines type it, is the same Hangul.
    assert (
        codes.canonical("\u1103\u1161\u11ab\u1100\u1169\u11af") == codes.canonical("단골") == "단골"
    )
    for other in ("A0B1C1KN", "A0B1C1K", "A0B1C1KM7", "8OB1C1KM"):
        assert codes.canonical(other) != wanted, other


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " - ",
        "аdam",
        "αlpha",
        "mi\u200bna",
        "a;b",
        "a,b",
        "a\r\nb",
        "a\x00b",
        "a/b",
        "é",
        "ㄱㄴㄷ",
        "7" * 65,
    ],
)
def test_what_no_code_is_spelled_like_leads_nowhere(typed: str) -> None:
    assert codes.canonical(typed) is None


def test_made_codes_have_eight_symbols_that_nobody_mixes_up() -> None:
    made = {codes.make() for _ in range(500)}
    assert len(made) == 500
    for code in made:
        assert len(code) == 8
        assert set(code) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
        assert codes.canonical(code) == codes.canonical(code.lower())
    # Over 32 symbols and 4,000 places each one comes up, and none nearly always.
    counts = [sum(code.count(symbol) for code in made) for symbol in codes.ALPHABET]
    assert min(counts) > 60 and max(counts) < 220


def test_a_code_of_ones_own_choice_is_kept_as_it_was_written() -> None:
    for text in (
        *("MinJi", "mina2026", "단골손님", "소라7", "Scunthorpe", "class", "bobby", "ABC"),
        *("badminton7", "pomegranate", "essay69", "olive", "Vivian", "sunghee", "corner"),
    ):
        assert codes.vanity(text) == text
    assert codes.vanity("\u1109\u1169\u1105\u1161\u1102\u1166") == "소라네"


@pytest.mark.parametrize(
    ("text", "because"),
    [
        *(("ab", "3 to 20"), ("단골", "3 to 20"), ("a" * 21, "3 to 20")),
        # Other alphabets that look like ours, mixtures, widths, marks and what is not seen.
        *(("mіna", "alphabets"), ("αβγδ", "alphabets"), ("ｍｉｎａ", "alphabets")),
        *(("mina\u200b", "alphabets"), ("zoé", "alphabets"), ("민지kim", "alphabets")),
        *(
            ("min ji", "spaces"),
            ("min-ji", "signs"),
            ("𝐦𝐢𝐧𝐚", "alphabets"),
            ("ㅋㅋㅋ", "alphabets"),
        ),
        *(("مينا", "alphabets"), ("みなこ", "alphabets"), ("１２３a", "alphabets")),
        ("01012345678", "number"),
        # Of the house, with digits around or for letters.
        *(("admin", "may not"), ("Adm1n", "may not"), ("admin2026", "may not")),
        *(("SUPP0RT", "may not"), ("dangol", "may not"), ("관리자님", "may not")),
        *(("api1", "may not"), ("로그인", "may not"), ("l0gin", "may not")),
        # Foul, with digits for letters or between them.
        *(("fuckyou", "may not"), ("FUCK1", "may not"), ("5h1thead", "may not")),
        # By how it looks, and within more.
        *(("adrnin", "may not"), ("AdmlnTeam", "may not"), ("myDang0l", "may not")),
        *(("supportkr", "may not"), ("vvebmaster", "may not"), ("0fficia1", "may not")),
        *(("fvck", "may not"), ("ni66er", "may not"), ("fa9", "may not"), ("fuuuuck", "may not")),
        *(("ssibal", "may not"), ("Byungsin1", "may not"), ("5h1ba1", "may not")),
        *(("a55", "may not"), ("시발점", "may not"), ("시1발", "may not"), ("병신99", "may not")),
    ],
)
def test_what_may_not_be_chosen_is_told_why(text: str, because: str) -> None:
    with pytest.raises(ValueError, match=because):
        codes.vanity(text)


def test_a_text_is_filled_in_by_exact_name_and_only_once() -> None:
    texts = {"en": "{program} {{code}} {Code} {link.__class__} {0} %s {link}", "ko": "코드 {code}"}
    shared = Shared("AB", "https://x.example", "{code} & {link}", texts, ("en",))
    assert shared.text("sms") == (
        "{code} & {link} {AB} {Code} {link.__class__} {0} %s https://x.example/r/AB?ch=sms"
    )
    korean = Shared("AB", "https://x.example", "Bloom", texts, ("ko-KR", "en"))
    assert korean.text() == "코드 AB"
    # What names neither the link nor the code is given the link.
    bare = Shared("AB", "https://x.example", "Bloom", {"en": "Come!"}, ("de", "en"))
    assert bare.text() == "Come!\nhttps://x.example/r/AB"
    assert "body=Come%21%0D%0Ahttps%3A%2F%2Fx.example%2Fr%2FAB%3Fch%3Dsms" in bare.shown()["sms"]
    hangul = Shared("단골", "https://x.example", "Bloom", {}, ("ko",))
    assert hangul.url() == "https://x.example/r/%EB%8B%A8%EA%B3%A8"
    assert hangul.text().startswith("Bloom에 초대합니다!")


def test_a_picture_is_a_drawing_and_nothing_else() -> None:
    drawn = sharing.picture("https://x.example/r/AB?ch=qr").decode()
    assert drawn.startswith("<?xml") and "<path" in drawn
    assert "x.example" not in drawn and "script" not in drawn and "href" not in drawn
    assert drawn != sharing.picture("https://x.example/r/AC?ch=qr").decode()
