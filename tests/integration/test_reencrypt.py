"""Encrypted columns are re-encrypted with a new key while clerks work; nothing is lost or unreadable."""

import base64
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from services.batching.models import Base
from services.kit.data.encryption import encrypted_prefix, keyring
from services.kit.data.reencrypt import encrypted_tables, reencrypt, uses_of_key
from services.kit.settings import read_settings
from tests.integration.batching.desk import Desk, fresh
from tests.mothers import an_applicant

NEW = f"new:{base64.b64encode(b'n' * 32).decode()}"


@pytest.fixture(scope="module")
def engine(module_database: Callable[[str], str]) -> Iterator[Engine]:
    made = create_engine(module_database("batching"))
    yield made
    made.dispose()


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return fresh(engine)


@pytest.fixture
def rotate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Puts a new key in front of the old one, as all processes then know it."""
    file = tmp_path / "keys"
    old = os.environ["PERSONAL_DATA_KEYS"]
    file.write_text(old)
    monkeypatch.delenv("PERSONAL_DATA_KEYS")
    monkeypatch.setenv("PERSONAL_DATA_KEYS_FILE", str(file))
    _forget_settings()

    def put_in_front() -> None:
        file.write_text(f"{NEW}\n{old}")
        assert keyring().key_ids() == ["new", "tests"]

    yield put_in_front
    monkeypatch.undo()
    _forget_settings()


def test_everything_comes_under_the_new_key_and_says_the_same(desk: Desk, rotate: Callable[[], None]) -> None:
    batch_no, [application_id] = desk.a_batch(1)
    number = desk.application(application_id).document_number
    register = _register(desk, batch_no)
    rotate()
    assert uses_of_key(desk.engine, Base.metadata, "tests")

    assert reencrypt(desk.engine, Base.metadata, say=lambda _: None) == 0

    # The event of the submission carries its own seal, and goes away when it is published.
    assert set(uses_of_key(desk.engine, Base.metadata, "tests")) == {"outbox"}
    desk.forget_published()
    assert not uses_of_key(desk.engine, Base.metadata, "tests")
    assert desk.application(application_id).document_number == number
    assert _register(desk, batch_no) == register


def test_what_is_under_the_new_key_already_is_not_touched_again(desk: Desk, rotate: Callable[[], None]) -> None:
    desk.queue(an_applicant())
    rotate()
    reencrypt(desk.engine, Base.metadata, say=lambda _: None)
    before = _stored(desk.engine)
    reencrypt(desk.engine, Base.metadata, say=lambda _: None)
    assert _stored(desk.engine) == before


def test_more_rows_than_one_chunk_holds_are_all_taken(desk: Desk, rotate: Callable[[], None]) -> None:
    desk.queue(*(an_applicant() for _ in range(1201)))
    desk.forget_published()
    rotate()
    assert reencrypt(desk.engine, Base.metadata, say=lambda _: None) == 0
    assert {value[: len(encrypted_prefix("new"))] for value in _stored(desk.engine)} == {encrypted_prefix("new")}


def test_a_row_at_work_is_waited_for_and_keeps_what_was_written(desk: Desk, rotate: Callable[[], None]) -> None:
    first, second = desk.queue(an_applicant(), an_applicant())
    desk.forget_published()
    rotate()
    with ThreadPoolExecutor(1) as other, desk.engine.connect() as clerk:
        clerk.execute(text("select 1 from application where application_id = :id for update"), {"id": first})
        done = other.submit(reencrypt, desk.engine, Base.metadata, lambda _: None)
        while not any(value.startswith(encrypted_prefix("new")) for value in _stored(desk.engine)):
            assert not done.done()
        clerk.execute(text("update application set name = '王新名' where application_id = :id"), {"id": first})
        clerk.commit()
        assert done.result() == 0

    assert desk.application(first).name == "王新名"
    assert not uses_of_key(desk.engine, Base.metadata, "tests")
    assert desk.application(second).document_number


def test_a_person_of_a_batch_comes_under_another_key_and_changes_in_nothing_else(desk: Desk) -> None:
    desk.a_batch(1)
    under_no_new_key = (
        "update batch_person set document_number = overlay(document_number placing '\\x00' from 20 for 1)"
    )
    for change in ("update batch_person set name = 'x'", under_no_new_key, "delete from batch_person"):
        with pytest.raises(DBAPIError, match="never changes"), desk.engine.begin() as connection:
            connection.execute(text(change))


def test_all_that_a_service_keeps_encrypted_is_found() -> None:
    found = {f"{one.table.name}.{column.name}" for one in encrypted_tables(Base.metadata) for column in one.columns}
    assert {"application.document_number", "application.card_no", "batch_person.document_number"} <= found
    assert {"outbox.body", "handled_request.answer"} <= found


def _register(desk: Desk, batch_no: str) -> str:
    return desk.print_register(batch_no, "pdf").content


def _stored(engine: Engine) -> list[bytes]:
    with engine.connect() as connection:
        return [bytes(row) for row in connection.scalars(text("select document_number from application"))]


def _forget_settings() -> None:
    read_settings.cache_clear()
    keyring.cache_clear()
