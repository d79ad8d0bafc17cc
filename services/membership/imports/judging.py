"""Judges rows of an import: whether each can be registered, why not, and with which facts."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from services.contracts.masks import mask_numbers
from services.contracts.values import today
from services.kit.data.bulk import is_any_of, types_of, values_table
from services.kit.events.failures import is_transient
from services.kit.operations.logs import class_name
from services.kit.problems import FieldProblem
from services.membership.imports.sheets import WrongRow, facts_of, reason_of
from services.membership.members.facts import NAMES, columns_of
from services.membership.members.members import REPEATED, examine
from services.membership.models import ImportRow

log = structlog.get_logger()

FREE = ("new", "known")
"""States of rows that can be registered; an earlier release also set `known`, which no preview shows."""
FACTS = (*NAMES, "document_digest", "document_end", "phone_digest")
"""The columns of a row that its member's row gets; empty for a row that cannot be registered."""
REPEATED_REASON = reason_of(REPEATED.field, REPEATED.reason)
UNREGISTRABLE = "系统无法登记该行，请核对各列内容后重新填写；如仍有问题，请联系技术支持"
"""The reason for a row that the database refuses, or that causes an error of our own code."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def judged(import_id: UUID, cells: Mapping[str, str]) -> dict[str, Any]:
    """The columns of a row that hold the verdict on its cells. Raises transient errors.

    Whether a member has the number is not looked up, for a preview would reveal that for any number without a trace.
    """
    try:
        facts, _, outcome = examine(facts_of(cells))
        if outcome.problems:
            return wrong(words(outcome.problems) or "", words(outcome.warnings))
        verdict = {"state": "new", "reason": None, "warning": storable(words(outcome.warnings)), "judged_on": today()}
        return {**verdict, **columns_of(facts)}
    except WrongRow as error:
        return wrong(str(error))
    except Exception as error:
        return wrong(unexpected(import_id, error))


def wrong(reason: str, warning: str | None = None) -> dict[str, Any]:
    """The columns of a row that cannot be registered."""
    verdict = {"state": "wrong", "reason": storable(reason), "warning": storable(warning), "judged_on": today()}
    return {**verdict, **dict.fromkeys(FACTS)}


def judge_again(session: Session, import_id: UUID, row_nos: Sequence[int]) -> None:
    """Judges stored rows as on this day, for instance those that an earlier release has stored without facts."""
    stored = select(ImportRow.row_no, ImportRow.cells)
    found = session.execute(stored.where(ImportRow.import_id == import_id, is_any_of(ImportRow.row_no, row_nos)))
    verdicts = [(row_no, judged(import_id, json.loads(cells))) for row_no, cells in found]
    if verdicts:
        names = tuple(verdicts[0][1])
        update_rows(session, import_id, names, [(no, *(one[name] for name in names)) for no, one in verdicts])


def judge_repeated(session: Session, import_id: UUID) -> None:
    """Marks rows that repeat the document of an earlier row as wrong."""
    place = func.row_number().over(partition_by=ImportRow.document_digest, order_by=ImportRow.row_no)
    of_free = (
        select(ImportRow.row_no, place.label("place"))
        .where(ImportRow.import_id == import_id, ImportRow.state.in_(FREE))
        .subquery()
    )
    session.execute(
        update(ImportRow)
        .where(ImportRow.import_id == import_id, ImportRow.row_no == of_free.c.row_no, of_free.c.place > 1)
        .values(state="wrong", reason=REPEATED_REASON)
        .execution_options(synchronize_session=False)
    )


def in_halves(
    session: Session, items: Sequence[Item], carry_out: Callable[[Sequence[Item]], list[Result]], refused: Result
) -> list[Result]:
    """Carries something out for all items at once; if the database refuses, for each half, down to refused ones.

    Raises transient errors.
    """
    if not items:
        return []
    try:
        with session.begin_nested():
            return carry_out(items)
    except Exception as error:
        if is_transient(error):
            raise
        if len(items) > 1:
            middle = len(items) // 2
            return in_halves(session, items[:middle], carry_out, refused) + in_halves(
                session, items[middle:], carry_out, refused
            )
        log.warning("row_refused", error=class_name(error))
        return [refused]


def update_rows(session: Session, import_id: UUID, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Sets columns of an import's rows in one statement; each row of values begins with the row's number."""
    if not rows:
        return
    table = values_table("changed", types_of(ImportRow, ("row_no", *columns)), rows)
    session.execute(
        update(ImportRow)
        .where(ImportRow.import_id == import_id, ImportRow.row_no == table.c.row_no)
        .values({name: table.c[name] for name in columns})
        .execution_options(synchronize_session=False)
    )


def unexpected(import_id: UUID, error: Exception) -> str:
    """The reason for a row that causes an error of our own code; raises transient errors."""
    if is_transient(error):
        raise error
    log.warning("row_refused", import_id=str(import_id), error=class_name(error))
    return UNREGISTRABLE


def words(problems: Sequence[FieldProblem]) -> str | None:
    """The problems in one line; None for none."""
    return "；".join(reason_of(problem.field, problem.reason) for problem in problems) or None


def storable(text: str | None) -> str | None:
    """A reason without characters that the database cannot store, and with masked numbers."""
    return mask_numbers(text.replace("\0", "")) if text else None
