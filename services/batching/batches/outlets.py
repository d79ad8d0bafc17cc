"""Branches that issue cards and their outlets: listed for clerks, maintained by the city's administrators."""

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.batching.batches.counting import counting_now
from services.batching.models import BankFile, Batch, Branch, Outlet
from services.contracts.operations.bank_files import FilePasswordAnswer, RenewFilePasswordRequest
from services.contracts.operations.batching import (
    BranchAnswer,
    CreateBranchRequest,
    CreateOutletRequest,
    ListBranchesAnswer,
    ListBranchesRequest,
    ListOutletsAnswer,
    ListOutletsRequest,
    OutletAnswer,
    UpdateBranchRequest,
    UpdateOutletRequest,
)
from services.contracts.values import clean_address
from services.kit.data.lists.ordering import in_order
from services.kit.data.lists.page_rows import page_of
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, change_fields

_CHANGEABLE = ("name", "charset", "closed", "union_hands_out", "cut_off_day", "cut_off_dates", "by_file")
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_SECRET = ("file_password", "former_file_password", "file_password_at")
_OPEN = ~or_(Outlet.closed, Branch.closed)


def list_branches(work: Work, request: ListBranchesRequest) -> ListBranchesAnswer:
    """All branches in a state: `open`, `closed` or `all`."""
    matching = select(Branch).order_by(Branch.code)
    if request.state != "all":
        matching = matching.where(Branch.closed.is_(request.state == "closed"))
    return ListBranchesAnswer(items=[branch_answer(branch) for branch in work.session.scalars(matching)])


def list_outlets(work: Work, request: ListOutletsRequest) -> ListOutletsAnswer:
    """Outlets of a branch, or of all, those near first; each word of `q` is in the name, the address or district."""
    matching = select(Outlet, Branch).join(Branch, Branch.code == Outlet.branch_code)
    columns = {"code": Outlet.code, "name": Outlet.name, "district": Outlet.district}
    if request.near is not UNSET:
        matching = matching.order_by(Outlet.district != request.near)
    matching = matching.order_by(*in_order(request.sort, columns, Outlet.code))
    if request.state != "all":
        matching = matching.where(_has_state(request.state))
    if request.branch_code is not UNSET:
        matching = matching.where(Outlet.branch_code == request.branch_code)
    if request.district is not UNSET:
        matching = matching.where(Outlet.district == request.district)
    if request.q is not UNSET:
        matching = matching.where(*map(_has_word, request.q.split()))
    rows, counted = page_of(work.session, matching, request)
    return ListOutletsAnswer.of([outlet_answer(row.Outlet, row.Branch) for row in rows], request, counted)


def _has_word(word: str) -> ColumnElement[bool]:
    sought = {Outlet.name: word, Outlet.district: word, Outlet.address: clean_address(word)}
    return or_(*(place.contains(part, autoescape=True) for place, part in sought.items()))


def outlet_of_branch(session: Session, branch_code: str, outlet_code: str) -> Outlet:
    """The chosen outlet; raises Invalid where there is none, it belongs to another branch, or it has closed."""
    outlet = session.get(Outlet, outlet_code)
    if outlet is None:
        raise Invalid([FieldProblem("outlet_code", "unknown_outlet", "没有该经办网点，请重新选择")])
    if outlet.branch_code != branch_code:
        raise Invalid([FieldProblem("outlet_code", "outlet_of_another_branch", "该网点不属于所选发卡支行")])
    if not can_be_chosen(session, outlet_code):
        raise Invalid([FieldProblem("outlet_code", "outlet_closed", "该经办网点已停用，请重新选择")])
    return outlet


def can_be_chosen(session: Session, outlet_code: str) -> bool:
    """Whether the outlet exists and is open."""
    found = select(Outlet.code).join(Branch, Branch.code == Outlet.branch_code)
    return session.scalar(found.where(Outlet.code == outlet_code, _OPEN)) is not None


def create_branch(work: Work, request: CreateBranchRequest) -> BranchAnswer:
    """A new branch, for the city's administrators; raises Forbidden, Conflict `branch_exists`."""
    _check_city(work.caller)
    branch = Branch(**vars(request), closed=False)
    _add(work.session, branch, Conflict("branch_exists", "该发卡支行代码已被使用", "请换一个代码。"))
    audit.record(work.session, ("branch", branch.code), new=_recorded(branch))
    return branch_answer(branch)


def update_branch(work: Work, request: UpdateBranchRequest) -> BranchAnswer:
    """Changes the present fields of a branch; raises Forbidden, NotFound."""
    branch = _own_branch(work, request.code)
    old = _recorded(branch)
    change_fields(branch, request, _CHANGEABLE)
    audit.record(work.session, ("branch", branch.code), old=old, new=_recorded(branch))
    return branch_answer(branch)


