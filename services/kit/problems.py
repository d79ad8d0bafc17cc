"""Refusals of requests as RFC 9457 problem documents, with a stable code and texts in Chinese."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

MOST_FIELDS = 100
"""Most wrong fields that a problem names."""
_LONGEST_PATH = 200
_UNAVAILABLE = 503


class CodedReason(str):
    """A reason in Chinese with its own stable code, which marshmallow carries as one of its messages."""

    code: str

    def __new__(cls, reason: str, code: str) -> "CodedReason":
        coded = super().__new__(cls, reason)
        coded.code = code
        return coded


@dataclass(frozen=True)
class FieldProblem:
    """One invalid field: its path, a stable code, and the reason in Chinese."""

    field: str
    code: str
    reason: str


class Problem(Exception):
    """A refusal that is returned to the caller.

    `code` is stable and for programs; `title` says what is wrong and `detail` what to do, both in Chinese.
    `retry_after` is in seconds, where a later attempt may succeed.
    """

    retry_after: int | None = None

    def __init__(
        self,
        code: str,
        status: int,
        title: str,
        detail: str | None = None,
        fields: Sequence[FieldProblem] = (),
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.title = title
        self.detail = detail
        self.fields = list(fields)

    def to_dict(self) -> dict[str, Any]:
        """The problem as JSON types, without empty values."""
        document = {
            "code": self.code,
            "status": self.status,
            "title": self.title,
            "detail": self.detail,
            "fields": [asdict(field) for field in self.fields],
            "retry_after": self.retry_after,
        }
        return {name: value for name, value in document.items() if value not in (None, [])}

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> "Problem":
        """The problem that `to_dict` wrote."""
        code, title, detail = document["code"], document["title"], document.get("detail")
        if document["status"] == _UNAVAILABLE:
            return Unavailable(document.get("retry_after"), code, title, detail)
        fields = [FieldProblem(**field) for field in document.get("fields", ())]
        problem = Problem(code, document["status"], title, detail, fields)
        problem.retry_after = document.get("retry_after")
        return problem


class NotFound(Problem):
    """The record does not exist, or the caller may not see it."""

    def __init__(self, code: str = "not_found", title: str = "未找到所查的内容", detail: str | None = None) -> None:
        super().__init__(code, 404, title, detail)


class Conflict(Problem):
    """The current state does not allow the operation."""

    def __init__(self, code: str, title: str, detail: str | None = None, fields: Sequence[FieldProblem] = ()) -> None:
        super().__init__(code, 409, title, detail, fields)


class Invalid(Problem):
    """The request is invalid; `fields` says where and why."""

    def __init__(
        self,
        fields: Sequence[FieldProblem] = (),
        code: str = "invalid",
        title: str = "提交的内容有误",
        detail: str | None = "请按提示修改后重新提交。",
    ) -> None:
        super().__init__(code, 422, title, detail, fields)


class Forbidden(Problem):
    """The caller's role or union may not do this."""

    def __init__(self, code: str = "forbidden", title: str = "没有权限进行此操作", detail: str | None = None) -> None:
        super().__init__(code, 403, title, detail)


class Unavailable(Problem):
    """The operation is not possible now; it may succeed after `retry_after` seconds."""

    def __init__(
        self,
        retry_after: int | None,
        code: str = "unavailable",
        title: str = "系统繁忙，暂时无法处理",
        detail: str | None = "请稍后重试。",
    ) -> None:
        super().__init__(code, _UNAVAILABLE, title, detail)
        self.retry_after = retry_after


DATABASE_READ_ONLY = "database_read_only"


class BrokerBlocked(Unavailable):
    """The broker is short of memory or disk and accepts no messages until it has room again."""

    def __init__(self, retry_after: int) -> None:
        title = "消息服务内存或磁盘不足，系统暂停受理"
        super().__init__(
            retry_after, "broker_blocked", title, "已保存的内容不受影响，请稍后重试；持续出现请联系运维人员。"
        )


class DatabaseReadOnly(Unavailable):
    """The database takes no changes: it is read-only, or its disk is full."""

    def __init__(self, retry_after: int) -> None:
        title = "数据库暂时不能写入，本次操作未保存"
        super().__init__(retry_after, DATABASE_READ_ONLY, title, "查询不受影响，请稍后重试；持续出现请联系运维人员。")


_MEANINGS = {
    "Missing data for required field.": ("required", "必填"),
    "Field may not be null.": ("required", "不能为空"),
    "Unknown field.": ("unknown_field", "不支持此项"),
}


def invalid_fields(messages: Mapping[str, Any] | Sequence[Any]) -> Invalid:
    """The problem for marshmallow's error messages; nested fields have paths such as `members.3.name`.

    Chinese messages come from our schemas and are kept; marshmallow's English ones are replaced by Chinese ones. The
    first MOST_FIELDS are named: a request may hold hundreds of thousands of wrong ones.
    """
    named = islice(_flatten("", messages), MOST_FIELDS)
    return Invalid([_field_problem(path[:_LONGEST_PATH], message) for path, message in named])


def _flatten(path: str, messages: Any) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _flatten(f"{path}.{name}" if path else str(name), inner)
    elif isinstance(messages, str):
        yield path, messages
    else:
        for inner in messages:
            yield from _flatten(path, inner)


def _field_problem(path: str, message: str) -> FieldProblem:
    if isinstance(message, CodedReason):
        return FieldProblem(path, message.code, str(message))
    code, reason = _MEANINGS.get(message, ("invalid", message if not message.isascii() else "格式或取值不正确"))
    return FieldProblem(path.removesuffix("._schema"), code, reason)
