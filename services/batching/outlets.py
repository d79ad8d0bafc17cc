"""Branches that issue cards and their outlets."""

from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from services.batching.models import Branch, Outlet
from services.common.contracts.rpc.paging import page_answer
from services.common.paging import page_of
from services.common.problems import FieldProblem, Invalid


def list_branches(session: Session) -> dict[str, Any]:
    """All branches."""
    return {"items": [branch_answer(branch) for branch in session.scalars(select(Branch).order_by(Branch.code))]}


def list_outlets(session: Session, request: dict[str, Any]) -> dict[str, Any]:
    """Outlets of a branch, or of all; `q` is part of the name, address or district."""
    matching = select(Outlet).order_by(Outlet.code)
    if "branch_code" in request:
        matching = matching.where(Outlet.branch_code == request["branch_code"])
    if "q" in request:
        places = (Outlet.name, Outlet.address, Outlet.district)
        matching = matching.where(or_(*(place.contains(request["q"], autoescape=True) for place in places)))
    rows, counted = page_of(session, matching, request)
    return page_answer([_outlet_answer(row.Outlet) for row in rows], request, counted)


def outlet_of_branch(session: Session, branch_code: str, outlet_code: str) -> Outlet:
    """The chosen outlet; raises Invalid where there is none or it belongs to another branch."""
    outlet = session.get(Outlet, outlet_code)
    if outlet is None:
        raise Invalid([FieldProblem("outlet_code", "unknown_outlet", "没有该经办网点，请重新选择")])
    if outlet.branch_code != branch_code:
        raise Invalid([FieldProblem("outlet_code", "outlet_of_another_branch", "该网点不属于所选发卡支行")])
    return outlet


def branch_answer(branch: Branch) -> dict[str, Any]:
    """A branch as answers show it."""
    return {"code": branch.code, "name": branch.name, "charset": branch.charset}


def _outlet_answer(outlet: Outlet) -> dict[str, Any]:
    return {
        "code": outlet.code,
        "branch_code": outlet.branch_code,
        "name": outlet.name,
        "address": outlet.address,
        "district": outlet.district,
        "phone": outlet.phone,
    }