def renew_file_password(work: Work, request: RenewFilePasswordRequest) -> FilePasswordAnswer:
    """A new password for a branch's files; raises Forbidden, NotFound.

    The former one opens the bank's files until the next change. One that has locked no file yet, which perhaps nobody
    has read, does not take its place.
    """
    branch = _own_branch(work, request.code)
    if _has_locked_a_file(work.session, branch):
        branch.former_file_password = branch.file_password
    branch.file_password, branch.file_password_at = _new_password(), datetime.now(UTC)
    audit.record(work.session, ("branch", branch.code))
    return FilePasswordAnswer(password=branch.file_password)


def create_outlet(work: Work, request: CreateOutletRequest) -> OutletAnswer:
    """A new outlet, for the city's administrators; raises Forbidden, Invalid, Conflict `outlet_exists`."""
    _check_city(work.caller)
    branch = work.session.get(Branch, request.branch_code)
    if branch is None:
        raise Invalid([FieldProblem("branch_code", "unknown_branch", "没有该发卡支行，请重新选择")])
    outlet = Outlet(**vars(request), closed=False)
    _add(work.session, outlet, Conflict("outlet_exists", "该经办网点代码已被使用", "请换一个代码。"))
    audit.record(work.session, ("outlet", outlet.code), new=_recorded(outlet))
    return outlet_answer(outlet, branch)


def update_outlet(work: Work, request: UpdateOutletRequest) -> OutletAnswer:
    """Changes the present fields of an outlet; batches keep its former data. Raises Forbidden, NotFound."""
    _check_city(work.caller)
    outlet = work.session.get(Outlet, request.code, with_for_update=True)
    if outlet is None:
        raise NotFound(title="未找到该经办网点")
    old = _recorded(outlet)
    change_fields(outlet, request, ("name", "address", "district", "phone", "closed"))
    audit.record(work.session, ("outlet", outlet.code), old=old, new=_recorded(outlet))
    return outlet_answer(outlet, work.session.get_one(Branch, outlet.branch_code))


def branch_answer(branch: Branch) -> BranchAnswer:
    """A branch as answers show it."""
    return BranchAnswer(
        code=branch.code,
        name=branch.name,
        charset=branch.charset,
        closed=branch.closed,
        union_hands_out=branch.union_hands_out,
        by_file=branch.by_file,
        has_file_password=branch.file_password is not None,
        cut_off_day=branch.cut_off_day,
        cut_off_dates=sorted(branch.cut_off_dates),
        counting=counting_now(branch),
    )


def outlet_answer(outlet: Outlet, branch: Branch) -> OutletAnswer:
    """An outlet as answers show it."""
    return OutletAnswer(
        code=outlet.code,
        branch_code=outlet.branch_code,
        name=outlet.name,
        address=outlet.address,
        district=outlet.district,
        phone=outlet.phone,
        closed=outlet.closed,
        counting=counting_now(branch),
    )


def _own_branch(work: Work, code: str) -> Branch:
    """The branch, locked for a change; raises Forbidden, NotFound."""
    _check_city(work.caller)
    branch = work.session.get(Branch, code, with_for_update=True)
    if branch is None:
        raise NotFound(title="未找到该发卡支行")
    return branch


def _has_locked_a_file(session: Session, branch: Branch) -> bool:
    if branch.file_password_at is None:
        return False
    fetched = select(BankFile.file_id).join(Batch, Batch.batch_no == BankFile.batch_no)
    since = fetched.where(Batch.branch_code == branch.code, BankFile.fetched_at >= branch.file_password_at)
    return session.scalar(since.limit(1)) is not None


def _new_password() -> str:
    """Groups of letters and digits that look different from one another: 100 bits of chance."""
    letters = "".join(secrets.choice(_READABLE) for _ in range(20))
    return "-".join(letters[at : at + 5] for at in range(0, 20, 5))


def _check_city(caller: Caller) -> None:
    if not caller.is_of_the_city:
        raise Forbidden(detail="发卡支行和经办网点由市总工会管理员维护。")


def _has_state(state: str) -> ColumnElement[bool]:
    return _OPEN if state == "open" else ~_OPEN


def _add(session: Session, place: Branch | Outlet, taken: Conflict) -> None:
    session.add(place)
    try:
        session.flush()
    except IntegrityError as error:
        raise taken from error


def _recorded(place: Branch | Outlet) -> dict[str, Any]:
    """The columns of a branch or outlet, for its audit event, without secrets."""
    names = (column.key for column in place.__table__.columns if column.key not in _SECRET)
    values = {name: getattr(place, name) for name in names}
    return {name: [str(one) for one in value] if isinstance(value, list) else value for name, value in values.items()}
