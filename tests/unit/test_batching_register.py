"""The register: frozen, proved by its hash, printed completely, with the same bytes each time."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pypdf
import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from services.batching.batches.counting import count_month
from services.batching.cards.collection_codes import address_of
from services.batching.cards.collection_list import collection_list
from services.batching.models import Branch
from services.batching.register.attachments import attachments_zip
from services.batching.register.consent_form import consent_form
from services.batching.register.numerals import in_financial_characters
from services.batching.register.register import HEADINGS, SEALS, Register, RegisteredPerson
from services.batching.register.register_pdf import register_pdf
from services.batching.register.register_xlsx import register_xlsx
from services.contracts.consent import CONSENT_TITLE, CURRENT_CONSENT
from services.kit.documents.typeface import document_typeface
from services.kit.problems import Problem

NAMES = ("韩梅", "欧阳䶮", "𬎆𫖯𠅤", "迪丽·热巴", "Christopher Montgomery-Featherstonehaugh the Younger", "=SUM(A1)")
RECIPIENTS = [(f"{number:010}", f"会员{number}", "**** 7891") for number in range(40)]


def a_register(size: int = 6, **changes: Any) -> Register:
    """A register whose names need each of the fonts."""
    persons = tuple(
        RegisteredPerson(
            position=position,
            member_no=f"{position:010}",
            name=NAMES[position % len(NAMES)],
            document_type="resident_id",
            document_number="31010119750308002X",
            document_expiry=date.max,
            nationality="CHN",
        )
        for position in range(1, size + 1)
    )
    register = Register(
        batch_no="cbc81310000000000001X20261124001",
        channel="special",
        union_code="81310000000000001X",
        union_name="上海建朗信息科技有限公司工会",
        outlet_name="工商银行国华支行",
        outlet_address="上海市杨浦区闸殷路1555号国华广场102室",
        contact_name="王芳",
        contact_phone="13800000000",
        submitted_at=datetime(2026, 11, 24, 6, 2, tzinfo=UTC),
        persons=persons,
    )
    return replace(register, **changes)


def pages_of(content: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages]


def fonts_of(content: bytes) -> dict[str, bool]:
    """The names of all fonts that the file speaks of, each with whether it brings them along."""
    reader = pypdf.PdfReader(io.BytesIO(content))
    objects: list[Any] = [reader.get_object(number) for number in reader.xref[0]]
    fonts = [one for one in objects if isinstance(one, dict) and one.get("/Type") == "/Font"]
    return {font["/BaseFont"]: "/FontFile2" in font.get("/FontDescriptor", {}) for font in fonts}


def test_the_reason_of_the_special_channel_is_printed_and_part_of_the_hash() -> None:
    plain = a_register(1)
    reasoned = replace(plain, persons=(replace(plain.persons[0], channel_reason="其他：曾用名"),))
    assert reasoned.digest() != plain.digest()
    assert "特殊原因：其他：曾用名" in "".join(pages_of(register_pdf(reasoned))).replace("\n", "")
    sheet: Any = load_workbook(io.BytesIO(register_xlsx(reasoned))).active
    assert any("特殊原因：其他：曾用名" in str(cell) for row in sheet.iter_rows(values_only=True) for cell in row)


def test_each_page_says_which_of_how_many_it_is_and_whose_hash_it_bears() -> None:
    register = a_register(80)
    pages = pages_of(register_pdf(register))

    assert len(pages) > 2
    for number, text in enumerate(pages, 1):
        assert f"第 {number} 页 共 {len(pages)} 页" in text
        assert register.digest() in text
        assert register.batch_no in text
        assert "办理总人数：80 人" in text
        assert "2026-11-24 14:02" in text


def test_every_name_and_every_whole_number_is_on_it() -> None:
    text = "".join(pages_of(register_pdf(a_register(80)))).replace("\n", "").replace(" ", "")
    assert text.count("31010119750308002X") == 80
    for name in NAMES:
        assert name.replace(" ", "") in text


def codes_in(content: bytes) -> list[list[bytes]]:
    """The modules of each code for collection, row by row, in the order of the paper."""
    pictures = [one.image for page in pypdf.PdfReader(io.BytesIO(content)).pages for one in page.images]
    modules = [(picture.width, picture.convert("L").tobytes()) for picture in pictures if picture]
    return [
        [bytes(pixel < 128 for pixel in pixels[start : start + width]) for start in range(0, width * width, width)]
        for width, pixels in modules
    ]


def code_of(application_id: UUID) -> list[bytes]:
    return [bytes(row) for row in segno.make(address_of(application_id), error="m", micro=False, mask=3).matrix]


def test_where_unions_hand_out_cards_each_row_has_the_code_of_its_application() -> None:
    register, codes = a_register(40), [UUID(int=number) for number in range(40)]
    content = register_pdf(register, codes)

    assert codes_in(content) == [code_of(one) for one in codes]
    text = "".join(pages_of(content)).replace("\n", "")
    assert all(person.name.replace(" ", "") in text.replace(" ", "") for person in register.persons)
    assert all(word in text for word in ("领卡码", *HEADINGS, *SEALS, register.total_text()))
    assert content == register_pdf(register, codes)


def test_other_registers_and_lists_have_no_codes() -> None:
    assert codes_in(register_pdf(a_register())) == codes_in(collection_list("甲工会", "2026-11-30", RECIPIENTS)) == []


def test_each_row_of_a_collection_list_may_have_a_code() -> None:
    codes = [UUID(int=number) for number in range(len(RECIPIENTS))]
    content = collection_list("甲工会", "2026-11-30", RECIPIENTS, codes)

    assert codes_in(content) == [code_of(one) for one in codes]
    text = "".join(pages_of(content)).replace("\n", "").replace(" ", "")
    assert all(name in text for _, name, _ in RECIPIENTS)


def test_the_same_content_gives_the_same_bytes_and_embeds_its_fonts() -> None:
    content = register_pdf(a_register())
    assert content == register_pdf(a_register())
    assert {font.partition("+")[2].partition("-")[0] for font in fonts_of(content)} == {
        "WenQuanYiZenHei", "HanaMinA", "HanaMinB",
    }  # fmt: skip


def test_no_file_to_print_needs_a_font_that_it_does_not_bring() -> None:
    with zipfile.ZipFile(io.BytesIO(attachments_zip(a_register(), CURRENT_CONSENT.version))) as archive:
        fonts = {name: fonts_of(archive.read(name)) for name in archive.namelist()}
    assert [name for name, brought in fonts.items() if not brought or not all(brought.values())] == []


def test_a_register_of_an_earlier_release_keeps_its_hash() -> None:
    """The hash as computed for stored batches: without nationality for a resident ID."""
    register = a_register(2)
    assert a_register(3).digest() == "1d374fd4400af72aa79cd390f007e2c6db5565300a640aed246b73acc1883df2"
    first = replace(register.persons[0], nationality=None)
    stored = replace(register, persons=(first, register.persons[1]))
    assert stored.digest() == "c123543e9b0d67a010b8dbf15aacdcb9f045dd4d166883d4754accde05596c74"
    assert "中国" in first.texts()


@pytest.mark.parametrize(
    ("document_type", "nationality", "words"),
    [
        ("resident_id", None, "中国"),
        ("military_officer_id", None, "中国"),
        ("resident_id", "CHN", "中国"),
        ("passport", "USA", "美国"),
        ("mainland_travel_permit_hm", "HKG", "中国香港"),
        ("passport", None, "未登记"),
    ],
)
def test_a_nationality_is_printed_in_chinese_words_and_never_left_out(
    document_type: str, nationality: str | None, words: str
) -> None:
    register = a_register(1)
    person = replace(register.persons[0], document_type=document_type, nationality=nationality)
    register = replace(register, persons=(person,))
    assert words in pages_of(register_pdf(register))[0]
    assert words in texts_of_sheet(register)


def test_the_head_is_printed_whole_however_long_it_is() -> None:
    long = {
        "union_name": "上海市浦东新区张江高科技园区" * 7 + "联合会",
        "outlet_name": "工商银行国华支行第一营业部分理处" * 6,
        "outlet_address": "上海市杨浦区闸殷路1555号国华广场102室" * 4,
        "contact_name": "Christopher Montgomery-Featherstonehaugh Youngerby",
        "contact_phone": "021-12345678-123456",
    }
    pages = pages_of(register_pdf(a_register(80, **long)))
    for page in pages:
        words = "".join(page.split())
        for value in long.values():
            assert value.replace(" ", "") in words
    assert "31010119750308002X" in pages[-1], "the seals are never without a person"


def test_total_and_places_for_seals_are_at_the_end_and_only_there() -> None:
    *others, last = pages_of(register_pdf(a_register(80)))
    for words in ("合计：捌拾人（80 人）", *SEALS):
        assert words in last
        assert not any(words in page for page in others)


@pytest.mark.parametrize("size", [1, 24, 30, 31, 38])
def test_every_person_is_printed_once_and_one_at_least_above_the_seals(size: int) -> None:
    persons = tuple(replace(one, name="王芳") for one in a_register(size).persons)
    pages = pages_of(register_pdf(a_register(persons=persons)))
    counts = [page.count("31010119750308002X") for page in pages]
    assert sum(counts) == size
    assert all(counts)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "零"),
        (10, "壹拾"),
        (23, "贰拾叁"),
        (105, "壹佰零伍"),
        (1_010, "壹仟零壹拾"),
        (2_000, "贰仟"),
        (10_050, "壹万零伍拾"),
        (105_000, "壹拾万伍仟"),
        (1_000_500, "壹佰万零伍佰"),
        (100_000_007, "壹亿零柒"),
    ],
)
def test_a_number_is_written_in_the_characters_of_finance(number: int, words: str) -> None:
    assert in_financial_characters(number) == words


@given(st.integers(0, 10**12 - 1))
def test_a_number_in_words_says_that_number_and_no_zero_too_many(number: int) -> None:
    words = in_financial_characters(number)
    assert read_words(words) == number
    assert "零零" not in words
    assert words == "零" or (not words.startswith("零") and not words.endswith("零"))


def read_words(words: str) -> int:
    """The number, read as people do: a digit counts with the place behind it, a section with 万 or 亿."""
    total = section = digit = 0
    for character in words:
        if character in "万亿":
            total += (section + digit) * {"万": 10**4, "亿": 10**8}[character]
            section = digit = 0
        elif character in "拾佰仟":
            section += digit * 10 ** ("拾佰仟".index(character) + 1)
            digit = 0
        else:
            digit = "零壹贰叁肆伍陆柒捌玖".index(character)
    return total + section + digit


def test_a_name_that_no_font_has_is_not_printed_but_named() -> None:
    person = replace(a_register(1).persons[0], name="王\ue000")
    with pytest.raises(Problem, match="font_lacks") as refusal:
        register_pdf(a_register(persons=(person,)))
    assert refusal.value.status == 422
    assert "王\ue000（\ue000）" in (refusal.value.detail or "")


@given(st.sampled_from(["batch_no", "union_name", "outlet_address", "contact_phone", "channel"]), st.text(min_size=1))
def test_any_change_of_what_is_printed_changes_the_hash(field: str, value: str) -> None:
    register = a_register(2)
    changed = a_register(2, **{field: value})
    assert (changed.digest() == register.digest()) == (changed == register)


def test_the_hash_depends_on_each_person_and_not_on_the_time_zone() -> None:
    register = a_register(2)
    person = replace(register.persons[0], document_expiry=date(2031, 8, 8))
    assert replace(register, persons=(person, register.persons[1])).digest() != register.digest()
    in_local_time = register.submitted_at.astimezone(datetime.now().astimezone().tzinfo)
    assert replace(register, submitted_at=in_local_time).digest() == register.digest()


def test_the_workbook_says_the_same_and_holds_no_formula() -> None:
    register = a_register(6)
    sheet = load_workbook(io.BytesIO(register_xlsx(register))).active
    assert sheet is not None
    rows = list(sheet.iter_rows())
    assert {row[0].value: row[1].value for row in rows[1:9]}["清册校验值"] == register.digest()
    printed = [tuple(cell.value for cell in row) for row in rows[10:16]]
    assert printed == [person.texts() for person in register.persons]
    assert rows[16][0].value == "合计：陆人（6 人）"
    assert {cell.data_type for row in rows for cell in row if cell.value is not None} == {"s"}


def test_the_workbook_is_made_to_be_printed() -> None:
    sheet: Any = load_workbook(io.BytesIO(register_xlsx(a_register(6, union_name="上海市浦东新区" * 14)))).active
    assert (int(sheet.page_setup.paperSize), sheet.page_setup.orientation) == (9, "portrait")
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
    assert sheet.print_title_rows == "$10:$10"
    assert [cell.value for cell in sheet[10]] == list(HEADINGS)
    assert sheet.oddFooter.center.text == "第 &P 页 共 &N 页"
    for row in sheet.iter_rows(min_row=10):
        assert all(cell.border.bottom.style for cell in row)
    assert sheet.row_dimensions[4].height > sheet.row_dimensions[3].height, "a long name of a union takes two lines"
    assert set(SEALS) <= set(texts_of_sheet(a_register()))


def texts_of_sheet(register: Register) -> list[Any]:
    sheet: Any = load_workbook(io.BytesIO(register_xlsx(register))).active
    return [cell.value for row in sheet.iter_rows() for cell in row]


def test_the_attachments_are_the_register_two_forms_about_this_batch_and_its_form_of_consent() -> None:
    register = a_register(3)
    content = attachments_zip(register, CURRENT_CONSENT.version)
    assert content == attachments_zip(register, CURRENT_CONSENT.version)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        texts = {name: "".join(pages_of(archive.read(name))) for name in archive.namelist()}
    consent = texts.pop(f"{CONSENT_TITLE}.pdf")
    assert texts.keys() == {"办卡清册.pdf", "会员服务卡申领承诺书.pdf", "会员服务卡办卡委托书.pdf"}
    assert all(register.batch_no in text for text in texts.values())
    assert CURRENT_CONSENT.version in consent
    assert register.persons[0].document_number not in consent, "who signs sees no other's number"


def test_a_long_name_on_the_form_of_consent_stays_large_enough_to_be_read() -> None:
    name = "买买提·阿卜杜热合曼·" * 4
    [page] = pages_of(consent_form(CURRENT_CONSENT.version, "上海建朗工会", [("0070000001", name)]))
    assert name in "".join(page.split())
    assert name not in page, "in several lines"


def test_a_form_of_consent_goes_over_as_many_pages_as_its_signatures_need() -> None:
    signers = [(f"{number:010}", f"王{number}") for number in range(60)]
    pages = pages_of(consent_form(CURRENT_CONSENT.version, "上海建朗工会", signers))
    assert len(pages) > 2
    words = "".join(pages)
    assert all(member_no in words for member_no, _ in signers)


def test_long_text_is_wrapped_without_losing_a_character() -> None:
    typeface = document_typeface()
    text = "买买提·阿卜杜热合曼·吐尔逊，Christopher Montgomery" * 3
    lines = typeface.wrap(text, 100, 9)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(typeface.width(line.rstrip("，"), 9) <= 100 for line in lines)


@pytest.mark.parametrize(
    ("submitted_at", "month"),
    [
        (datetime(2026, 11, 20, 15, 59, tzinfo=UTC), "2026-11"),
        (datetime(2026, 11, 20, 16, 0, tzinfo=UTC), "2026-12"),
        (datetime(2026, 12, 31, 12, 0, tzinfo=UTC), "2027-01"),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), "2027-01"),
    ],
)
def test_a_submission_after_the_20th_in_shanghai_counts_for_the_next_month(submitted_at: datetime, month: str) -> None:
    assert count_month(Branch(cut_off_day=None, cut_off_dates=[]), submitted_at) == month


def test_a_bank_with_a_cut_off_day_and_dates_of_its_own_counts_by_them() -> None:
    branch = Branch(cut_off_day=25, cut_off_dates=[date(2027, 2, 3)])
    days = (datetime(2026, 11, 25, 4, tzinfo=UTC), datetime(2027, 2, 4, 4, tzinfo=UTC))
    assert [count_month(branch, day) for day in days] == ["2026-11", "2027-03"]


@pytest.mark.parametrize("name", ["<b>&amp;", "<para>x</para>", "(王) Tj", "=1+1", "a\\b"])
def test_a_name_is_printed_as_it_is_and_never_as_markup(name: str) -> None:
    register = a_register(1)
    named = replace(register, persons=(replace(register.persons[0], name=name),), union_name=f"{name}工会")

    assert name in "".join(pages_of(register_pdf(named)))
    pledge = zipfile.ZipFile(io.BytesIO(attachments_zip(named, CURRENT_CONSENT.version))).read(
        "会员服务卡申领承诺书.pdf"
    )
    assert name in "".join(pages_of(pledge)).replace("\n", "")


def test_the_files_of_the_attachments_have_names_of_ours() -> None:
    named = replace(a_register(1), batch_no="../../x", union_name="../y", outlet_name="/z")

    names = zipfile.ZipFile(io.BytesIO(attachments_zip(named, CURRENT_CONSENT.version))).namelist()
    assert names == ["办卡清册.pdf", "会员服务卡申领承诺书.pdf", "会员服务卡办卡委托书.pdf", f"{CONSENT_TITLE}.pdf"]
