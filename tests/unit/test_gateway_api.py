"""The routes that do more than ask one service, and which of all routes need no sign-in."""

import base64
from io import BytesIO
from typing import Any

import pytest

from gateway.api import ROUTES
from gateway.documentation import ROUTES as DOCUMENTATION
from gateway.reading import UPLOAD_LIMIT
from services.common.contracts.rpc.files import file_answer
from services.common.problems import Problem
from tests.gateway_page import SUPERIOR_UNION_ID, UNION_ID, Page, a_caller

IMPORT_ID = "0192f0c1-0000-7000-8000-000000000042"
UNION = {
    "union_id": UNION_ID,
    "code": "81310110MC0000000X",
    "name": "上海建朗信息科技有限公司工会",
    "superior_union_id": SUPERIOR_UNION_ID,
    "kind": "grassroots",
}
ACCOUNT: dict[str, Any] = {
    "account_id": "0192f0c1-0000-7000-8000-0000000000aa",
    "account_name": "jianlang",
    "display_name": "王",
    "roles": ["clerk"],
    "union": UNION,
    "must_change_password": False,
}


@pytest.fixture
def page() -> Page:
    return Page((*ROUTES, *DOCUMENTATION))


def test_who_signs_in_is_known_from_then_on(page: Page) -> None:
    page.services["membership"].answers = {"sign_in": ACCOUNT, "get_me": ACCOUNT}

    signed_in = page.post("/api/v1/sessions", json={"account_name": "jianlang", "password": "correct horse"})

    assert (signed_in.status_code, signed_in.headers["Location"]) == (201, "/api/v1/me")
    assert signed_in.get_json() == ACCOUNT
    assert page.get(signed_in.headers["Location"]).status_code == 200
    assert page.services["membership"].calls[-1].caller == a_caller(("clerk",))


def test_a_failed_sign_in_gives_no_session(page: Page) -> None:
    page.services["membership"].answers["sign_in"] = Problem("sign_in_failed", 401, "账号或密码有误")

    response = page.post("/api/v1/sessions", json={"account_name": "jianlang", "password": "wrong"})

    assert (response.status_code, "Set-Cookie" in response.headers) == (401, False)
    assert page.get("/api/v1/me").status_code == 401


def test_who_signs_out_is_known_no_more(page: Page) -> None:
    page.sign_in_as("clerk")

    assert page.delete("/api/v1/sessions/current").status_code == 204
    assert page.get("/api/v1/me").status_code == 401


def test_a_password_is_changed_without_a_request_id(page: Page) -> None:
    page.sign_in_as("clerk")
    page.services["membership"].answers["change_password"] = {}

    response = page.post(
        "/api/v1/me/password",
        json={"current_password": "correct horse", "new_password": "battery staple"},
        headers={"Idempotency-Key": "7"},
    )

    assert response.status_code == 204
    assert page.services["membership"].calls[0].request_id is None


@pytest.mark.parametrize(
    ("path", "name", "body"),
    [
        (f"/api/v1/accounts/{ACCOUNT['account_id']}/password", "reset_password", {}),
        (
            f"/api/v1/unions/{UNION_ID}/accounts",
            "create_account",
            {"account_name": "wangfang", "display_name": "王芳", "roles": ["clerk"]},
        ),
    ],
)
def test_no_one_time_password_is_kept_for_a_repeated_request(
    page: Page, path: str, name: str, body: dict[str, Any]
) -> None:
    page.sign_in_as("administrator")
    page.services["membership"].answers[name] = {"one_time_password": "abc234"}

    response = page.post(path, json=body, headers={"Idempotency-Key": "7"})

    assert response.get_json() == {"one_time_password": "abc234"}
    assert page.services["membership"].calls[0].request_id is None


def test_a_member_on_the_phone_is_known_as_a_member_and_as_nothing_else(page: Page) -> None:
    member_id = "0192f0c1-0000-7000-8000-000000000077"
    page.services["membership"].answers = {
        "personal_sign_in": {"member_id": member_id, "name": "李四", "union": UNION},
        "get_personal_profile": {},
    }

    page.post("/api/v1/personal/sessions", json={"phone": "13800138000", "code": "123456"})

    assert page.get("/api/v1/personal/profile").status_code == 200
    caller = page.services["membership"].calls[-1].caller
    assert (caller.member_id, caller.account_id) == (member_id, None)
    assert caller.roles == frozenset({"member"})
    assert page.get("/api/v1/members").status_code == 403


