"""Pages of a list: the rows asked for and how many match, at a cost that does not grow with the table."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from services.common.contracts.rpc.paging import DEEPEST_ROW
from services.common.problems import Problem


def page_of(
    session: Session, matching: Select[*tuple[Any, ...]], request: dict[str, Any]
) -> tuple[Sequence[Row[*tuple[Any, ...]]], int]:
    """The rows of page `request["page"]` and the number of matching rows, counted to DEEPEST_ROW + 1 at most.

    Raises Problem `page_too_deep` for a page behind DEEPEST_ROW.
    """
    page, size = request["page"], request["size"]
    if page * size > DEEPEST_ROW:
        raise Problem("page_too_deep", 422, "页码过大", f"只能查看前 {DEEPEST_ROW} 条，请缩小查询范围。")
    counted = matching.with_only_columns(1, maintain_column_froms=True).order_by(None).limit(DEEPEST_ROW + 1)
    total = session.scalar(select(func.count()).select_from(counted.subquery()))
    rows = session.execute(matching.limit(size).offset((page - 1) * size)).all()
    return rows, total or 0
