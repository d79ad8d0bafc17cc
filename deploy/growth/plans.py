"""Asks all questions of filled databases, and says by which paths they are answered and which would be slow."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, time
from types import SimpleNamespace
from typing import Any

from deploy.growth.background import Post, background_questions
from deploy.growth.batch_questions import batch_questions
from deploy.growth.explaining import Explained, Notebook
from deploy.growth.member_questions import member_questions
from deploy.growth.plan_reading import Tables, blocks_of, complaints_about, paths_of, rows_of
from deploy.growth.questions import Question
from deploy.growth.rehearsal import Refused, Stage
from deploy.growth.sample import Sample, take_sample
from services.batching.service import BatchingService
from services.contracts.rules.working_days import due_on
from services.contracts.values import SHANGHAI
from services.kit.data.primary import primary_of
from services.kit.settings import read_settings
from services.membership.audit.audit_chain import AuditKeys, AuditSettings
from services.membership.service import MembershipService
from services.notification.service import NotificationService
from services.notification.sms import SmsSettings
from services.revocation.service import RevocationService
from services.validation.service import ValidationService

SLOW_MS = 2000
"""Milliseconds after which somebody who waits for a page gives up on it."""

HEAD = """| asked | statements | paths | rows | blocks | first, ms | again, ms |
| --- | --- | --- | --- | --- | --- | --- |"""

_CLASSES = (MembershipService, BatchingService, ValidationService, RevocationService, NotificationService)
_TABLES = """
    select c.relname, greatest(c.reltuples, 0)::bigint, parent.relname from pg_class c
    left join pg_inherits i on i.inhrelid = c.oid left join pg_class parent on parent.oid = i.inhparent
    where c.relkind in ('r', 'p', 'i', 'I') and c.relnamespace = 'public'::regnamespace
"""


@dataclass(frozen=True)
class Finding:
    """A question with its statements, the paths of all, and what is wrong with them."""

    question: Question
    explained: list[Explained]
    paths: list[str]
    complaints: list[str]

    @property
    def is_wrong(self) -> bool:
        """Whether something is wrong that has no reason."""
        return bool(self.complaints) and self.question.may_read_much is None

    def row(self) -> str:
        """The row of the table: `rows` are those of the statement that has the most."""
        return _line(
            self.question.title,
            str(len(self.explained)),
            ", ".join(self.paths),
            f"{max((rows_of(one.plan) for one in self.explained), default=0):,}",
            f"{sum(blocks_of(one.plan) for one in self.explained):,}",
            f"{sum(one.first_ms for one in self.explained):,.1f}",
            f"{sum(one.warm_ms for one in self.explained):,.1f}",
        )


def put_clock_forward() -> None:
    """Has deadlines count as at noon of a working day in Shanghai, when all reminders are due."""
    now = datetime.now(SHANGHAI)
    noon = datetime.combine(due_on(now.date(), 1), time(12), SHANGHAI)
    os.environ["CLOCK_AHEAD_SECONDS"] = str(int((noon - now).total_seconds()))


def all_questions(sample: Sample, post: Post) -> list[Question]:
    """The questions in an order in which each finds the events that it needs."""
    return [*member_questions(sample), *batch_questions(sample), *background_questions(sample, post)]


def findings(urls: Mapping[str, str], words: str = "") -> Iterator[Finding]:
    """Asks each question that has these words; raises NotFilled and Refused.

    The services' statements run twice and are taken back.
    """
    sample, post = take_sample(urls), Post(list)
    with ExitStack() as after:
        notebook = Notebook(sample.stand_ins)
        stages = {kind.name: Stage(kind, urls[kind.name], notebook, _helpers()) for kind in _CLASSES}
        begin = {name: after.enter_context(stage.rehearsals()) for name, stage in stages.items()}
        tables = {name: _tables(url) for name, url in urls.items()}
        for question in all_questions(sample, post):
            if words not in question.title and not question.is_heard:
                continue
            with begin[question.service]() as on:
                try:
                    with notebook.noting() as explained:
                        question.ask(on)
                except Refused as refused:
                    raise Refused(f"{question.title}: {refused}") from refused
                for name, event in on.published():
                    post[name].append(event)
            if words in question.title:
                yield _finding(question, explained, tables[question.service])


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _finding(question: Question, explained: list[Explained], tables: Tables) -> Finding:
    paths = dict.fromkeys(path for one in explained for path in paths_of(one.plan, tables))
    complaints = [complaint for one in explained for complaint in complaints_about(one.plan, tables)]
    slow = [f"takes {one.warm_ms:,.0f} ms" for one in explained if one.warm_ms > SLOW_MS]
    return Finding(question, explained, list(paths), [*complaints, *slow])


def _tables(url: str) -> Tables:
    with primary_of(url).connect() as connection:
        found = connection.execute(_TABLES).fetchall()
    return Tables(
        {name: rows for name, rows, _ in found}, {name: parent for name, _, parent in found if parent is not None}
    )


def _helpers() -> Mapping[str, Any]:
    """What methods of services find beside the database; nothing of it reaches the outside."""
    no_head = SimpleNamespace(write_when_committed=lambda _session, _head: None)
    return {
        "audit_keys": AuditKeys.from_text(read_settings(AuditSettings).audit_keys),
        "audit_heads": no_head,
        "sms_provider": SimpleNamespace(settings=SmsSettings(sms_url="http://127.0.0.1")),
        "registry": SimpleNamespace(query=list),
    }
