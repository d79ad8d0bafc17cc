"""The floor of the chain: one process without a broker applies the same rules and writes the same rows."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import DateTime, Row, Uuid, create_engine, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.batching.models import Application as Entry
from services.batching.pending.channels import channel_for
from services.batching.pending.pending import LISTING_CHARSET
from services.batching.pending.persons import stored
from services.contracts.rules.findings import Finding
from services.contracts.shared import PersonFacts
from services.contracts.values import clean_document_number
from services.kit.data.bulk import Types, insert_rows, values_table
from services.membership.applications.application_states import CardState, State
from services.membership.models import EMPLOYED, Application, ApplicationHistory, Member
from services.validation.judgements import Judgement, judge
from services.validation.models import ApplicationCheck, CheckFinding
from services.validation.registry import Registry, RegistryQuery, RegistrySettings
from services.validation.rules import Person

SERVICES = ("membership", "validation", "batching")
_PERSON_FIELDS = tuple(field.name for field in fields(Person))
_MARKED: Types = {"application_id": Uuid(), "member_id": Uuid(), "applied_at": DateTime(timezone=True)}


@dataclass(frozen=True)
class Case:
    """A member who is queued and checked."""

    application_id: UUID
    member: Row[Any]
    judgement: Judgement


def run(database_urls: Mapping[str, str], registry_url: str, union_id: UUID) -> float:
    """Returns the seconds to queue, list and check all members of a union; each row of the chain is written once."""
    engines = {service: create_engine(database_urls[service]) for service in SERVICES}
    registry = Registry(RegistrySettings(registry_url, registry_deadline_seconds=60))
    with ExitStack() as after:
        after.callback(registry.close)
        sessions = {}
        for service, engine in engines.items():
            after.callback(engine.dispose)
            engine.connect().close()
            sessions[service] = after.enter_context(Session(engine))
        began = time.monotonic()
        now = datetime.now(UTC)
        cases = _judge(registry, _members(sessions["membership"], union_id))
        _write_membership(sessions["membership"], union_id, cases, now)
        _write_batching(sessions["batching"], union_id, cases, now)
        _write_validation(sessions["validation"], union_id, cases, now)
        for session in sessions.values():
            session.commit()
        return time.monotonic() - began


def _members(session: Session, union_id: UUID) -> Sequence[Row[Any]]:
    facts = ("member_id", "member_no", "phone", "address", *_PERSON_FIELDS)
    return session.execute(
        select(*(getattr(Member, name) for name in facts))
        .where(Member.union_id == union_id, EMPLOYED, Member.card_state == CardState.NONE)
        .order_by(Member.member_id)
        .with_for_update()
    ).all()


def _judge(registry: Registry, members: Sequence[Row[Any]]) -> list[Case]:
    application_ids = [uuid7() for _ in members]
    answers = registry.query(
        [
            RegistryQuery(str(application_id), member.name, clean_document_number(member.document_number))
            for application_id, member in zip(application_ids, members, strict=True)
        ]
    )
    today = datetime.now(UTC).date()
    return [
        Case(application_id, member, judge(_person(member), answers.get(str(application_id)), today))
        for application_id, member in zip(application_ids, members, strict=True)
    ]


def _person(member: Row[Any]) -> Person:
    return Person(**{name: getattr(member, name) for name in _PERSON_FIELDS})


def _write_membership(session: Session, union_id: UUID, cases: Sequence[Case], now: datetime) -> None:
    clerk = uuid4()
    session.execute(
        insert_rows(
            Application,
            [
                {
                    "application_id": case.application_id,
                    "member_id": case.member.member_id,
                    "union_id": union_id,
                    "queued_by": clerk,
                    "queued_at": now,
                }
                for case in cases
            ],
        )
    )
    steps = [
        {
            "application_id": case.application_id,
            "version": 0,
            "union_id": union_id,
            "state": State.QUEUED.value,
            "at": now,
        }
        for case in cases
    ]
    session.execute(insert_rows(ApplicationHistory, steps))
    marked = values_table("marked", _MARKED, [(case.application_id, case.member.member_id, now) for case in cases]).c
    session.execute(
        update(Member)
        .where(Member.member_id == marked.member_id)
        .values(
            card_state=CardState.PENDING,
            application_id=marked.application_id,
            channel="ordinary",
            applied_at=marked.applied_at,
        )
        .execution_options(synchronize_session=False)
    )


def _write_batching(session: Session, union_id: UUID, cases: Sequence[Case], now: datetime) -> None:
    session.execute(insert_rows(Entry, [_entry(union_id, case, now) for case in cases]))


def _entry(union_id: UUID, case: Case, now: datetime) -> dict[str, Any]:
    member = case.member
    choice = channel_for(member.document_type, member.name, LISTING_CHARSET)
    shown = [_facts(finding, "code", "severity", "message") for finding in case.judgement.findings]
    return {
        **stored(cast(PersonFacts, member)),
        "application_id": case.application_id,
        "member_id": member.member_id,
        "member_no": member.member_no,
        "union_id": union_id,
        "listed_at": now,
        "channel": choice.channel,
        "channel_reason": choice.reason,
        "check_state": case.judgement.result,
        "check_no": 1,
        "findings": json.dumps(shown, ensure_ascii=False) if shown else None,
    }


def _write_validation(session: Session, union_id: UUID, cases: Sequence[Case], now: datetime) -> None:
    checks = [
        {
            "application_id": case.application_id,
            "check_no": 1,
            "union_id": union_id,
            "result": case.judgement.result,
            "checked_at": now,
        }
        for case in cases
    ]
    session.execute(insert_rows(ApplicationCheck, checks))
    findings = [
        {
            "application_id": case.application_id,
            "check_no": 1,
            "position": position,
            **_facts(finding, "rule", "rule_version", "code", "severity", "message"),
            "evidence": json.dumps(finding.evidence, ensure_ascii=False),
        }
        for case in cases
        for position, finding in enumerate(case.judgement.findings)
    ]
    if findings:
        session.execute(insert_rows(CheckFinding, findings))


def _facts(finding: Finding, *names: str) -> dict[str, str]:
    return {name: getattr(finding, name) for name in names}
