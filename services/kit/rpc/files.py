"""Files in requests and answers, as base64."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated

from services.kit.problems import FieldProblem, Invalid

_MEGABYTE = 1024**2


@dataclass(frozen=True, kw_only=True)
class FileAnswer:
    """A file that a person downloads."""

    file_name: str
    content_type: str
    content: Annotated[str, "base64"]


def file_answer(file_name: str, content_type: str, content: bytes) -> FileAnswer:
    """The answer that carries these bytes."""
    encoded = base64.b64encode(content).decode()
    return FileAnswer(file_name=file_name, content_type=content_type, content=encoded)


def uploaded(content: str, most_megabytes: int) -> bytes:
    """The bytes of a file in base64; raises Invalid for one that is empty, larger, or no base64."""
    try:
        decoded = base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise Invalid([FieldProblem("file", "invalid", "文件内容无法读取，请重新上传")]) from error
    if not decoded or len(decoded) > most_megabytes * _MEGABYTE:
        raise Invalid([FieldProblem("file", "file_size", f"文件应不为空且不超过 {most_megabytes} MB")])
    return decoded
