"""The reports: fed by events in any order, equal to the services' own data, rebuilt while events go on."""

import os
import random
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader
from sqlalchemy import Engine, create_engine, delete, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from stdnum import luhn

from deploy import rebuild_reports
from deploy.invariants import System, Violation, reports
from deploy.invariants.system import snapshots_of
from deploy.permissions import SERVICES
from deploy.rebuild_reports import SOURCES
from deploy.repair.runner import Runner
from services.batching.models import Application
from services.contracts.events.all_events import EVENTS
from services.contracts.events.membership import ChangedUnion
from services.contracts.operations.membership.accounts import RenameUnionRequest
from services.contracts.operations.membership.members import EndMembershipRequest
from services.contracts.operations.membership.transfers import TransferRequest
from services.contracts.operations.reports import ExportReportRequest, GetReportRequest, ReportAnswer
from services.contracts.shared import CodedName
from services.contracts.values import SHANGHAI
from services.kit.data.database import outbox
from services.kit.data.facts import publish_all_facts
from services.kit.events.envelope import Event, unwrap
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.membership import unions
from services.membership.applications.application_states import CardState
from services.membership.members import transfers
from services.membership.members.leaving import end_membership
from services.membership.models import AuditEntry, Member, Transfer, Union
from services.notification.models import InboxMessage, MonthlyReport, ReportCount, ReportMember, ReportName
from services.notification.reports import counting, feeding, monthly, rebuild
from services.notification.reports.answers import get_report
from services.notification.reports.exports import export_report
from services.notification.reports.facts import FAILED_BY_RULE, ApplicationFacts, MemberFacts
from services.notification.reports.monthly import MonthlyReportSettings
from services.validation.models import ApplicationCheck, CheckFinding
from tests.databases import DatabaseFactory
from tests.integration.five_databases import FiveDatabases

_FED = (
    *("unions_changed", "members_counted", "applications_counted", "checks_counted", "channel_assigned"),
    *("members_removed", "batch_submitted", "batch_released", "cards_issued", "cards_refused"),
)


