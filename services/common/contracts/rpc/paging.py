"""How lists are asked for and answered: page, size, total."""

from typing import Any

from marshmallow import Schema, fields, validate

LARGEST_PAGE = 200
DEEPEST_ROW = 10_000
"""Rows are counted and paged up to here: beyond it a search must be narrowed, so that every page costs the same."""


class PageRequest(Schema):
    """Base of all list requests."""

    page = fields.Integer(load_default=1, validate=validate.Range(min=1, error="页码从 1 开始"))
    size = fields.Integer(
        load_default=20, validate=validate.Range(min=1, max=LARGEST_PAGE, error=f"每页 1 至 {LARGEST_PAGE} 条")
    )


class PageAnswer(Schema):
    """Base of all list answers; each list adds its `items`."""

    page = fields.Integer(required=True)
    size = fields.Integer(required=True)
    total = fields.Integer(required=True, metadata={"description": f"matching rows, counted up to {DEEPEST_ROW}"})
    total_is_exact = fields.Boolean(required=True, metadata={"description": "false when more rows match than counted"})


def page_answer(items: list[dict[str, Any]], request: dict[str, Any], counted: int) -> dict[str, Any]:
    """The answer to a list request; `counted` is the number of matching rows, counted to DEEPEST_ROW + 1 at most."""
    return {
        "items": items,
        "page": request["page"],
        "size": request["size"],
        "total": min(counted, DEEPEST_ROW),
        "total_is_exact": counted <= DEEPEST_ROW,
    }
