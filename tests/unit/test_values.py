"""Value types: the stored form of what people type and paste, and what is refused."""

import unicodedata
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.contracts import values
from services.contracts.values import LONG_TERM, InvalidValue, clean_day
from services.kit import text as cleaning

CLEANERS = [
    *(values.clean_text, values.clean_lines, values.clean_address, values.clean_document_number, values.clean_name),
    *(values.clean_mobile, values.clean_phone, values.clean_nationality),
]
_ODD = "王𬎆か\u3099·\u30fb\uff0e.aA\u0308\u00a8 \u3000\u200d\u202d\u00a0-'\u2019ŉ１Ⅹ+8\n\r\t\x1c\u2028①ﬁ"


@pytest.mark.parametrize("clean", CLEANERS)
@given(text=st.text(alphabet=st.sampled_from(_ODD)) | st.text())
@example(text="a\u200b\u0308")
@example(text="王\u00a8\u200d\u3099")
def test_what_is_cleaned_stays_as_it_is_when_it_is_cleaned_again(clean: Callable[[str], str], text: str) -> None:
    try:
        once = clean(text)
    except InvalidValue:
        return
    assert clean(once) == once


@pytest.mark.parametrize("clean", [values.clean_text, values.clean_name, values.clean_address])
@pytest.mark.parametrize("hidden", "\u200b\u200e\u202d\u2066\ufeff\u00ad\x07\x7f\u0085")
def test_what_nobody_sees_is_taken_out(clean: Callable[[str], str], hidden: str) -> None:
    assert clean(f"{hidden}王{hidden}芳{hidden}").replace(" ", "") == "王芳"


@pytest.mark.parametrize("clean", CLEANERS)
@pytest.mark.parametrize("damage", ["\0", "\ud800", *"\ufffd\ufffe\uffff\ufdd0\U0001ffff"])
def test_what_means_damage_is_refused(clean: Callable[[str], str], damage: str) -> None:
    with pytest.raises(InvalidValue):
        clean(f"王{damage}芳")


@pytest.mark.parametrize(
    "typed",
    [
        *("13812345678", "138 1234 5678", "138-1234-5678", "+86 138 1234 5678", "+8613812345678", "008613812345678"),
        *(
            "8613812345678",
            "１３８１２３４５６７８",
            "\u202d138 1234 5678\u202c",
            "13812345678.0",
            "\u00a013812345678\u3000",
            "'13812345678",
        ),
        *("138\u20111234\u20115678", "(+86)13812345678", "138.1234.5678"),
    ],
)
def test_a_mobile_number_is_kept_as_eleven_digits(typed: str) -> None:
    assert values.clean_mobile(typed) == values.clean_phone(typed) == "13812345678"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("021-12345678", "021-12345678"),
        ("（021）12345678", "02112345678"),
        ("12345678", "12345678"),
        ("+86 21 1234 5678", "02112345678"),
        ("+86-21-12345678", "021-12345678"),
        ("０２１—１２３４５６７８—１２３", "021-12345678-123"),
        ("021-12345678转123", "021-12345678-123"),
        ("02112345678 ext. 123", "02112345678-123"),
        ("021-12345678-分机 123", "021-12345678-123"),
        ("12345678#123", "12345678-123"),
    ],
)
def test_a_fixed_line_is_kept_with_area_code_and_extension(typed: str, kept: str) -> None:
    assert values.clean_phone(typed) == kept


@pytest.mark.parametrize(
    "typed", ["", "1381234567", "12812345678", "١٣٨١٢٣٤٥٦٧٨", "13812345678\n9", "电话", "861381234567"]
)
def test_what_is_no_mobile_number_is_refused(typed: str) -> None:
    with pytest.raises(InvalidValue):
        values.clean_mobile(typed)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        *((typed, "CHN") for typed in ("CHN", "chn", " CHN\n", "中国", "中 国", "中华人民共和国", "ＣＨＮ")),
        *((typed, "CHN") for typed in ("中国大陆", "中国（大陆）", "中国籍", "大陆")),
        *((typed, "KOR") for typed in ("韩国", "大韩民国", "KOR", "韩国籍")),
        *(("中国（香港）", "HKG"), ("香港特别行政区", "HKG"), ("台湾省", "TWN"), ("刚果（金）", "COD")),
        *(("美国", "USA"), ("中国香港", "HKG"), ("香港", "HKG"), ("中国台湾", "TWN"), ("中国台湾省", "TWN")),
    ],
)
def test_a_nationality_is_kept_as_three_letters(typed: str, kept: str) -> None:
    assert values.clean_nationality(typed) == kept


@pytest.mark.parametrize("typed", ["", "ZZZ", "CN", "地球", "1"])
def test_a_nationality_that_nobody_knows_is_refused(typed: str) -> None:
    with pytest.raises(InvalidValue, match="国籍"):
        values.clean_nationality(typed)


def test_a_nationality_is_read_in_chinese_words() -> None:
    assert [values.nationality_title(code) for code in ("CHN", "USA", "HKG", "TWN", "???")] == [
        *("中国", "美国", "中国香港", "中国台湾", "???")
    ]