class World(FiveDatabases):
    """All five services; the events that feed the reports are kept."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls
        self.told: list[Event[Any]] = []
        super().__init__(urls)

    def deliver(self, lost: Callable[[str, str], bool] = lambda event, consumer: False) -> list[tuple[str, str]]:
        """Delivers as ever, and keeps what notification gets."""
        handlers = self._handlers["notification"]
        for name in _FED:
            if not hasattr(handlers[name], "keeps"):
                handlers[name] = self._keeping(handlers[name])
        return super().deliver(lost)

    def _keeping(self, handle: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def keep(event: Event[Any]) -> Any:
            self.told.append(event)
            return handle(event)

        keep.keeps = True  # type: ignore[attr-defined]
        return keep

    def violations(self, notification: str | None = None) -> list[Violation]:
        """What the invariants of the reports find, with this database of notification."""
        urls = {**self.urls, "notification": notification or self.urls["notification"]}
        with snapshots_of(System(urls, {}, {}, ())) as snapshots:
            return [
                *reports.counts_are_the_services_own(snapshots),
                *reports.unions_are_known(snapshots),
                *reports.sums_add_up(snapshots),
            ]

    def report_to(self, caller: Caller, **asked: Any) -> ReportAnswer:
        """A report as the caller gets it."""
        with self.begin("notification") as session:
            return get_report(Work(session, caller), GetReportRequest(**asked))

    def union_of(self, account: str) -> Caller:
        """An account that sees its union and everything below it."""
        return replace(self.account(account), scope=Scope.SUBORDINATES)


@pytest.fixture(scope="module")
def world(module_database: DatabaseFactory) -> World:
    """A batch of six is submitted, two cards are issued, one is refused; another batch is revoked; some wait."""
    world = World({service: module_database(service) for service in SERVICES})
    first = _batch(world, 6)
    with world.begin("batching") as session:
        rows = session.scalars(select(Application.application_id).where(Application.batch_no == first)).all()
    issued = [
        {"application_id": str(one), "outcome": "issued", "card_no": _card(number)}
        for number, one in enumerate(rows[:2])
    ]
    world.feed(first, *issued, _refused(rows[2]))
    revoked = _batch(world, 2)
    world.deliver()
    revocation_id = world.request_revocation(revoked)
    world.deliver()
    world.approve(revocation_id)
    world.queue(3)
    world.deliver()
    return world


@pytest.fixture
def fresh(database: DatabaseFactory) -> Iterator[Engine]:
    """An empty database of notification."""
    engine = create_engine(database("notification").replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


def test_a_union_sees_what_happened_in_its_month(world: World) -> None:
    report = world.report_to(world.clerk)
    assert report.union.name == "上海建朗信息科技有限公司工会"
    figures = report.current
    assert (figures.queued, figures.passed, figures.failed, figures.submitted) == (11, 8, 0, 8)
    assert (figures.issued, figures.refused, figures.revoked) == (2, 1, 2)
    assert (figures.waiting_submission, figures.waiting_bank) == (3, 3)
    assert (figures.members, figures.cards, figures.card_rate) == (45, 2, 0.0444)
    assert (figures.median_days, figures.p90_days) == (0, 0)
    assert [(one.code, one.reason, one.count) for one in report.refused_by_reason] == [
        ("name_mismatch", "姓名与证件不符", 1)
    ]
    assert (report.previous.queued, report.previous.waiting_bank) == (0, None)
    assert len(report.months) == 12
    assert report.months[-1].figures.issued == 2


def test_the_city_sees_its_districts_and_opens_them_one_by_one(world: World) -> None:
    city = world.union_of("city")
    report = world.report_to(city)
    assert [row.name for row in report.items] == ["杨浦区总工会", "长宁区总工会"]
    yangpu, changning = report.items
    assert (yangpu.current.issued, yangpu.has_below, changning.current.issued) == (2, True, 0)
    assert report.current.members == yangpu.current.members + changning.current.members  # type: ignore[operator]
    below = world.report_to(city, union_id=yangpu.union_id)
    assert [one.name for one in below.above] == ["上海市总工会"]
    assert {row.name: row.current.queued for row in below.items} == {
        "上海建朗信息科技有限公司工会": 11,
        "上海国华物业管理有限公司工会": 0,
        "五角场街道总工会": 0,
    }


def test_rows_are_in_the_order_of_a_figure_over_all_pages(world: World) -> None:
    city = world.union_of("city")

    def names(**asked: Any) -> list[str]:
        return [row.name for row in world.report_to(city, **asked).items]

    assert names(sort="-issued") == ["杨浦区总工会", "长宁区总工会"]
    assert names(sort="issued") == ["长宁区总工会", "杨浦区总工会"]
    assert [names(sort="issued", size=1, page=page) for page in (1, 2, 3)] == [["长宁区总工会"], ["杨浦区总工会"], []]
    assert names(sort="p90_days") == names(sort="-p90_days") == ["杨浦区总工会", "长宁区总工会"]
    months = {"by": "month", "first_month": "2026-01", "last_month": f"{datetime.now(SHANGHAI):%Y-%m}"}
    assert names(**months, sort="-issued")[0] == f"{datetime.now(SHANGHAI):%Y-%m}"


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("branch", {"中国工商银行上海市分行": 8, "未提交": 0}),
        ("channel", {"普通通道": 8}),
        ("kind", {"基层工会": 8}),
        ("month", {f"{datetime.now(SHANGHAI):%Y-%m}": 8}),
    ],
)
def test_rows_are_by_bank_channel_kind_or_month(world: World, by: str, expected: dict[str, int]) -> None:
    report = world.report_to(world.union_of("city"), by=by)
    assert {row.name: row.current.submitted for row in report.items} == expected


def test_a_choice_of_bank_and_channel_counts_only_these(world: World) -> None:
    city = world.union_of("city")
    [branch] = world.report_to(city).branches
    assert world.report_to(city, branch_code=branch.code).current.submitted == 8
    assert world.report_to(city, branch_code="another").current.submitted == 0
    special = world.report_to(city, channel="special").current
    assert (special.submitted, special.members) == (0, world.report_to(city).current.members)


def test_nobody_sees_a_union_outside_of_the_own_ones(world: World) -> None:
    gubei = UUID(world.account("gubei").union_id)
    for caller in (world.union_of("yangpu"), world.clerk):
        with pytest.raises(Problem) as refused:
            world.report_to(caller, union_id=gubei)
        assert refused.value.code == "not_found"


def test_a_clerk_of_a_superior_union_sees_its_own_members_alone(world: World) -> None:
    report = world.report_to(replace(world.account("yangpu"), scope=Scope.OWN_UNION))
    assert (report.current.queued, report.items) == (0, [])


def test_the_counts_are_the_services_own(world: World) -> None:
    assert world.violations() == []


@pytest.mark.parametrize("seed", range(3))
def test_events_in_any_order_and_repeated_count_the_same(world: World, fresh: Engine, seed: int) -> None:
    events = [*world.told, *world.told[::3]]
    random.Random(seed).shuffle(events)
    for event in events:
        with Session(fresh) as session, session.begin():
            _feed(session, event)
    assert _counts(fresh) == _counts(world.engines["notification"])
    assert world.violations(_url(fresh)) == []


def test_events_that_several_processes_count_at_once_add_up(world: World, fresh: Engine) -> None:
    events = [*world.told, *world.told[::4]]
    random.Random(4).shuffle(events)
    with ThreadPoolExecutor(4) as processes:
        list(processes.map(partial(_handle, fresh), events))
    assert _counts(fresh) == _counts(world.engines["notification"])


def test_a_rebuild_counts_what_the_services_have_while_events_go_on(world: World, fresh: Engine) -> None:
    """Half of the events are lost; of the others some come before, some within and some after the rebuild."""
    events = world.told[::2]
    random.Random(1).shuffle(events)
    third = len(events) // 3
    for event in events[:third]:
        _handle(fresh, event)
    with Session(fresh) as session, session.begin():
        _break(session)
        rebuild_id = rebuild.begin(session)
    published = [event for service in SERVICES for event in _facts(world, service, rebuild_id)]
    with Session(fresh) as session, session.begin():
        rebuild.expect(session, len(published))
    within = [*events[third : 2 * third], *published, published[0]]
    random.Random(2).shuffle(within)
    for event in within[:-1]:
        _handle(fresh, event)
    with Session(fresh) as session, session.begin():
        assert rebuild.finish(session) is (within[-1] not in published or within[-1] in within[:-1])
    for event in (within[-1], *events[2 * third :]):
        _handle(fresh, event)
    with Session(fresh) as session, session.begin():
        assert rebuild.finish(session) is True
    assert _counts(fresh) == _counts(world.engines["notification"])
    assert world.violations(_url(fresh)) == []


@pytest.mark.long("ten processes; test_reconciliation.py rebuilds them too")
def test_the_command_rebuilds_the_reports_in_the_services_own_processes(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _counts(world.engines["notification"])
    world.change("notification", "update report_count set count = count + 7")
    secrets = {name: os.environ[name] for name in ("PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY", "ENVIRONMENT")}
    environments = {service: {**secrets, "DATABASE_URL": world.urls[service]} for service in SERVICES}
    runner = Runner(System(world.urls, {}, {}, ()), environments)
    operator = runner.operator("ops")
    events = rebuild_reports.rebuild(runner, operator)
    assert rebuild_reports.wait_until_counted(runner, seconds=0) is False
    assert f"0 of {events} events were counted" in capsys.readouterr().err
    world.deliver()
    assert rebuild_reports.wait_until_counted(runner, seconds=0) is True
    assert _counts(world.engines["notification"]) == before
    assert world.violations() == []
    with world.begin("membership") as session:
        assert "notification.rebuild_reports" in session.scalars(select(AuditEntry.action)).all()


def test_a_check_keeps_the_rules_that_were_not_met_when_its_findings_are_deleted(database: DatabaseFactory) -> None:
    """Its release stored none: the rebuild after the upgrade does."""
    system = System({service: database(service) for service in SERVICES}, {}, {}, ())
    engines = {service: create_engine(url) for service, url in system.database_urls.items()}
    with Session(engines["validation"]) as session, session.begin():
        session.add_all(_a_failed_check("document", "retirement", "retirement"))
    _rebuild(engines)
    assert _failed_by_rule(engines["notification"]) == {"document": 1, "retirement": 1}
    with Session(engines["validation"]) as session, session.begin():
        session.execute(delete(CheckFinding))
    _rebuild(engines)
    assert _failed_by_rule(engines["notification"]) == {"document": 1, "retirement": 1}
    with snapshots_of(system) as snapshots:
        assert list(reports.counts_are_the_services_own(snapshots)) == []


def test_a_rebuild_begins_only_between_events(fresh: Engine) -> None:
    with Session(fresh) as counting_one, counting_one.begin():
        counting.hold_off_rebuild(counting_one)
        with Session(fresh) as other, other.begin():
            counting.hold_off_rebuild(other)  # another event is counted at the same time
        with Session(fresh) as session, session.begin():
            session.execute(text("set local lock_timeout = '100ms'"))
            with pytest.raises(OperationalError, match="lock timeout"):
                rebuild.begin(session)
    with Session(fresh) as session, session.begin():
        assert rebuild.begin(session)


def test_pages_say_that_a_rebuild_is_going_on(world: World, fresh: Engine) -> None:
    with Session(fresh) as session, session.begin():
        assert get_report(Work(session, world.clerk), GetReportRequest()).is_rebuilding is False
        rebuild.begin(session)
        assert get_report(Work(session, world.clerk), GetReportRequest()).is_rebuilding is True
        assert rebuild.finish(session) is False
        rebuild.expect(session, 0)
        assert rebuild.finish(session) is True
        assert get_report(Work(session, world.clerk), GetReportRequest()).is_rebuilding is False


def test_an_application_stays_with_the_union_that_was_named_first(fresh: Engine) -> None:
    first, application_id = uuid4(), uuid4()
    facts = ApplicationFacts(application_id, first, queued_at=datetime(2026, 5, 4, tzinfo=UTC))
    with Session(fresh) as session, session.begin():
        counting.count_applications(session, [facts])
    with Session(fresh) as session, session.begin():
        counting.count_applications(session, [replace(facts, union_id=uuid4(), state="removed", version=1)])
    assert {key[0]: count for key, count in _counts(fresh).items()} == {first: 1}


def test_a_number_in_a_reason_of_the_bank_is_masked(fresh: Engine) -> None:
    with Session(fresh) as session, session.begin():
        names = [CodedName(kind="refusal", code="x", name="证件 310115196501150016 与姓名不符")]
        counting.store_names(session, names)
        counting.store_names(session, names)
        assert session.scalars(select(ReportName.name)).all() == ["证件 31011***********16 与姓名不符"]


def test_a_moved_union_takes_its_counts_along(world: World, fresh: Engine) -> None:
    city, old, new, moved = (uuid4() for _ in range(4))
    at = datetime(2026, 5, 4, tzinfo=UTC)
    with Session(fresh) as session, session.begin():
        counting.count_members(session, [MemberFacts(uuid4(), moved, at) for _ in range(3)])
        _change(session, at, (city, "city", ()), (old, "superior", (city,)), (new, "superior", (city,)))
        _change(session, at, (moved, "grassroots", (city, old)))
    assert _below(fresh) == {city: 3, old: 3}
    with Session(fresh) as session, session.begin():
        _change(session, at + timedelta(days=1), (moved, "grassroots", (city, new)))
        _change(session, at + timedelta(hours=1), (moved, "grassroots", (city, old)))
    assert _below(fresh) == {city: 3, new: 3}


def test_a_membership_counts_where_its_newest_version_is_in_whatever_order_versions_come(fresh: Engine) -> None:
    old, new, member = uuid4(), uuid4(), uuid4()
    registered, left = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    stays = MemberFacts(member, old, registered)
    leaves = replace(stays, left_at=left, version=1)
    moves = MemberFacts(member, new, registered, version=2)
    leaves_again = replace(moves, left_at=left, version=3)
    for known, expected in (
        ([stays, leaves], {(old, 202605): 1, (old, 202607): -1}),
        ([leaves, stays, leaves], {(old, 202605): 1, (old, 202607): -1}),
        ([moves, stays, leaves], {(new, 202605): 1}),
        ([leaves_again, leaves, moves], {(new, 202605): 1, (new, 202607): -1}),
    ):
        for together in (False, True):
            with Session(fresh) as session, session.begin():
                session.execute(delete(ReportCount))
                session.execute(delete(ReportMember))
                for part in [known] if together else [[one] for one in known]:
                    counting.count_members(session, part)
                counts = select(ReportCount).where(ReportCount.count != 0)
                assert {(one.union_id, one.month): one.count for one in session.scalars(counts)} == expected


def test_the_reports_follow_a_member_who_leaves_and_moves(world: World) -> None:
    clerk, newcomer = world.account("jianlang"), world.account("gubei")
    before = _members_now(world, clerk), _members_now(world, newcomer)
    with world.begin("membership") as session:
        free = select(Member).where(Member.union_id == UUID(clerk.union_id), Member.card_state == CardState.NONE)
        member_id = session.scalars(free.limit(1)).one().member_id
        end_membership(Work(session, clerk), EndMembershipRequest(member_id=member_id, because="left"))
    world.deliver()
    assert (_members_now(world, clerk), _members_now(world, newcomer)) == (before[0] - 1, before[1])
    assert world.violations() == []

    with world.begin("membership") as session:
        transfer = Transfer(
            transfer_id=uuid4(),
            member_id=member_id,
            from_union_id=UUID(clerk.union_id),
            to_union_id=UUID(newcomer.union_id),
            affiliation="employer",
            requested_by=UUID(newcomer.account_id),
            requested_at=datetime.now(UTC),
            due_on=datetime.now(UTC).date(),
        )
        session.add(transfer)
        session.flush()
        transfers.accept_transfer(Work(session, clerk), TransferRequest(transfer_id=transfer.transfer_id))
    world.deliver()
    assert (_members_now(world, clerk), _members_now(world, newcomer)) == (before[0] - 1, before[1] + 1)
    assert world.violations() == []


def test_a_renamed_union_has_its_new_name_in_the_reports(world: World) -> None:
    with world.begin("membership") as session:
        union = session.get_one(Union, UUID(world.account("gubei").union_id))
        administrator = world.union_of("city")
        unions.rename_union(
            Work(session, administrator), RenameUnionRequest(union_id=union.union_id, name="上海古北新商贸有限公司工会")
        )
    world.deliver()
    changning = world.report_to(world.union_of("city"), union_id=UUID(world.account("changning").union_id))
    assert [row.name for row in changning.items] == ["上海古北新商贸有限公司工会"]
    assert world.violations() == []


@pytest.mark.parametrize(
    ("broken", "invariant"),
    [
        ("update report_count set count = count + 1 where measure = 'issued' and not is_below", "report_counts"),
        ("update report_count set count = count - 1 where measure = 'submitted' and not is_below", "report_counts"),
        ("delete from report_count where measure = 'waiting_bank'", "report_counts"),
        ("update report_count set count = count + 1 where measure = 'members' and not is_below", "report_counts"),
        ("update report_count set count = count + 1 where measure = 'passed' and not is_below", "report_counts"),
        ("update report_count set detail = '7' where measure = 'issued_after_days' and not is_below", "report_counts"),
        ("update report_count set count = count + 1 where measure = 'queued' and is_below", "report_sums"),
        ("update report_union set superior_ids = '{}' where kind = 'grassroots'", "report_unions"),
    ],
)
def test_a_broken_total_is_found(world: World, fresh: Engine, broken: str, invariant: str) -> None:
    for event in world.told:
        _handle(fresh, event)
    assert world.violations(_url(fresh)) == []
    with fresh.begin() as connection:
        assert connection.exec_driver_sql(broken).rowcount > 0
    assert invariant in {one.invariant for one in world.violations(_url(fresh))}


def test_a_report_is_exported_with_the_unions_head_and_all_rows(world: World) -> None:
    with world.begin("notification") as session:
        work = Work(session, world.union_of("yangpu"))
        xlsx = export_report(work, ExportReportRequest(form="xlsx"))
        pdf = export_report(work, ExportReportRequest(form="pdf", by="branch"))
    assert xlsx.file_name == f"统计报表-杨浦区总工会-{datetime.now(SHANGHAI):%Y-%m}.xlsx"
    book = load_workbook(BytesIO(b64decode(xlsx.content)))
    assert book.sheetnames == ["合计", "按工会", "校验未通过原因", "银行退回原因", "逐月"]
    totals = {row[0]: row[1] for row in book["合计"].iter_rows(values_only=True) if row[0]}
    assert list(totals)[:2] == ["杨浦区总工会", "会员服务卡办理统计报表"]
    assert (totals["提交办卡"], totals["办卡成功"], totals["银行退回"]) == (8, 2, 1)
    names = [row[0] for row in book["按工会"].iter_rows(values_only=True)]
    assert "上海建朗信息科技有限公司工会" in names
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(b64decode(pdf.content))).pages)
    for shown in (
        "杨浦区总工会",
        "会员服务卡办理统计报表",
        "中国工商银行上海市分行",
        "逐月办卡成功人数",
        "姓名与证件不符",
    ):
        assert shown in text


def test_the_monthly_report_reaches_each_union_once(fresh: Engine) -> None:
    now = datetime(2026, 11, 3, 1, tzinfo=UTC)
    city, district, busy, idle = (uuid4() for _ in range(4))
    with Session(fresh) as session, session.begin():
        _change(session, now, (city, "city", ()), (district, "superior", (city,)))
        _change(session, now, *((one, "grassroots", (city, district)) for one in (busy, idle)))
        counting.count_members(session, [MemberFacts(uuid4(), busy, now - timedelta(days=30)) for _ in range(1200)])
    assert _sent(fresh, now) == 4
    assert _sent(fresh, now) == 0
    with Session(fresh) as session:
        messages = {one.union_id: one for one in session.scalars(select(InboxMessage))}
    assert {one: message.role for one, message in messages.items()} == {
        city: "administrator",
        district: "administrator",
        busy: "clerk",
    }
    assert messages[busy].title == "2026年10月办卡统计月报"
    assert messages[busy].link == "/reports?first_month=2026-10&last_month=2026-10"
    assert "会员 1,200 人，办卡率 0.0%" in messages[busy].body


def test_the_monthly_report_waits_for_its_day_and_hour_and_for_a_rebuild(fresh: Engine) -> None:
    with Session(fresh) as session, session.begin():
        _change(session, datetime(2026, 9, 1, tzinfo=UTC), (uuid4(), "city", ()))
    assert _sent(fresh, datetime(2026, 10, 31, 23, 59, tzinfo=UTC)) == 0
    at_eight = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)
    with Session(fresh) as session, session.begin():
        rebuild.begin(session)
    assert _sent(fresh, at_eight) == 0
    with Session(fresh) as session, session.begin():
        rebuild.expect(session, 0)
        rebuild.finish(session)
        _change(session, at_eight, (uuid4(), "city", ()))
    assert _sent(fresh, at_eight) == 1


def test_of_two_processes_one_sends_the_monthly_report(fresh: Engine) -> None:
    now = datetime(2026, 11, 3, 1, tzinfo=UTC)
    with Session(fresh) as session, session.begin():
        _change(session, now, (uuid4(), "city", ()))
        session.add(MonthlyReport(month=202610))
    with Session(fresh) as other, other.begin():
        other.execute(select(MonthlyReport).with_for_update()).one()
        assert _sent(fresh, now) == 0
    assert _sent(fresh, now) == 1


def _batch(world: World, size: int) -> str:
    world.queue(size)
    world.deliver()
    world.check()
    world.deliver()
    batch_no = world.submit()
    world.deliver()
    return batch_no


def _card(number: int) -> str:
    prefix = f"62220212345678{number:04d}"
    return prefix + luhn.calc_check_digit(prefix)


def _refused(application_id: UUID) -> dict[str, str]:
    return {
        "application_id": str(application_id),
        "outcome": "refused",
        "reason_code": "name_mismatch",
        "reason": "姓名与证件不符",
    }


def _handle(engine: Engine, event: Event[Any]) -> None:
    with Session(engine) as session, session.begin():
        _feed(session, event)


def _feed(session: Session, event: Event[Any]) -> None:
    getattr(feeding, event.type.split(".")[1])(session, event)


def _facts(world: World, service: str, rebuild_id: UUID) -> list[Event[Any]]:
    """What a service publishes for a rebuild, taken from its outbox."""
    return _published_facts(world.engines[service], service, rebuild_id) if service in SOURCES else []


def _published_facts(engine: Engine, service: str, rebuild_id: UUID) -> list[Event[Any]]:
    published = publish_all_facts(engine, service, rebuild_id)
    with Session(engine) as session, session.begin():
        rows = session.execute(select(outbox).order_by(outbox.c.id)).all()
        session.execute(delete(outbox))
    events = [unwrap(EVENTS[row.routing_key], row.body) for row in rows]
    assert len(events) == published
    return events


def _rebuild(engines: Mapping[str, Engine]) -> None:
    """Rebuilds the reports from what validation has."""
    with Session(engines["notification"]) as session, session.begin():
        rebuild_id = rebuild.begin(session)
    for event in _published_facts(engines["validation"], "validation", rebuild_id):
        _handle(engines["notification"], event)


def _a_failed_check(*rules: str) -> list[ApplicationCheck | CheckFinding]:
    """A check of an earlier release that failed by rules, with a finding for each, and a warning by another rule."""
    check = ApplicationCheck(
        application_id=uuid4(), check_no=1, union_id=uuid4(), result="failed", checked_at=datetime.now(UTC)
    )
    severities = [*((rule, "error") for rule in rules), ("name", "warning")]
    findings = [
        CheckFinding(
            application_id=check.application_id,
            check_no=1,
            position=position,
            rule=rule,
            rule_version="1",
            code="x",
            severity=severity,
            message="",
            evidence="{}",
        )
        for position, (rule, severity) in enumerate(severities)
    ]
    return [check, *findings]


def _failed_by_rule(notification: Engine) -> dict[str, int]:
    counted = select(ReportCount.detail, ReportCount.count).where(
        ReportCount.measure == FAILED_BY_RULE, ReportCount.count != 0
    )
    with notification.connect() as connection:
        return dict(connection.execute(counted).all())


def _break(session: Session) -> None:
    session.execute(update(ReportCount).values(count=ReportCount.count + 5))


def _counts(engine: Engine) -> Counter[tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(select(ReportCount.__table__).where(ReportCount.count != 0))
        return Counter({tuple(row[:-1]): row[-1] for row in rows})


def _below(engine: Engine) -> dict[UUID, int]:
    counted = select(ReportCount.union_id, ReportCount.count).where(ReportCount.is_below, ReportCount.count != 0)
    with engine.connect() as connection:
        return {row["union_id"]: row["count"] for row in connection.execute(counted).mappings()}


def _members_now(world: World, clerk: Caller) -> int:
    return world.report_to(clerk).current.members or 0


def _url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def _change(session: Session, at: datetime, *unions: tuple[UUID, str, tuple[UUID, ...]]) -> None:
    changed = [
        ChangedUnion(
            union_id=one,
            code=str(one),
            name=str(one),
            kind=kind,
            superior_union_id=above[-1] if above else None,
            superior_ids=list(above),
        )
        for one, kind, above in unions
    ]
    counting.change_unions(session, changed, at)


def _sent(engine: Engine, now: datetime) -> int:
    @contextmanager
    def begin() -> Iterator[Session]:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    return monthly.send_due(begin, MonthlyReportSettings(), now)
