"""The register: frozen, proved by its hash, printed whole, the same each time."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from services.batching.attachments import attachments_zip
from services.batching.consent_form import consent_form
from services.batching.register import Register, RegisteredPerson
from services.batching.register_pdf import register_pdf
from services.batching.register_xlsx import register_xlsx
from services.batching.submission import count_month
from services.batching.typeface import register_typeface
from services.common.contracts.consent import CONSENT_TITLE, CURRENT_CONSENT
from services.common.problems import Problem

NAMES = ("韩梅", "欧阳䶮", "𬎆𫖯𠅤", "迪丽·热巴", "Christopher Montgomery-Featherstonehaugh the Younger", "=SUM(A1)")


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


def embedded_fonts(content: bytes) -> set[str]:
    """The names of the fonts that the first page brings along."""
    page: Any = pypdf.PdfReader(io.BytesIO(content)).pages[0]
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    return {font["/BaseFont"] for font in fonts if "/FontFile2" in font.get("/FontDescriptor", {})}


def test_each_page_says_which_of_how_many_it_is_and_whose_hash_it_bears() -> None:
    register = a_register(80)
    pages = pages_of(register_pdf(register))

    assert len(pages) == 3
    for number, text in enumerate(pages, 1):
        assert f"第 {number} 页 共 3 页" in text
        assert register.digest() in text
        assert register.batch_no in text
        assert "办理总人数：80 人" in text
        assert "2026-11-24 14:02" in text


def test_every_name_and_every_whole_number_is_on_it() -> None:
    text = "".join(pages_of(register_pdf(a_register(80)))).replace("\n", "").replace(" ", "")
    assert text.count("31010119750308002X") == 80
    for name in NAMES:
        assert name.replace(" ", "") in text


def test_the_same_content_gives_the_same_bytes_and_embeds_its_fonts() -> None:
    content = register_pdf(a_register())
    assert content == register_pdf(a_register())
    assert {font.partition("+")[2].partition("-")[0] for font in embedded_fonts(content)} == {
        "WenQuanYiZenHei", "HanaMinA", "HanaMinB",
    }  # fmt: skip


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
    assert {row[0].value: row[1].value for row in rows[:8]}["清册校验值"] == register.digest()
    assert [row[2].value for row in rows[9:]] == [person.name for person in register.persons]
    assert all(cell.data_type != "f" for row in rows for cell in row)


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


def test_a_form_of_consent_goes_over_as_many_pages_as_its_signatures_need() -> None:
    signers = [(f"{number:010}", f"王{number}") for number in range(60)]
    pages = pages_of(consent_form(CURRENT_CONSENT.version, "上海建朗工会", signers))
    assert len(pages) > 2
    words = "".join(pages)
    assert all(member_no in words for member_no, _ in signers)


def test_long_text_is_wrapped_without_losing_a_character() -> None:
    typeface = register_typeface()
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
    assert count_month(submitted_at, 20) == month


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