def test_an_uploaded_sheet_reaches_the_service_whole(page: Page) -> None:
    page.sign_in_as("clerk")
    page.services["membership"].answers["start_import"] = {"import_id": IMPORT_ID}

    response = page.post(
        "/api/v1/members/imports",
        data={"file": (BytesIO(b"PK\x03\x04"), "会员名册.xlsx")},
        headers={"Idempotency-Key": "1"},
    )

    assert (response.status_code, response.headers["Location"]) == (202, f"/api/v1/members/imports/{IMPORT_ID}")
    (call,) = page.services["membership"].calls
    assert call.data["file_name"] == "会员名册.xlsx"
    assert base64.b64decode(call.data["content"]) == b"PK\x03\x04"
    assert call.request_id == "1"


def test_an_upload_without_a_file_is_a_422(page: Page) -> None:
    page.sign_in_as("clerk")

    response = page.post("/api/v1/members/imports", data={"sheet": (BytesIO(b"PK"), "会员名册.xlsx")})

    assert (response.status_code, response.get_json(force=True)["fields"][0]["field"]) == (422, "file")


@pytest.mark.parametrize("size", [UPLOAD_LIMIT + 1, UPLOAD_LIMIT + (1 << 20)])
def test_an_upload_above_the_limit_is_a_413(page: Page, size: int) -> None:
    page.sign_in_as("clerk")

    response = page.post("/api/v1/members/imports", data={"file": (BytesIO(bytes(size)), "会员名册.xlsx")})

    assert response.status_code == 413


def test_an_upload_as_json_is_a_415(page: Page) -> None:
    page.sign_in_as("clerk")

    response = page.post("/api/v1/members/imports", json={"file_name": "x.xlsx", "content": ""})

    assert response.status_code == 415


def test_the_register_comes_in_the_form_of_its_path_with_the_hash_of_what_it_says(page: Page) -> None:
    page.sign_in_as("clerk")
    page.services["batching"].answers["get_register"] = {
        **file_answer("清册.xlsx", "application/x-test", b"PK"),
        "register_hash": "ab12",
    }

    response = page.get("/api/v1/batches/cbc81310110202611240001/register.xlsx")

    assert (response.data, response.headers["X-Register-Hash"]) == (b"PK", "ab12")
    assert page.services["batching"].calls[0].data == {"batch_no": "cbc81310110202611240001", "format": "xlsx"}


def test_the_summary_holds_what_membership_and_batching_count(page: Page) -> None:
    page.sign_in_as("reviewer")
    page.services["membership"].answers["get_member_summary"] = {"by_union": []}
    page.services["batching"].answers["get_batch_summary"] = {"awaiting_bank": 3}

    assert page.get("/api/v1/summary").get_json() == {"members": {"by_union": []}, "batches": {"awaiting_bank": 3}}


def test_a_process_that_cannot_work_says_why(page: Page) -> None:
    page.not_ready = ["the broker is away"]

    response = page.get("/readyz")

    assert (response.status_code, response.get_json()["reasons"]) == (503, ["the broker is away"])


@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/page.css", "/api/docs/page.js", "/api/openapi.json"])
def test_the_documentation_needs_no_sign_in_and_no_other_site(page: Page, path: str) -> None:
    response = page.get(path)

    assert response.status_code == 200
    assert "http://" not in response.text
    assert "https://" not in response.text
    assert "'none'" in response.headers["Content-Security-Policy"]


def test_these_routes_and_no_others_need_no_sign_in() -> None:
    assert {f"{route.method} {route.template}" for route in ROUTES if "anonymous" in route.roles} == {
        "POST /api/v1/sessions",
        "DELETE /api/v1/sessions/current",
        "POST /api/v1/personal/otp",
        "POST /api/v1/personal/sessions",
        "GET /api/v1/announcements",
        "GET /api/v1/announcements/{announcement_id}",
        "GET /api/v1/guides",
        "GET /api/v1/attachments/{attachment_id}",
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
    }
