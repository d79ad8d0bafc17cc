"""Bank results a second: ours with all guarantees, against FastStream, plain Nameko and raw kombu in chunks of 200."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import Engine, create_engine, delete, update
from sqlalchemy.orm import Session

from deploy.local.nodes import Nodes
from services.batching.bank.bank_messages import bank_key
from services.batching.batches import submission
from services.batching.models import Application
from services.batching.pending import listing
from services.batching.seed import OUTLETS, seed
from services.contracts.consent import CURRENT_CONSENT
from services.contracts.events.membership import MEMBERS_QUEUED
from services.contracts.external import bank
from services.contracts.external.protection import SIGNATURE_HEADER, sign
from services.contracts.operations.batching import SubmitBatchRequest
from services.kit.amqp.connection import PERSISTENT, OutgoingMessage
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.amqp.queues import declare_working_queue, rejected_queue
from services.kit.data.database import Database, outbox
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import to_json
from services.kit.rpc.work import Work
from tests.bench.environment import (
    Options,
    Process,
    copied_database,
    fresh_database,
    fresh_vhost,
    plain_url,
    running_peer,
    running_service,
)
from tests.bench.peers import TABLES
from tests.bench.people import card_number, make_people
from tests.bench.pile import Goal, work_off
from tests.bench.report import Report, Row
from tests.bench.runs import Runs, ratio
from tests.documents import an_event
from tests.mothers import a_clerk_of, a_queueing, a_union

TITLE = "Bank feedback"
RESULTS = 10_000
RUNS = 5
LEAST_RATIO = 3.0
LEAST_OF_THE_LIMIT = 0.5
RESULTS_IN_A_LARGE_MESSAGE = 200
MANY_AT_ONCE = 16
_BATCHES = 10
_LONGEST_SECONDS = 90
_OUR_PROGRESS = "select coalesce(sum(applied), 0) from bank_feedback"
_THEIR_PROGRESS = "select count(*) from inbox"


@dataclass(frozen=True)
class Applicant:
    """An applicant whose card the bank makes."""

    application_id: UUID
    batch_no: str
    serial: int


@dataclass(frozen=True)
class Bench:
    """What all contenders share: the nodes, the process environment, applicants in a database, and their results."""

    on: Nodes
    secrets: dict[str, str]
    ours: str
    theirs: str
    applicants: Sequence[Applicant]


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Runs all contenders in turn, several times."""
    results, runs = (500, 1) if options.quick else (RESULTS, RUNS)
    with ExitStack() as after:
        bench = prepare(after, on, secrets, results)
        contenders: dict[str, Callable[[Bench], float]] = {
            "peer": lambda bench: _faststream(bench, 1),
            "eager peer": lambda bench: _faststream(bench, MANY_AT_ONCE),
            "single": lambda bench: speed_of_batching(bench, 1),
            "pair": lambda bench: speed_of_batching(bench, 1, processes=2),
            "large": lambda bench: speed_of_batching(bench, RESULTS_IN_A_LARGE_MESSAGE),
            "nameko": lambda bench: _peer(bench, "nameko_consumer"),
            "limit": lambda bench: _peer(bench, "kombu_consumer"),
        }
        figures: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(runs):
            for name, contender in contenders.items():
                figures[name].append(contender(bench))
    return _report({name: Runs(measured) for name, measured in figures.items()}, results)


def prepare(after: ExitStack, on: Nodes, secrets: dict[str, str], results: int) -> Bench:
    """Returns what contenders share, with this many applicants; databases are dropped `after`."""
    ours = after.enter_context(fresh_database(on, "batching"))
    applicants = _submit_batches(ours, results)
    theirs = after.enter_context(copied_database(on, "template0"))
    with psycopg.connect(plain_url(theirs)) as database:
        database.execute(TABLES)
        database.execute(
            "insert into application select unnest(%s::uuid[])", [[one.application_id for one in applicants]]
        )
    return Bench(on, secrets, ours, theirs, applicants)


def speed_of_batching(bench: Bench, results_a_message: int, processes: int = 1) -> float:
    """Returns the results a second that processes of batching apply."""
    with _race(bench, bench.ours, results_a_message) as race, ExitStack() as after:
        environment = {**race.environment, **bench.secrets, "DATABASE_URL": race.database_url}
        started = [
            after.enter_context(running_service("services.batching.service", environment)) for _ in range(processes)
        ]
        return race.speed_of(started, _OUR_PROGRESS)


