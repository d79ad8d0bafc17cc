"""Creates the unions and accounts of a workbook by the rules of the forms, each row as its form would."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from stdnum.cn import uscc

from services.contracts.operations.membership.accounts import CreateAccountRequest, CreateUnionRequest
from services.contracts.operations.membership.union_imports import WrongRow
from services.kit.data.bulk import is_any_of
from services.kit.events.contract import in_chunks
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Invalid, Problem, invalid_fields
from services.kit.rpc.methods import Caller
from services.kit.schemas import schema_of
from services.kit.sheets.forms import FilledRow
from services.membership.accounts.accounts import open_account
from services.membership.event_builders import publish_unions
from services.membership.models import Union
from services.membership.union_imports.workbook import ACCOUNTS, UNIONS
from services.membership.unions import UNION_EXISTS, add_union, kind_below, lock_tree, own_and_subordinates

_KINDS = {"区局（产业）工会": "superior", "区局(产业)工会": "superior", "基层工会": "grassroots"}
_ROLES = {"经办人": "clerk", "审核人": "reviewer", "管理员": "administrator", "运维": "operator"}
_SEPARATORS = str.maketrans("，,；;/ ", "、、、、、、")
_NO_SUPERIOR = "上级工会不存在、不在您的管理范围内或已撤销，或其所在行有误"
_NO_UNION = "所属工会不存在、不在您的管理范围内或已撤销，或其所在行有误"


@dataclass
class Created:
    """How many unions and accounts were created, and the rows that could not be."""

    unions: int = 0
    accounts: int = 0
    wrong: list[WrongRow] = field(default_factory=list)


def create(session: Session, caller: Caller, rows: Sequence[FilledRow]) -> Created:
    """Creates what the rows describe, superiors before their subordinates; other rows do not hold up the right ones.

    The caller decides by the wrong ones whether the transaction commits.
    """
    lock_tree(session, alone=False)
    created = Created()
    known = _known_unions(session, caller, rows)
    made = _create_unions(session, [row for row in rows if row.form is UNIONS], known, created)
    for part in in_chunks(made):
        publish_unions(session, part)
    audit.record(session, *audit.references("union", (union.union_id for union in made)))
    created.unions = len(made)
    for row in rows:
        if row.form is ACCOUNTS:
            with _trying(session, row, created):
                _open(session, caller, row, known)
                created.accounts += 1
    created.wrong.sort(key=lambda one: (one.sheet != UNIONS.title, one.line_no))
    return created


def _known_unions(session: Session, caller: Caller, rows: Iterable[FilledRow]) -> dict[str, Union]:
    """The unions in scope that rows name by their codes, and the caller's own as the empty code; all stay open."""
    codes = {_code(row.cells.get(name, "")) for row in rows for name in ("superior_code", "union_code")}
    named = select(Union).where(
        own_and_subordinates(caller), Union.ended_at.is_(None), is_any_of(Union.code, sorted(codes))
    )
    found = session.scalars(named.order_by(Union.union_id).with_for_update(read=True))
    own = session.get_one(Union, caller.union_id, with_for_update={"read": True})
    return {"": own, **{union.code: union for union in found}}


def _create_unions(
    session: Session, rows: Sequence[FilledRow], known: dict[str, Union], created: Created
) -> list[Union]:
    """Creates the unions whose superiors are known, then those below them, until only wrong ones are left."""
    made: list[Union] = []
    waiting = list(rows)
    while waiting:
        ready = [row for row in waiting if _code(row.cells.get("superior_code", "")) in known]
        if not ready:
            created.wrong += [_wrong(row, f"{UNIONS.headings['superior_code']}：{_NO_SUPERIOR}") for row in waiting]
            break
        waiting = [row for row in waiting if row not in ready]
        for row in ready:
            with _trying(session, row, created):
                union = _found(session, row, known)
                known.setdefault(union.code, union)
                made.append(union)
    return made


def _found(session: Session, row: FilledRow, known: dict[str, Union]) -> Union:
    superior = known[_code(row.cells.get("superior_code", ""))]
    given = {name: row.cells.get(name) for name in ("name", "code") if name in row.cells}
    if "kind" in row.cells:
        given["kind"] = _word(_KINDS, row.cells["kind"], "kind", "应为区局（产业）工会或基层工会")
    request = _load(CreateUnionRequest, {**given, "superior_union_id": str(superior.union_id)})
    union = add_union(session, request.name, request.code, kind_below(superior, request.kind), superior)
    try:
        session.flush()
    except IntegrityError as taken:
        raise Conflict(*UNION_EXISTS) from taken
    return union


def _open(session: Session, caller: Caller, row: FilledRow, known: dict[str, Union]) -> None:
    union = known.get(_code(row.cells.get("union_code", "")) or "-")
    if union is None:
        raise Invalid([FieldProblem("union_code", "unknown", _NO_UNION)])
    words = [one for one in row.cells.get("roles", "").translate(_SEPARATORS).split("、") if one]
    roles = [_word(_ROLES, one, "roles", "应为经办人、审核人或管理员，以顿号分隔") for one in words]
    names = ("account_name", "display_name", "phone")
    given = {name: row.cells[name] for name in names if name in row.cells}
    request = _load(CreateAccountRequest, {**given, "roles": roles, "union_id": str(union.union_id)})
    open_account(session, caller, union, request)


def _load(request: type[Any], given: dict[str, Any]) -> Any:
    try:
        return schema_of(request)().load(given)
    except ValidationError as error:
        raise invalid_fields(error.messages) from error


def _word(words: dict[str, str], text: str, name: str, reason: str) -> str:
    if text not in words:
        raise Invalid([FieldProblem(name, "unknown_word", reason)])
    return words[text]


def _code(text: str) -> str:
    return str(uscc.compact(text)).upper()


@contextmanager
def _trying(session: Session, row: FilledRow, created: Created) -> Iterator[None]:
    """Does what the body makes of a row; a wrong row is noted, and leaves nothing."""
    try:
        with session.begin_nested():
            yield
    except Problem as problem:
        created.wrong.append(_wrong(row, _reason(row, problem)))


def _reason(row: FilledRow, problem: Problem) -> str:
    if problem.fields:
        return "；".join(f"{row.form.headings.get(one.field, one.field)}：{one.reason}" for one in problem.fields)
    return "，".join(filter(None, (problem.title, problem.detail)))


def _wrong(row: FilledRow, reason: str) -> WrongRow:
    return WrongRow(sheet=row.form.title, line_no=row.line_no, reason=reason)
