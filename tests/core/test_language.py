"""Korean particles after whatever precedes them, English plurals, money and dates."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from core import clock, language
from core.language import particle, with_particle


@pytest.mark.parametrize(
    ("word", "topic", "subject", "object_", "by"),
    [
        ("가입", "은", "이", "을", "으로"),
        ("조정", "은", "이", "을", "으로"),
        ("생일", "은", "이", "을", "로"),
        ("포인트", "는", "가", "를", "로"),
        ("카드 완성", "은", "이", "을", "으로"),
        ("주문 A-0", "은", "이", "을", "으로"),  # 영
        ("주문 A-1", "은", "이", "을", "로"),  # 일
        ("주문 A-2", "는", "가", "를", "로"),  # 이
        ("주문 A-3", "은", "이", "을", "으로"),  # 삼
        ("주문 A-4", "는", "가", "를", "로"),  # 사
        ("주문 A-5", "는", "가", "를", "로"),  # 오
        ("주문 A-6", "은", "이", "을", "으로"),  # 육
        ("주문 A-7", "은", "이", "을", "로"),  # 칠
        ("주문 A-8", "은", "이", "을", "로"),  # 팔
        ("주문 A-9", "는", "가", "를", "로"),  # 구
        ("1,000", "은", "이", "을", "으로"),  # 천
        ("1,000,000,000,000", "는", "가", "를", "로"),  # 일조
        ("10,000,000,000,000,000", "은", "이", "을", "으로"),  # 일경
        ("VIP", "는", "가", "를", "로"),  # 피
        ("SPRING", "은", "이", "을", "으로"),  # 스프링
        ("SALE", "은", "이", "을", "로"),  # 세일
        ("HTML", "은", "이", "을", "로"),  # 엘
        ("XL", "은", "이", "을", "로"),  # 엘
        ("R", "은", "이", "을", "로"),  # 알
        ("M", "은", "이", "을", "으로"),  # 엠
        ("N", "은", "이", "을", "으로"),  # 엔
        ("Gold", "는", "가", "를", "로"),  # 골드
        ("Silver", "는", "가", "를", "로"),  # 실버
        ("Platinum", "은", "이", "을", "으로"),  # 플래티넘
        ("web", "은", "이", "을", "으로"),  # 웹
        ("app", "은", "이", "을", "으로"),  # 앱
        ("coffee", "는", "가", "를", "로"),  # 커피
        ("spring", "은", "이", "을", "으로"),  # 스프링
        ("mobile", "은", "이", "을", "로"),  # 모바일
        ("online", "은", "이", "을", "으로"),  # 온라인
        ("book", "은", "이", "을", "으로"),  # 북
        ("week", "는", "가", "를", "로"),  # 위크
        ("gift", "는", "가", "를", "로"),  # 기프트
        ("‘골드’", "는", "가", "를", "로"),
        ("골드(VIP)", "는", "가", "를", "로"),
        ("주문 A-3.", "은", "이", "을", "으로"),
    ],
)
def test_particles_follow_the_sound(
    word: str, topic: str, subject: str, object_: str, by: str
) -> None:
    found = [particle(word, kind) for kind in ("은", "이", "을", "으로")]
    assert found == [topic, subject, object_, by]


def test_an_unknown_sound_gets_both_forms() -> None:
    assert with_particle("注文", "은") == "注文은(는)"
    assert with_particle("注文", "으로") == "注文(으)로"
    assert with_particle("🎁", "이") == "🎁이(가)"
    assert with_particle("", "을") == "을(를)"


def test_decomposed_hangul_sounds_the_same() -> None:
    assert particle("\u1109\u1162\u11bc\u110b\u1175\u11af", "으로") == "로"  # 생일


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (2000, "KRW", "₩2,000"),
        (1234, "EUR", "€12.34"),
        (5, "USD", "$0.05"),
        (123456, "BHD", "BHD 123.456"),
        (-1250, "GBP", "-£12.50"),
        (1_000_000, "JPY", "¥1,000,000"),
        (120000, "CHF", "CHF 1,200.00"),
    ],
)
def test_money_is_shown_by_its_own_minor_unit(minor: int, currency: str, shown: str) -> None:
    assert language.money(minor, currency) == shown


def test_dates_are_those_of_the_zone() -> None:
    assert language.day(date(2027, 1, 31)) == {"en": "31 January 2027", "ko": "2027년 1월 31일"}
    at = clock.parse_instant("2027-01-30T15:00:00Z")
    assert language.moment(at, ZoneInfo("Asia/Seoul"))["en"] == "31 January 2027"
    assert language.moment(at, ZoneInfo("Europe/Berlin")) == {
        "en": "30 January 2027 16:00",
        "ko": "2027년 1월 30일 16:00",
    }


def test_lists_and_plurals() -> None:
    assert language.plural(1, "item", "items") == "1 item"
    assert language.plural(1200, "item", "items") == "1,200 items"
    assert language.listed(["a", "b", "c"], "en") == "a, b and c"
    assert language.listed(["a", "b"], "en", is_choice=True) == "a or b"
    assert language.listed(["a", "b", "c"], "ko") == "a, b, c"
    assert language.listed(["a", "b"], "ko", is_choice=True) == "a 또는 b"
    assert language.listed([], "en") == ""


@pytest.mark.parametrize(
    ("numbers", "english", "korean"),
    [
        ([6], "Saturdays", "토요일"),
        ([6, 7], "Sat, Sun", "토, 일"),
        ([5, 1, 2, 3, 4], "Mon–Fri", "월–금"),
        ([1, 2, 3, 5, 6], "Mon–Wed, Fri, Sat", "월–수, 금, 토"),
        ([1, 3, 5, 6, 7], "Mon, Wed, Fri–Sun", "월, 수, 금–일"),
    ],
)
def test_weekdays_in_a_row_are_told_by_the_first_and_the_last(
    numbers: list[int], english: str, korean: str
) -> None:
    assert language.weekdays(numbers) == {"en": english, "ko": korean}


@pytest.mark.parametrize(
    ("text", "english", "korean"),
    [
        ("P30D", "30 days", "30일"),
        ("P1D", "1 day", "1일"),
        ("P1M", "1 month", "1개월"),
        ("P1Y2W", "12 months and 14 days", "12개월 14일"),
        ("PT36H", "36 hours", "36시간"),
        ("PT90M", "1 hour and 30 minutes", "1시간 30분"),
        ("PT61S", "1 minute and 1 second", "1분 1초"),
    ],
)
def test_durations_are_told_in_their_own_measures(text: str, english: str, korean: str) -> None:
    found = language.duration(clock.parse_duration(text))
    assert found == {"en": english, "ko": korean}


def test_won_are_told_by_their_word_in_korean() -> None:
    assert language.money(2000, "KRW", language="ko") == "2,000원"
    assert language.money(-1250, "KRW", language="ko") == "-1,250원"
    assert language.money(1234, "EUR", language="ko") == "€12.34"


def test_a_name_is_found_whatever_languages_there_are() -> None:
    assert language.name_of({"en": "Gold", "ko": "골드"}, "g") == {"en": "Gold", "ko": "골드"}
    assert language.name_of({"ko-KR": "골드"}, "g") == {"en": "골드", "ko": "골드"}
    assert language.name_of({"fr": "Or"}, "g") == {"en": "Or", "ko": "Or"}
    assert language.name_of({}, "g") == {"en": "g", "ko": "g"}