def _submit_batches(database_url: str, number: int) -> list[Applicant]:
    """Lets batching list, check and submit this many people in several batches; discards the events to others."""
    engine = create_engine(database_url)
    with Session(engine) as session, session.begin():
        seed(session)
    applicants = []
    size = number // _BATCHES
    for start in range(0, number, size):
        with Session(engine) as session, session.begin():
            applicants += _submit_batch(session, engine, start, size)
            session.execute(delete(outbox))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze")
    engine.dispose()
    return applicants


def _submit_batch(session: Session, engine: Engine, start: int, size: int) -> list[Applicant]:
    union = a_union()
    people = [{**person, "application_id": uuid4()} for person in make_people(start, size)]
    for part in in_chunks(people):
        queueing = {**a_queueing(*part, union=union), "personal_application": None, "consent": None}
        listing.members_queued(session, an_event(MEMBERS_QUEUED.read(MEMBERS_QUEUED.dump(queueing))))
    session.execute(
        update(Application).where(Application.union_id == union["union_id"]).values(check_state="passed", check_no=1)
    )
    code, branch_code, *_ = OUTLETS[0]
    database = Database()
    database.engine = engine
    request = SubmitBatchRequest(
        channel="ordinary",
        branch_code=branch_code,
        outlet_code=code,
        contact_name="王芳",
        contact_phone="13800000000",
        consent_version=CURRENT_CONSENT.version,
    )
    batch_no = submission.submit_batch(Work(session, a_clerk_of(union), database), request).batch_no
    return [Applicant(person["application_id"], batch_no, serial) for serial, person in enumerate(people, start)]


def _faststream(bench: Bench, at_once: int) -> float:
    with _race(bench, bench.theirs, results_a_message=1) as race:
        environment = {**race.environment, "CONNECTIONS": str(at_once)}
        with running_peer("tests.bench.faststream_consumer", environment) as process:
            return race.speed_of([process], _THEIR_PROGRESS)


def _peer(bench: Bench, program: str) -> float:
    with (
        _race(bench, bench.theirs, results_a_message=1) as race,
        running_peer(f"tests.bench.{program}", race.environment) as process,
    ):
        return race.speed_of([process], _THEIR_PROGRESS)


@dataclass(frozen=True)
class Race:
    """One contender's database and virtual host, and the results to apply."""

    database_url: str
    amqp_uri: str
    messages: Sequence[OutgoingMessage]
    results: int

    @property
    def environment(self) -> dict[str, str]:
        """Returns the environment of a peer's process."""
        return {
            "AMQP_URI": self.amqp_uri,
            "DATABASE_URL": plain_url(self.database_url),
            "QUEUE": bank.FEEDBACK_QUEUE,
        }

    def speed_of(self, processes: Sequence[Process], progress: str) -> float:
        """Returns results a second, from the release of the held processes until the last commit.

        `progress` is the query that counts applied results. Raises TimeoutError if not all are applied in time.
        """
        goal = Goal(progress, self.results, _LONGEST_SECONDS)
        seconds, _ = work_off(processes, self.amqp_uri, self.messages, self.database_url, goal)
        return self.results / seconds


@contextmanager
def _race(bench: Bench, original: str, results_a_message: int) -> Iterator[Race]:
    with copied_database(bench.on, original) as database_url, fresh_vhost(bench.on) as amqp_uri:
        publisher = ConfirmedPublisher(amqp_uri, "bench", 30)
        publisher.declare(
            lambda channel: declare_working_queue(channel, bank.FEEDBACK_QUEUE, rejected_queue(bank.FEEDBACK_QUEUE))
        )
        publisher.drop()
        messages = [_signed(part) for part in _in_messages(bench.applicants, results_a_message)]
        yield Race(database_url, amqp_uri, messages, len(bench.applicants))


def _in_messages(applicants: Sequence[Applicant], size: int) -> list[list[Applicant]]:
    """Splits the applicants into parts of one batch each, mixed as from several outlets."""
    batches = [list(group) for _, group in itertools.groupby(applicants, lambda one: one.batch_no)]
    parts = [batch[start : start + size] for batch in batches for start in range(0, len(batch), size)]
    random.Random(1).shuffle(parts)
    return parts


def _signed(applicants: Sequence[Applicant]) -> OutgoingMessage:
    body = to_json(
        {
            "feedback_id": str(uuid4()),
            "batch_no": applicants[0].batch_no,
            "processed_at": datetime.now(UTC).isoformat(),
            "results": [_result(one) for one in applicants],
        }
    )
    headers = {SIGNATURE_HEADER: sign(body, bank_key())}
    properties = {"content_type": "application/json", "delivery_mode": PERSISTENT, "application_headers": headers}
    return OutgoingMessage("", bank.FEEDBACK_QUEUE, body, properties)


