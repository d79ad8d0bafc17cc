"""Enrolments a second that membership takes from the mutual-aid society, against bank results that batching takes."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from deploy.local.nodes import Nodes
from services.contracts.external import insurer
from services.contracts.external.insurer_keys import insurer_key
from services.contracts.external.protection import CONTENT_TYPE, SIGNATURE_HEADER, encrypt, read_keys, sign
from services.contracts.external.queues import INSURER_QUEUES
from services.contracts.shared import ENROLMENT_KINDS
from services.kit.amqp.connection import PERSISTENT, OutgoingMessage
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.data.bulk import insert_rows
from services.kit.events.outbox import to_json
from services.kit.key_sets import new_encryption_keys, public_part
from services.membership.members.member_documents import document_digest
from services.membership.models import Member
from services.membership.unions import add_union
from tests.bench import feedback
from tests.bench.environment import Options, copied_database, fresh_database, fresh_vhost, running_service
from tests.bench.people import make_people
from tests.bench.pile import Goal, work_off
from tests.bench.report import Report, Row
from tests.bench.runs import Runs, ratio
from tests.mothers import a_union_code

TITLE = "Enrolments"
ENROLMENTS, LARGE = 10_000, 100_000
RUNS = 3
IN_A_LARGE_MESSAGE = 200
LEAST_RATIO = 0.5
_LONGEST_SECONDS = 300
_PROGRESS = "select coalesce(sum(applied), 0) from enrolment_report"
_AT_ONCE = 5_000


@dataclass(frozen=True)
class Bench:
    """What all runs share: the nodes, the process environment, and a database of members with cards."""

    on: Nodes
    secrets: dict[str, str]
    members: str


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Runs membership and batching in turn, several times."""
    small, large, runs = (500, 2_000, 1) if options.quick else (ENROLMENTS, LARGE, RUNS)
    ours = new_encryption_keys("enrolment-1")
    keys = {
        "INSURER_HMAC_KEY": secrets["BANK_HMAC_KEY"],
        "INSURER_PUBLIC_KEYS": public_part(new_encryption_keys("insurer-1")),
        "ENROLMENT_PRIVATE_KEYS": ours,
    }
    os.environ.update(keys)
    with ExitStack() as after:
        bank = feedback.prepare(after, on, secrets, small)
        members = after.enter_context(fresh_database(on, "membership"))
        _register(members, large)
        bench = Bench(on, {**secrets, **keys}, members)
        contenders: dict[str, Callable[[], float]] = {
            "results": lambda: feedback.speed_of_batching(bank, 1),
            "single": lambda: _speed(bench, small, 1),
            "large results": lambda: feedback.speed_of_batching(bank, IN_A_LARGE_MESSAGE),
            "large": lambda: _speed(bench, large, IN_A_LARGE_MESSAGE),
        }
        figures: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(runs):
            for name, contender in contenders.items():
                figures[name].append(contender())
    return _report({name: Runs(measured) for name, measured in figures.items()}, small, large)


def _register(database_url: str, number: int) -> None:
    """Stores members who hold a card."""
    engine = create_engine(database_url)
    with Session(engine) as session, session.begin():
        union_id = add_union(session, "上海市总工会", a_union_code(1), "city", None).union_id
        session.flush()
        for start in range(0, number, _AT_ONCE):
            people = enumerate(make_people(start, min(_AT_ONCE, number - start)), start)
            session.execute(insert_rows(Member, [_member(union_id, serial, one["name"]) for serial, one in people]))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze")
    engine.dispose()


def _member(union_id: UUID, serial: int, name: str) -> dict[str, object]:
    number = f"E{serial:08}"
    return {
        "member_id": uuid4(),
        "union_id": union_id,
        "member_no": _member_no(serial),
        "name": name,
        "document_type": "passport",
        "document_number": number,
        "document_digest": document_digest("passport", number),
        "affiliation": "employer",
        "card_state": "issued",
    }


def _member_no(serial: int) -> str:
    return f"{serial:010}"


def _speed(bench: Bench, enrolments: int, in_a_message: int) -> float:
    """Enrolments a second by one process of membership."""
    with copied_database(bench.on, bench.members) as database_url, fresh_vhost(bench.on) as amqp_uri:
        publisher = ConfirmedPublisher(amqp_uri, "bench", 30)
        publisher.declare(INSURER_QUEUES.declare)
        publisher.drop()
        messages = list(_messages(enrolments, in_a_message, bench.secrets["ENROLMENT_PRIVATE_KEYS"]))
        environment = {**bench.secrets, "AMQP_URI": amqp_uri, "DATABASE_URL": database_url}
        with running_service("services.membership.service", environment) as process:
            goal = Goal(_PROGRESS, enrolments, _LONGEST_SECONDS)
            seconds, _ = work_off([process], amqp_uri, messages, database_url, goal)
    return enrolments / seconds


def _messages(enrolments: int, in_a_message: int, private_keys: str) -> Iterator[OutgoingMessage]:
    key = read_keys(public_part(private_keys), private=False)[0]
    changed_at = datetime.now(UTC).isoformat()
    for start in range(0, enrolments, in_a_message):
        lines = [_line(serial, changed_at) for serial in range(start, start + in_a_message)]
        body = encrypt(to_json({"report_id": str(uuid4()), "enrolments": lines}), insurer.ENROLMENTS_QUEUE, key)
        headers = {SIGNATURE_HEADER: sign(body, insurer_key())}
        properties = {"content_type": CONTENT_TYPE, "delivery_mode": PERSISTENT, "application_headers": headers}
        yield OutgoingMessage("", insurer.ENROLMENTS_QUEUE, body, properties)


def _line(serial: int, changed_at: str) -> dict[str, object]:
    return {
        "enrolment_no": f"JZ2026-{serial:08}",
        "member_no": _member_no(serial),
        "year": 2026,
        "way": "collective",
        "kinds": list(ENROLMENT_KINDS),
        "covers_from": "2026-01-01",
        "covers_to": "2026-12-31",
        "state": "active",
        "changed_at": changed_at,
    }


def _report(runs: dict[str, Runs], small: int, large: int) -> Report:
    rows = [
        _row("Enrolments, one a message", runs["results"], runs["single"], "one a message"),
        _row(
            f"{large:,} enrolments, {IN_A_LARGE_MESSAGE} a message",
            runs["large results"],
            runs["large"],
            f"{IN_A_LARGE_MESSAGE} a message",
        ),
    ]
    how = _HOW.format(small=f"{small:,}", large=f"{large:,}", runs=len(runs["single"].figures))
    return Report("enrolments", TITLE, rows, how)


def _row(title: str, results: Runs, ours: Runs, size: str) -> Row:
    times = ratio(ours, results)
    return Row(
        title,
        f"bank results, {size}: {results.show('a second')}",
        ours.show("a second"),
        times.show("times", 2),
        f"≥ {LEAST_RATIO:g} times",
        times.middle >= LEAST_RATIO,
    )


_HOW = """
Reports of the mutual-aid society are in the quorum queue `insurer.enrolments` before one process of membership works,
as with the bank's results above, which are measured in turn with them: {small} enrolments in reports of one, and
{large} in reports of 200, of as many members with cards; {runs} runs. Each report is signed and encrypted, where the
bank's results here are in clear text; it is decrypted, judged line by line, stored and answered by an encrypted
receipt.
"""
