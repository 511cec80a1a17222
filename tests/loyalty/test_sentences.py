"""Every entry has a sentence, written out here by hand in both languages."""

from typing import Any, get_args

import pytest

from loyalty import sentences
from loyalty.ledger.entries import MOVES, Kind
from programs.compiled import Compiled, compile_document

DOCUMENT: dict[str, Any] = {
    "name": "Bloom",
    "timezone": "Asia/Seoul",
    "currency": "KRW",
    "points": [
        {"key": "points", "name": {"en": "points", "ko": "포인트"}},
        {"key": "petals", "name": {"en": "Petals", "ko": "꽃잎"}},
        {"key": "beans", "name": {"en": "Beans"}},
        {"key": "stars"},
    ],
    "earning": {"rules": []},
    "tiers": {"levels": [{"key": "gold", "name": {"en": "Gold", "ko": "골드"}, "enter_at": 10}]},
    "cards": [{"key": "coffee", "name": {"en": "Coffee card", "ko": "커피 카드"}, "stamps": 10}],
}


@pytest.fixture(scope="module")
def program() -> Compiled:
    return compile_document(bytes(16), 1, DOCUMENT)


def row(kind: str, source_type: str, ref: str, points: int = 1200, **more: Any) -> dict[str, Any]:
    source, target = sorted(MOVES[kind])[0]  # type: ignore[index]
    return {
        "kind": kind,
        "points": points,
        "points_key": "points",
        "from_bucket": source,
        "to_bucket": target,
        "source_type": source_type,
        "source_ref": ref,
    } | more


KINDS = [
    ("earn", "order", "A-1", "1,200 points for order A-1", "주문 A-1로 1,200포인트 적립"),
    ("activate", "lot", "l", "1,200 points ready to spend", "1,200포인트 사용 가능"),
    (
        "hold",
        "redemption",
        "h",
        "1,200 points reserved for a redemption",
        "포인트 사용으로 1,200포인트 보류",
    ),
    (
        "capture",
        "redemption",
        "h",
        "1,200 points spent on a redemption",
        "포인트 사용으로 1,200포인트 사용",
    ),
    ("spend", "order", "A-3", "1,200 points spent on order A-3", "주문 A-3으로 1,200포인트 사용"),
    (
        "release",
        "redemption",
        "h",
        "1,200 points no longer reserved for a redemption",
        "포인트 사용 보류 해제로 1,200포인트 반환",
    ),
    ("expire", "expiry", "l", "1,200 points expired", "1,200포인트 소멸"),
    (
        "claw_back",
        "order",
        "A-1",
        "1,200 points for order A-1 taken back",
        "주문 A-1 변경으로 1,200포인트 회수",
    ),
    (
        "restore",
        "order",
        "A-1",
        "1,200 points for order A-1 given back",
        "주문 A-1 변경으로 1,200포인트 복원",
    ),
    (
        "adjust",
        "adjustment",
        "a",
        "1,200 points added by an adjustment",
        "조정으로 1,200포인트 추가",
    ),
    ("transfer", "transfer", "t", "1,200 points taken by a transfer", "양도로 1,200포인트 차감"),
]
SOURCES = [
    ("order", "A-2", "1,200 points for order A-2", "주문 A-2로 1,200포인트 적립"),
    ("signup", "mem_x", "1,200 points for signing up", "가입으로 1,200포인트 적립"),
    ("activity", "R-9", "1,200 points for activity R-9", "활동 R-9로 1,200포인트 적립"),
    ("birthday", "2027-05-04", "1,200 points for your birthday", "생일 축하 1,200포인트 적립"),
    (
        "anniversary",
        "2027-05-04",
        "1,200 points for the anniversary of your joining",
        "가입 기념일 축하 1,200포인트 적립",
    ),
    ("tier", "gold", "1,200 points for reaching Gold", "골드 등급 달성으로 1,200포인트 적립"),
    (
        "card",
        "coffee",
        "1,200 points for completing Coffee card",
        "커피 카드 완성으로 1,200포인트 적립",
    ),
    ("referral", "ref_x", "1,200 points for a referral", "추천으로 1,200포인트 적립"),
    (
        "referral_milestone",
        "rms_x",
        "1,200 points for a number of referrals",
        "추천 목표 달성으로 1,200포인트 적립",
    ),
    ("surprise", "drw_x", "1,200 points for a surprise", "깜짝 선물로 1,200포인트 적립"),
    (
        "lot",
        "lot_x",
        "1,200 points for the end of their waiting time",
        "대기 기간 종료로 1,200포인트 적립",
    ),
    ("expiry", "lot_x", "1,200 points for their date", "유효 기간 만료로 1,200포인트 적립"),
    ("redemption", "h", "1,200 points for a redemption", "포인트 사용으로 1,200포인트 적립"),
    ("adjustment", "a", "1,200 points for an adjustment", "조정으로 1,200포인트 적립"),
    ("transfer", "t", "1,200 points for a transfer", "양도로 1,200포인트 적립"),
    ("opening", "o", "1,200 points for the opening balance", "이월 잔액으로 1,200포인트 적립"),
    (
        "merge",
        "m",
        "1,200 points for merging with another membership",
        "회원 통합으로 1,200포인트 적립",
    ),
    ("erasure", "e", "1,200 points for erasure", "회원 정보 삭제로 1,200포인트 적립"),
]