@pytest.mark.parametrize(
    "typed",
    [
        *("2030-01-31", "2030/1/31", "2030.01.31", "20300131", "2030年1月31日", "2030-01-31 00:00:00"),
        *(
            "2030-01-31T00:00:00",
            "２０３０－０１－３１",
            " 2030-01-31\u200b",
            "2030/1/31 0:00",
            "2030-01-31T00:00:00.000",
        ),
        *("2030年1月31号", "2030年1月31日12:00", "2030/1/31 上午 12:00:00", "2030/1/31 12:00 AM"),
        "2030-1-31\n00:00:00",
    ],
)
def test_a_day_is_read_however_it_is_written(typed: str) -> None:
    assert clean_day(typed) == date(2030, 1, 31)


@pytest.mark.parametrize("time", ["00:00:00", "0:00:00", "12:00:00", "10:30", "05:00", "上午 12:00:00"])
@pytest.mark.parametrize("day", ["2030/1/1", "2030-1-1", "2030.01.1", "2030年1月1日", "20300101"])
def test_the_hour_of_a_time_is_no_part_of_the_day(day: str, time: str) -> None:
    assert clean_day(f"{day} {time}") == date(2030, 1, 1)


@pytest.mark.parametrize("typed", ["长期", "长期有效", "永久", "9999-12-31", "9999/12/31"])
def test_a_document_for_life_has_one_expiry_date(typed: str) -> None:
    assert clean_day(typed) == LONG_TERM


@pytest.mark.parametrize(
    "typed",
    [
        *("2030-01-31", "2020.01.31-2030.01.31", "2020-01-31-2030-01-31", "2020年1月31日—2030年1月31日"),
        *("20200131 至 20300131", "2020/1/31～2030/1/31"),
    ],
)
def test_the_expiry_is_read_also_from_the_whole_term(typed: str) -> None:
    assert values.clean_expiry(typed) == date(2030, 1, 31)


def test_the_expiry_of_a_term_may_be_for_life_and_both_its_ends_must_be_days() -> None:
    assert values.clean_expiry("2020.01.31-长期") == LONG_TERM
    for typed in ("2020.01.31-", "-2030.01.31", "2030-02-30-2030-03-31", "2020.01-2030.01"):
        with pytest.raises(InvalidValue, match="日期"):
            values.clean_expiry(typed)


@pytest.mark.parametrize("typed", ["2030-01-30T16:00:00.000Z", "2030-01-31T00:00:00Z", "2030-01-31 00:00:00+08:00"])
def test_a_moment_with_its_zone_is_the_day_in_shanghai(typed: str) -> None:
    assert clean_day(typed) == date(2030, 1, 31)


@pytest.mark.parametrize(
    "typed", ["", "2030-02-30", "31-01-2030", "2030-1", "明年", "٢٠٣٠-٠١-٣١", "2030-01/31x", "9999-12-31T23:00:00Z"]
)
def test_what_is_no_day_is_refused(typed: str) -> None:
    with pytest.raises(InvalidValue, match="日期"):
        clean_day(typed)


@pytest.mark.parametrize(
    "typed", ["2035-01", "2035年1月", "2035年1月份", "203501", "2035.01", "2035/1", "2035/01/15", "2035/1/1 10:00:00"]
)
def test_a_month_is_kept_as_its_first_day(typed: str) -> None:
    assert values.clean_month(typed) == date(2035, 1, 1)


@pytest.mark.parametrize("typed", ["47514", "20351", "2035", "2035-13", "2035-00", "长期", "9999-12-31", ""])
def test_what_is_no_month_is_refused(typed: str) -> None:
    with pytest.raises(InvalidValue, match="2035-01"):
        values.clean_month(typed)


def test_a_month_that_may_be_january_or_october_is_refused() -> None:
    assert values.clean_month("2035.3") == date(2035, 3, 1)
    with pytest.raises(InvalidValue, match="2035-10"):
        values.clean_month("2035.1")


def test_a_day_in_shanghai_ends_even_where_the_calendar_does() -> None:
    assert values.end_of(date(2026, 2, 28)).isoformat() == "2026-03-01T00:00:00+08:00"
    assert values.start_of(date.min) < values.end_of(date.min) < values.end_of(date.max)


def test_an_address_is_kept_in_half_width() -> None:
    assert values.clean_address(" 浦东新区１２３弄 \u3000４号\u00a0") == values.clean_address("浦东新区123弄 4号")


def test_a_text_of_several_lines_keeps_its_lines() -> None:
    assert values.clean_lines("\n第一行 \r\n\r\n\u200b第三行\u2028第四行\n\n") == "第一行\n\n第三行\n第四行"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("'310115198506150011", "310115198506150011"), ("h1234 5678", "H12345678")],
)
def test_the_apostrophe_that_marks_text_in_a_sheet_is_no_part_of_a_number(typed: str, kept: str) -> None:
    assert values.clean_document_number(typed) == kept


@pytest.mark.parametrize("letter", "xXＸⅩ×✕ХхΧχ")
def test_what_looks_like_the_x_at_the_end_of_a_number_is_one(letter: str) -> None:
    assert values.clean_document_number(f"31010119750308002{letter}") == "31010119750308002X"


def test_no_normal_form_changes_the_characters_that_are_taken_for_plain() -> None:
    plain = [chr(code) for code in range(0x110000) if cleaning._PLAIN.fullmatch(chr(code))]

    assert len(plain) == 0x5F + 0x5200
    for character in plain:
        assert unicodedata.normalize("NFKC", character) == unicodedata.normalize("NFC", character) == character
        assert unicodedata.category(character) not in cleaning._INVISIBLE
