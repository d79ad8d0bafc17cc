"""The kinds of files allowed as attachments: documents, pictures and videos whose content fits their name."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from services.kit.documents.content_types import PDF

_OFFICE = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True)
class _Kind:
    content_type: str
    is_such: Callable[[bytes], bool]


def content_type_of(file_name: str, content: bytes) -> str | None:
    """The content type of an allowed file; None for another kind, or content that does not fit the name."""
    kind = _KINDS.get(PurePosixPath(file_name).suffix.lower())
    return kind.content_type if kind and kind.is_such(content) else None


def is_video(content_type: str) -> bool:
    """Whether files of this type are played."""
    return content_type.startswith("video/")


def _begins(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(signatures)


def _is_office(content: bytes) -> bool:
    """Whether it is a zip file that names the types of its parts, as Office files do, and holds no macros."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            names = packed.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return "[Content_Types].xml" in names and not any(name.lower().endswith("vbaproject.bin") for name in names)


def _is_text(content: bytes) -> bool:
    if b"\0" in content:
        return False
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False


def _is_mp4(content: bytes) -> bool:
    return content[4:8] == b"ftyp"


def _is_webm(content: bytes) -> bool:
    """Whether it is a Matroska file that says it is WebM, whose codecs browsers know."""
    return content.startswith(b"\x1a\x45\xdf\xa3") and b"\x42\x82\x84webm" in content[:64]


def _is_captions(content: bytes) -> bool:
    return content.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT") and _is_text(content)


_IS_OLD_OFFICE = _begins(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_IS_JPEG = _begins(b"\xff\xd8\xff")
_KINDS = {
    ".pdf": _Kind(PDF, _begins(b"%PDF-")),
    ".docx": _Kind(f"{_OFFICE}.wordprocessingml.document", _is_office),
    ".xlsx": _Kind(f"{_OFFICE}.spreadsheetml.sheet", _is_office),
    ".pptx": _Kind(f"{_OFFICE}.presentationml.presentation", _is_office),
    ".doc": _Kind("application/msword", _IS_OLD_OFFICE),
    ".xls": _Kind("application/vnd.ms-excel", _IS_OLD_OFFICE),
    ".ppt": _Kind("application/vnd.ms-powerpoint", _IS_OLD_OFFICE),
    ".txt": _Kind("text/plain; charset=utf-8", _is_text),
    ".png": _Kind("image/png", _begins(b"\x89PNG\r\n\x1a\n")),
    ".jpg": _Kind("image/jpeg", _IS_JPEG),
    ".jpeg": _Kind("image/jpeg", _IS_JPEG),
    ".mp4": _Kind("video/mp4", _is_mp4),
    ".webm": _Kind("video/webm", _is_webm),
    ".vtt": _Kind("text/vtt; charset=utf-8", _is_captions),
}
ENDINGS = tuple(_KINDS)
"""The allowed extensions of file names."""