@pytest.mark.parametrize("case", KINDS, ids=[one[0] for one in KINDS])
def test_every_kind_of_entry_has_its_sentence(
    program: Compiled, case: tuple[str, str, str, str, str]
) -> None:
    kind, source_type, ref, english, korean = case
    told = sentences.entry(row(kind, source_type, ref), program)
    assert told == {"en": english, "ko": korean}


@pytest.mark.parametrize(("source_type", "ref", "english", "korean"), SOURCES)
def test_every_source_has_its_words(
    program: Compiled, source_type: str, ref: str, english: str, korean: str
) -> None:
    told = sentences.entry(row("earn", source_type, ref), program)
    assert told == {"en": english, "ko": korean}


def test_no_kind_and_no_source_is_left_out() -> None:
    assert {one[0] for one in KINDS} == set(get_args(Kind)) == set(sentences.KINDS)
    assert {one[0] for one in SOURCES} == set(sentences.SOURCES)


@pytest.mark.parametrize(
    ("points_key", "points", "english", "korean"),
    [
        ("points", 1, "1 point", "1포인트"),
        ("points", 0, "0 points", "0포인트"),
        ("petals", 1, "1 Petal", "1꽃잎"),
        ("petals", 12_345, "12,345 Petals", "12,345꽃잎"),
        ("beans", 1, "1 Bean", "1 Beans"),
        ("stars", 2, "2 stars", "2 stars"),
        ("gone", 2, "2 gone", "2 gone"),
    ],
)
def test_points_go_by_the_name_of_their_kind(
    program: Compiled, points_key: str, points: int, english: str, korean: str
) -> None:
    assert sentences.points(points, points_key, program) == {"en": english, "ko": korean}


def test_points_that_were_spent_and_come_back_say_so(program: Compiled) -> None:
    told = sentences.entry(
        row("restore", "order", "A-1", 1, from_bucket="spent", to_bucket="available"), program
    )
    assert told == {
        "en": "1 point that was spent on order A-1 given back",
        "ko": "주문 A-1 변경으로 사용한 1포인트 반환",
    }


def test_an_adjustment_and_a_transfer_say_which_way(program: Compiled) -> None:
    ways = {"from_bucket": "available", "to_bucket": "adjusted"}
    assert sentences.entry(row("adjust", "adjustment", "a", 1, **ways), program) == {
        "en": "1 point taken by an adjustment",
        "ko": "조정으로 1포인트 차감",
    }
    ways = {"from_bucket": "transferred", "to_bucket": "available"}
    assert sentences.entry(row("transfer", "transfer", "t", 5, **ways), program)["ko"] == (
        "양도로 5포인트 추가"
    )


@pytest.mark.parametrize(
    ("source_type", "ref", "taken", "given"),
    [
        ("order", "A-1", "주문 A-1 변경으로 9포인트 회수", "주문 A-1 변경으로 9포인트 복원"),
        ("activity", "R-9", "활동 R-9 변경으로 9포인트 회수", "활동 R-9 변경으로 9포인트 복원"),
        ("card", "coffee", "커피 카드 완성 취소로 9포인트 회수", "커피 카드 완성으로 9포인트 복원"),
        ("tier", "gold", "골드 등급 달성 취소로 9포인트 회수", "골드 등급 달성으로 9포인트 복원"),
        ("birthday", "2027-05-04", "생일 혜택 취소로 9포인트 회수", "생일 축하 9포인트 복원"),
        ("signup", "mem_x", "가입 혜택 취소로 9포인트 회수", "가입으로 9포인트 복원"),
        ("surprise", "drw_x", "깜짝 선물 취소로 9포인트 회수", "깜짝 선물로 9포인트 복원"),
    ],
)
def test_what_no_longer_stands_was_undone(
    program: Compiled, source_type: str, ref: str, taken: str, given: str
) -> None:
    back = sentences.entry(row("claw_back", source_type, ref, 9), program)
    again = sentences.entry(row("restore", source_type, ref, 9), program)
    assert (back["ko"], again["ko"]) == (taken, given)


def test_what_the_program_no_longer_has_is_named_by_the_version_that_decided(
    program: Compiled,
) -> None:
    later = compile_document(
        bytes(16),
        2,
        {**DOCUMENT, "points": DOCUMENT["points"][:1], "tiers": {"levels": []}, "cards": []},
    )
    gone = row("earn", "tier", "gold", 5, points_key="petals")
    assert sentences.entry(gone, later)["en"] == "5 petals for reaching gold"
    assert sentences.entry(gone, later, pinned=program) == {
        "en": "5 Petals for reaching Gold",
        "ko": "골드 등급 달성으로 5꽃잎 적립",
    }
    card = row("earn", "card", "coffee", 5)
    assert (
        sentences.entry(card, later, pinned=program)["en"] == "5 points for completing Coffee card"
    )
