"""Hands batches and recalls over to the bank: as messages, or as files where the branch takes no messages."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.batching.bank import bank_messages
from services.batching.models import UNFETCHED, Application, BankFile, Batch, BatchPerson, Branch
from services.batching.pending.application_states import State
from services.contracts.shared import ERASED_NAME
from services.kit.problems import Conflict


def hand_over(session: Session, batch: Batch, applications: Sequence[Any], *, repeated: bool = False) -> None:
    """Sends the batch, or has it fetched, with its applications: those submitted, or the frozen persons."""
    if repeated:
        _supersede(session, "batch", batch)
    if _takes_files(session, batch):
        _leave_file(session, "batch", batch, len(applications), repeated)
    else:
        bank_messages.send_submitted(session, batch, applications, repeated=repeated)


def recall(session: Session, batch: Batch, released: Sequence[Any], *, repeated: bool = False) -> None:
    """Tells the bank which cards of the batch it must no longer make; nothing where none were released."""
    if repeated:
        _supersede(session, "recall", batch)
    if not _takes_files(session, batch):
        bank_messages.send_recalled(session, batch.batch_no, released, repeated=repeated)
    elif released:
        _leave_file(session, "recall", batch, len(released), repeated)


def frozen_persons(session: Session, batch_no: str) -> Sequence[Any]:
    """The persons as submitted, in the register's order, with the other facts that the bank is given.

    Raises Conflict `persons_erased` where one was erased since.
    """
    persons = session.execute(
        select(
            BatchPerson.application_id,
            BatchPerson.member_no,
            BatchPerson.name,
            BatchPerson.document_type,
            BatchPerson.document_number,
            BatchPerson.document_expiry,
            BatchPerson.nationality,
            Application.other_facts,
        )
        .join(Application, Application.application_id == BatchPerson.application_id)
        .where(BatchPerson.batch_no == batch_no)
        .order_by(BatchPerson.position)
    ).all()
    if any(person.name == ERASED_NAME for person in persons):
        raise Conflict("persons_erased", "该批次有会员的个人信息已按规定删除，不能再提供给银行", "批次已满三年。")
    return persons


def released_of(session: Session, batch_no: str) -> Sequence[Any]:
    """The released applications, whose cards the bank must not make; those issued nevertheless are not among them."""
    return session.execute(
        select(Application.application_id, Application.member_no)
        .where(Application.batch_no == batch_no, Application.state == State.RELEASED)
        .order_by(Application.member_no)
    ).all()


def _takes_files(session: Session, batch: Batch) -> bool:
    return session.get_one(Branch, batch.branch_code).by_file


def _supersede(session: Session, kind: str, batch: Batch) -> None:
    """Takes back a file that nobody has fetched, in place of which the same goes out again."""
    session.execute(delete(BankFile).where(BankFile.batch_no == batch.batch_no, BankFile.kind == kind, UNFETCHED))


def _leave_file(session: Session, kind: str, batch: Batch, persons: int, repeated: bool) -> None:
    session.add(BankFile(file_id=uuid7(), kind=kind, batch_no=batch.batch_no, persons=persons, repeated=repeated))