def _result(applicant: Applicant) -> dict[str, str]:
    """Returns the result for an applicant; one in ten is refused."""
    serial = applicant.serial
    if serial % 10 == 0:
        decision = {"outcome": "refused", "reason_code": "name_mismatch", "reason": "姓名与证件不符"}
    else:
        decision = {"outcome": "issued", "card_no": card_number(serial)}
    return {"application_id": str(applicant.application_id), **decision}


def _report(runs: dict[str, Runs], results: int) -> Report:
    peer, single, large = runs["peer"], runs["single"], runs["large"]
    one_by_one = f"FastStream, one at a time: {peer.show('a second')}"
    times = ratio(single, peer)
    return Report(
        "feedback",
        TITLE,
        [
            Row(
                "Bank results, one a message",
                one_by_one,
                single.show("a second"),
                times.show("times", 1),
                f"≥ {LEAST_RATIO:g} times",
                times.middle >= LEAST_RATIO,
            ),
            Row(
                f"Bank results, {RESULTS_IN_A_LARGE_MESSAGE} a message",
                one_by_one,
                large.show("a second"),
                ratio(large, peer).show("times", 1),
                "more than with one a message",
                large.middle > single.middle,
            ),
            _against("raw kombu, 200 a transaction", runs["limit"], single, LEAST_OF_THE_LIMIT),
            _against("raw kombu, 200 a transaction", runs["limit"], runs["pair"], by="two processes of batching"),
            _against("plain Nameko, one a transaction", runs["nameko"], single),
            _against(f"FastStream, {MANY_AT_ONCE} at a time", runs["eager peer"], single),
        ],
        _HOW.format(
            results=f"{results:,}", runs=len(peer.figures), many=MANY_AT_ONCE, large=RESULTS_IN_A_LARGE_MESSAGE
        ),
    )


def _against(whom: str, theirs: Runs, ours: Runs, least: float | None = None, by: str = "") -> Row:
    times = ratio(ours, theirs)
    return Row(
        f"Bank results, one a message, by {by}" if by else "Bank results, one a message",
        f"{whom}: {theirs.show('a second')}",
        ours.show("a second"),
        times.show("times", 2),
        f"≥ {least:g} times" if least else "–",
        times.middle >= least if least else None,
    )


_HOW = """
{results} results (one in ten a refusal) are in a quorum queue before the consumer works: it has started
and is held by SIGSTOP while the queue is filled; time runs from SIGCONT until the last result is committed. {runs}
runs of all contenders in turn, each with a database and a virtual host of its own.

- **Ours** is batching's process (`services.batching.service`) as it runs in production: signature and schema of each
  message, contradictions to known data, encrypted card number, state of the application, counts of the
  batch, the record of the message, and the events to other services through the outbox, which its relay publishes
  with confirms meanwhile. It takes up to 500 messages in one transaction with one ack. The results are of ten
  batches, mixed; nobody consumes the events. With {large} results a message all messages fit into one
  transaction.
- **FastStream** (`tests/bench/faststream_consumer.py`) takes the same messages from the same kind of queue and does
  the minimum to apply a result once: parse, inbox row, update, commit, ack. No signature, no schema, no encryption,
  no events; slim tables of its own. One transaction a message, by psycopg's asyncio connection. The target is against
  one message at a time, which keeps the bank's order. For information it also runs with {many} messages at once on as
  many connections, where order is lost and commits wait for the disk together.
- **Plain Nameko** (`tests/bench/nameko_consumer.py`) does the same by `@consume`, ten workers at once; unlike most
  examples of Nameko it commits before the ack.
- **Raw kombu** (`tests/bench/kombu_consumer.py`) is the limit: a loop over a kombu consumer and psycopg with the
  peers' tables, 200 messages a transaction, two statements for them and one ack, and nothing else. Both it and ours
  have at most three chunks of messages on their way.

What bounds ours: one process on one core, which is hardly ever idle: messages are read while the previous chunk waits
for the database. By a separate profile (py-spy), a fifth of its time goes into receiving messages, a fifth into
reading and checking them, two fifths into the decisions, statements and events of a chunk, the rest into the relay
and the changes between them. The cores of the machine share caches and units: the busier broker and database are, the
more processor time a result takes. Two processes wait for each other where they decide on the same batches.
"""
