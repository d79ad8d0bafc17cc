"""Files in answers: name, content type, content as base64."""

import base64
from dataclasses import dataclass
from typing import Annotated


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
