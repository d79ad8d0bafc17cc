"""An import by membership as a process, which is killed meanwhile."""

import base64
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from deploy.local.client import wait_until
from services.contracts.events.membership import IMPORT_PROGRESSED
from services.membership.models import Member
from tests.integration.conftest import ServiceProcess, StartService
from tests.integration.membership.office import Office
from tests.integration.service_environment import ServiceEnvironment, service_environment
from tests.mothers import a_member_form

ROWS = 6000


@pytest.fixture
def membership(amqp_uri: str) -> Iterator[ServiceEnvironment]:
    with service_environment("membership", amqp_uri) as environment:
        environment.subscribe(IMPORT_PROGRESSED)
        yield environment


@pytest.fixture
def start(start_service: StartService, engine: Engine, amqp_uri: str) -> Callable[[], ServiceProcess]:
    secrets = {name: os.environ[name] for name in ("PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY")}
    database_url = engine.url.render_as_string(hide_password=False)
    return lambda: start_service("services.membership.service", database_url, amqp_uri, **secrets)


def a_csv(rows: int) -> str:
    forms = (a_member_form() for _ in range(rows))
    lines = "\n".join(f"{form['name']},居民身份证,{form['document_number']}" for form in forms)
    return base64.b64encode(f"姓名,证件类型,证件号码\n{lines}".encode()).decode()


def progress(membership: ServiceEnvironment, office: Office, import_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = membership.call("get_import", office.clerk, {"import_id": import_id})["result"]
    return answer


def test_an_import_resumes_where_a_killed_process_left_it(
    start: Callable[[], ServiceProcess], membership: ServiceEnvironment, office: Office
) -> None:
    first = start()
    asked = {"file_name": "名册.csv", "content": a_csv(ROWS)}
    import_id = membership.call("start_import", office.clerk, asked)["result"]["import_id"]
    while membership.receive(IMPORT_PROGRESSED).data["phase"] != "previewed":
        pass
    membership.call("confirm_import", office.clerk, {"import_id": import_id})
    while membership.receive(IMPORT_PROGRESSED).data["rows_read"] == 0:
        pass
    first.kill()
    with office.begin() as session:
        when_killed = session.scalar(select(func.count()).select_from(Member)) or 0
    assert 0 < when_killed < ROWS

    start()
    ended = wait_until(
        lambda: found if (found := progress(membership, office, import_id))["state"] != "running" else None, "its end"
    )
    assert (ended["state"], ended["rows_accepted"], ended["rows_rejected"]) == ("finished", ROWS, 0)
    assert numbered(office) == ROWS, "it has finished only when every member has a number"


def numbered(office: Office) -> int:
    with office.begin() as session:
        return session.scalar(select(func.count(Member.member_no))) or 0
