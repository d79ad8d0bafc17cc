"""Workbooks with a password, encrypted as office programs do it: agile encryption, AES-256, of ECMA-376."""

import io
from collections.abc import Sequence
from typing import Any

from msoffcrypto import OfficeFile
from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError, ParseError
from msoffcrypto.format.ooxml import OOXMLFile

from services.kit.sheets.unreadable import DAMAGED, UnreadableSheet

OLE = bytes.fromhex("d0cf11e0a1b11ae1")
"""The first bytes of spreadsheet files before 2007, and of newer ones with a password."""
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_NOT_OPENED = "文件的打开密码不正确。请用约定的密码加密后重新上传。"
_OLD_ENCRYPTION = "文件的加密方式过旧，不能防止改动。请用 Excel 2010 或更新的程序以密码另存为 .xlsx 后上传。"


def is_locked(content: bytes) -> bool:
    """Whether a workbook can be read with a password only; old ones, encrypted in another way, do not count."""
    return content.startswith(OLE) and _ENCRYPTED_PACKAGE in content


def lock(content: bytes, password: str) -> bytes:
    """An .xlsx, encrypted by a password."""
    locked = io.BytesIO()
    OOXMLFile(io.BytesIO(content)).encrypt(password, locked)
    return locked.getvalue()


def unlock(content: bytes, passwords: Sequence[str]) -> bytes:
    """The content of a locked workbook, by the first of the passwords that fits; raises UnreadableSheet.

    It reads an untrusted file: call it in a process of its own.
    """
    plain = io.BytesIO()
    try:
        book = next(filter(None, (_opened(content, password) for password in passwords)), None)
        if book is None:
            raise UnreadableSheet(_NOT_OPENED)
        book.decrypt(plain, verify_integrity=True)
    except (DecryptionError, FileFormatError, ParseError) as error:
        raise UnreadableSheet(DAMAGED) from error
    return plain.getvalue()


def _opened(content: bytes, password: str) -> Any:
    """The workbook with the key that the password makes; None where it does not fit. Raises UnreadableSheet for older
    encryption, which does not protect from changes.
    """
    book = OfficeFile(io.BytesIO(content))
    if getattr(book, "type", None) != "agile":
        raise UnreadableSheet(_OLD_ENCRYPTION)
    try:
        book.load_key(password=password, verify_password=True)
    except InvalidKeyError:
        return None
    return book
