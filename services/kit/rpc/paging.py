"""Requests and answers of paged lists: page, size, total."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from marshmallow import fields, validate

LARGEST_PAGE = 200
DEEPEST_ROW = 10_000
"""The last row that is paged, and usually counted. Beyond it a search must be narrowed, which bounds a page's cost."""


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    """Base of all list requests."""

    page: Annotated[int, validate.Range(min=1, error="页码从 1 开始")] = 1
    size: Annotated[int, validate.Range(min=1, max=LARGEST_PAGE, error=f"每页 1 至 {LARGEST_PAGE} 条")] = 20


def sortable(*names: str) -> fields.String:
    """The field of a list's order: one of its columns, `-` before the name for the greatest first."""
    allowed = [sign + name for name in names for sign in ("", "-")]
    error = f"不能按此项排序，可以选择：{'、'.join(names)}（加 - 为从大到小）"
    return fields.String(validate=validate.OneOf(allowed, error=error))


@dataclass(frozen=True)
class Counted:
    """How many rows match; where more match than are counted, `is_exact` is false and `total` the counted number."""

    total: int
    is_exact: bool


@dataclass(frozen=True, kw_only=True)
class PageAnswer:
    """Base of all list answers; each list declares the type of its `items`."""

    page: int
    size: int
    total: Annotated[int, f"matching rows, counted up to {DEEPEST_ROW}"]
    total_is_exact: Annotated[bool, "false when more rows match than counted"]
    items: list[Any]

    @classmethod
    def of(cls, items: list[Any], request: PageRequest, counted: Counted, **more: Any) -> Self:
        """The answer to a list request; `more` are further fields of this list."""
        return cls(
            items=items,
            page=request.page,
            size=request.size,
            total=counted.total,
            total_is_exact=counted.is_exact,
            **more,
        )
