"""Pages of a list: the rows of a page and how many match, at a cost that does not grow with the table."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from services.kit.problems import Problem
from services.kit.rpc.paging import DEEPEST_ROW, Counted, PageRequest


def page_of(
    session: Session,
    matching: Select[*tuple[Any, ...]],
    request: PageRequest | dict[str, Any],
    count_to: int = DEEPEST_ROW,
) -> tuple[Sequence[Row[*tuple[Any, ...]]], Counted]:
    """The rows of the requested page, and how many rows match, counted up to `count_to`.

    Raises Problem `page_too_deep` for a page beyond DEEPEST_ROW.
    """
    page, size = (request["page"], request["size"]) if isinstance(request, dict) else (request.page, request.size)
    refuse_too_deep(page, size)
    bounded = matching.with_only_columns(1, maintain_column_froms=True).order_by(None).limit(count_to + 1)
    found = session.scalar(select(func.count()).select_from(bounded.subquery())) or 0
    rows = session.execute(matching.limit(size).offset((page - 1) * size)).all()
    return rows, Counted(min(found, count_to), found <= count_to)


def refuse_too_deep(page: int, size: int) -> None:
    """Raises Problem `page_too_deep` for a page beyond DEEPEST_ROW; a number of any length may be asked for."""
    if page * size > DEEPEST_ROW:
        raise Problem("page_too_deep", 422, "页码过大", f"只能查看前 {DEEPEST_ROW} 条，请缩小查询范围。")
