"""Workbooks with a password are opened by it alone, and damaged ones are refused with a sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from services.kit.documents.sheet_cells import saved
from services.kit.sheets.locked import is_locked, lock, unlock
from services.kit.sheets.unreadable import UnreadableSheet
from services.kit.sheets.workbook_reader import read_workbook

PASSWORD = "一个 long password 42"


@pytest.fixture(scope="module")
def plain() -> bytes:
    book = Workbook(write_only=True)
    book.create_sheet("名单").append(["姓名", "𬎆某"])
    return saved(book)


@pytest.fixture(scope="module")
def locked(plain: bytes) -> bytes:
    return lock(plain, PASSWORD)


def test_a_locked_workbook_holds_nothing_readable_and_its_password_opens_it(plain: bytes, locked: bytes) -> None:
    assert is_locked(locked)
    assert not is_locked(plain)
    assert b"xl/worksheets" not in locked
    assert unlock(locked, ["another", PASSWORD]) == plain


def test_a_locked_workbook_is_read_with_its_password_alone(locked: bytes) -> None:
    [sheet] = read_workbook(locked, ["another", PASSWORD])
    assert sheet.rows == {1: ["姓名", "𬎆某"]}
    with pytest.raises(UnreadableSheet, match="打开密码不正确"):
        read_workbook(locked, ["another"])
    with pytest.raises(UnreadableSheet, match="设有密码"):
        read_workbook(locked)


def test_a_workbook_without_a_password_is_read_although_passwords_are_known(plain: bytes) -> None:
    assert read_workbook(plain, [PASSWORD])[0].rows == {1: ["姓名", "𬎆某"]}


@pytest.mark.parametrize("kept", [600, 2000, -600])
def test_a_cut_workbook_is_refused(locked: bytes, kept: int) -> None:
    with pytest.raises(UnreadableSheet):
        read_workbook(locked[:kept], [PASSWORD])


@pytest.mark.parametrize("before_end", range(700, 6000, 700))
def test_a_changed_byte_never_changes_what_is_read(locked: bytes, before_end: int) -> None:
    changed = bytearray(locked)
    changed[-before_end] ^= 1
    try:
        [sheet] = read_workbook(bytes(changed), [PASSWORD])
    except UnreadableSheet:
        return
    assert sheet.rows == {1: ["姓名", "𬎆某"]}


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=2000))
def test_no_bytes_in_such_a_file_crash_the_reader(locked: bytes, noise: bytes) -> None:
    with pytest.raises(UnreadableSheet):
        read_workbook(locked[:512] + noise, [PASSWORD])
