"""Files that people upload, as requests carry them."""

import base64
import binascii

from services.kit.problems import FieldProblem, Invalid

_MEGABYTE = 1024**2


def uploaded(content: str, most_megabytes: int) -> bytes:
    """The bytes of a file in base64; raises Invalid for one that is empty, larger, or no base64."""
    try:
        decoded = base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise Invalid([FieldProblem("file", "invalid", "文件内容无法读取，请重新上传")]) from error
    if not decoded or len(decoded) > most_megabytes * _MEGABYTE:
        raise Invalid([FieldProblem("file", "file_size", f"文件应不为空且不超过 {most_megabytes} MB")])
    return decoded
