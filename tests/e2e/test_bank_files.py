"""A branch that takes no messages: an operator carries locked files between the clerk's batches and the bank."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import requests

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from deploy.simulators.bank_branch import answered, decided, lives, rows_of
from services.contracts.external.bank_files import APPLICANTS_SHEET, RECALL_SHEET
from services.kit.sheets.locked import is_locked
from services.membership.seed import demo_password
from tests.desks import Desk, a_desk, people


@dataclass(frozen=True)
class FileBranch:
    """A branch that takes files, with its outlet, and the operator who carries them."""

    code: str
    outlet: str
    password: str
    operator: ApiClient

    def fetch(self, batch_no: str, kind: str = "batch") -> bytes:
        """Downloads the file that waits."""
        waiting = self.operator.get("operations/bank-files", batch_no=batch_no, state="waiting")["items"]
        [file] = [one for one in waiting if one["kind"] == kind]
        return self.operator.download(f"operations/bank-files/{file['file_id']}/content.xlsx")

    def upload(self, content: bytes) -> dict[str, Any]:
        """Uploads a file of results."""
        path = f"operations/branches/{self.code}/result-files"
        answer: dict[str, Any] = self.operator.upload(path, "结果.xlsx", content)
        return answer


@pytest.fixture(scope="module")
def branch(stack: Stack) -> FileBranch:
    city, name = ApiClient(stack.gateway_url).sign_in("city", demo_password()), uuid4().hex[:8]
    city.post("branches", {"code": f"file-{name}", "name": f"文件支行{name}", "charset": "gb18030", "by_file": True})
    place = {"district": "杨浦区", "address": "上海市杨浦区文件路1号", "phone": "021-65480199"}
    outlet = {"code": f"file-{name}-1", "branch_code": f"file-{name}", "name": f"文件网点{name}", **place}
    city.post("outlets", outlet)
    password = city.post(f"branches/file-{name}/file-password", {})["password"]
    operator = ApiClient(stack.gateway_url).sign_in("ops", demo_password())
    return FileBranch(f"file-{name}", f"文件网点{name}", password, operator)


@pytest.fixture
def desk(stack: Stack) -> Desk:
    return a_desk(stack.gateway_url)


def test_a_batch_goes_by_file_and_its_cards_come_back(stack: Stack, branch: FileBranch, desk: Desk) -> None:
    desk.register(*people(3))
    batch_no = desk.submit_all(outlet=branch.outlet)
    content = branch.fetch(batch_no)
    assert is_locked(content)
    assert len(rows_of(content, branch.password, APPLICANTS_SHEET)) == 3
    assert requests.get(f"{stack.simulator_urls['bank']}/batches/{batch_no}", timeout=10).status_code == 404

    results = list(decided(content, branch.password, wrong=1))
    first = branch.upload(answered(content, branch.password, results))
    assert (first["applied"], first["rejected"]) == (2, 1)
    assert [(one["lines"], one["field"]) for one in first["rejections"]] == [([2], "卡号")]
    wait_until(lambda: desk.clerk.get(f"batches/{batch_no}")["issued"] == 2, "two cards are issued")

    results = list(decided(content, branch.password))
    second = branch.upload(answered(content, branch.password, results, lives(results)))
    assert (second["repeated"], second["rejected"]) == (2, 0)
    wait_until(lambda: desk.clerk.get(f"batches/{batch_no}")["issued"] == 3, "the third is issued")
    wait_until(lambda: desk.clerk.get("cards")["total"] == 3, "the cards are listed")
    assert branch.operator.get("operations/bank-files", batch_no=batch_no)["items"][0]["fetched_by"] == "ops"
    uploaded = branch.operator.get("operations/result-files", branch_code=branch.code)["items"]
    assert [one["uploaded_by"] for one in uploaded[:2]] == ["ops", "ops"]
    receipt = branch.operator.download(f"operations/result-files/{first['result_file_id']}/receipt.xlsx")
    assert receipt[:2] == b"PK"


def test_a_revoked_batch_is_recalled_by_file(stack: Stack, branch: FileBranch, desk: Desk) -> None:
    desk.register(*people(2))
    batch_no = desk.submit_all(outlet=branch.outlet)
    request = desk.ask_back(batch_no)
    desk.office.reviewer.post(f"revocations/{request['revocation_id']}/approve", {})
    waiting = lambda: branch.operator.get("operations/bank-files", batch_no=batch_no)["total"] == 2  # noqa: E731
    wait_until(waiting, "the recall waits")
    assert len(rows_of(branch.fetch(batch_no, "recall"), branch.password, RECALL_SHEET)) == 2


def test_only_operators_carry_files_and_only_the_city_makes_passwords(branch: FileBranch, desk: Desk) -> None:
    with pytest.raises(ApiProblem) as refused:
        desk.clerk.get("operations/bank-files")
    assert refused.value.status == 403
    with pytest.raises(ApiProblem) as refused:
        branch.operator.post(f"branches/{branch.code}/file-password", {})
    assert refused.value.status == 403


def test_a_file_of_another_kind_is_refused_with_a_reason(branch: FileBranch) -> None:
    with pytest.raises(ApiProblem) as refused:
        branch.upload(b"%PDF-1.7 no sheet")
    assert refused.value.status == 422
    assert "PDF" in refused.value.problem["fields"][0]["reason"]
