"""Routes with more than one call of a service, and which routes are public."""

import base64
import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest

from deploy.local.environment import ROOT
from gateway.api import ROUTES
from gateway.api.support import SupportAnswer
from gateway.captchas import MORE_BITS_WITHOUT_PICTURE, SECONDS
from gateway.documentation import ROUTES as DOCUMENTATION
from gateway.proof_of_work import solve
from gateway.reading import UPLOAD_LIMIT
from services.kit import clock
from services.kit.problems import Problem, Unavailable
from services.kit.rpc.files import file_answer
from services.kit.rpc.methods import Caller
from services.kit.schemas import as_dict
from tests.documents import errors_in
from tests.gateway_page import SESSION_ID, SUPERIOR_UNION_ID, UNION_ID, Page, a_caller

A_LETTER: dict[str, Any] = {
    "queue": "batching.members_queued.dead",
    "type": None,
    "cause": "ValueError",
    "reason": "",
    "first_failed_at": None,
    "attempts": 5,
    "replays": 0,
    "subject": "会员待办",
    "explanation": "数据有误",
    "union_id": None,
    "union_code": None,
    "union_name": None,
    "batch_no": None,
    "persons": None,
    "correlation_id": None,
    "size": 100,
}
IMPORT_ID = "0192f0c1-0000-7000-8000-000000000042"
UNION = {
    "union_id": UNION_ID,
    "code": "81310110MC0000000X",
    "name": "上海建朗信息科技有限公司工会",
    "superior_union_id": SUPERIOR_UNION_ID,
    "superior_ids": [SUPERIOR_UNION_ID],
    "kind": "grassroots",
}
CREDENTIALS = {"account_name": "jianlang", "password": "correct horse"}
ACCOUNT: dict[str, Any] = {
    "account_id": "0192f0c1-0000-7000-8000-0000000000aa",
    "account_name": "jianlang",
    "display_name": "王",
    "roles": ["clerk"],
    "union": UNION,
    "must_change_password": False,
    "next_step": None,
    "has_second_factor": False,
}
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def page() -> Page:
    return Page((*ROUTES, *DOCUMENTATION))


def test_who_signs_in_is_known_from_then_on(page: Page) -> None:
    begun = page.a_session_of(a_caller(("clerk",)))
    page.services["membership"].answers = {"sign_in": {"account": ACCOUNT, "session": begun}, "get_me": ACCOUNT}

    signed_in = page.post("/api/v1/sessions", json={**CREDENTIALS, **page.answered_captcha()})

    assert (signed_in.status_code, signed_in.headers["Location"]) == (201, "/api/v1/me")
    assert signed_in.get_json() == ACCOUNT
    assert page.get(signed_in.headers["Location"]).status_code == 200
    assert page.services["membership"].calls[-1].caller == a_caller(("clerk",))


def test_a_failed_sign_in_gives_no_session(page: Page) -> None:
    page.services["membership"].answers["sign_in"] = Problem("sign_in_failed", 401, "账号或密码有误")

    response = page.post("/api/v1/sessions", json={**CREDENTIALS, **page.answered_captcha()})

    assert (response.status_code, "Set-Cookie" in response.headers) == (401, False)
    assert page.get("/api/v1/me").status_code == 401


def test_membership_receives_whether_the_captcha_was_answered_correctly(page: Page) -> None:
    page.services["membership"].answers["sign_in"] = Problem("captcha_wrong", 422, "验证码不正确")
    captcha = page.answered_captcha()

    for answer in (f" {captcha['captcha_answer'].lower()} ", "wrong"):
        page.post("/api/v1/sessions", json={**CREDENTIALS, **captcha, "captcha_answer": answer})

    verdicts = [call.data["captcha"] for call in page.services["membership"].calls]
    assert [one["is_right"] for one in verdicts] == [True, False]
    assert verdicts[0]["captcha_id"] == verdicts[1]["captcha_id"]
    assert captcha["captcha_answer"] not in str(page.services["membership"].calls)


@pytest.mark.parametrize("how", ["too old", "forged"])
def test_a_captcha_that_is_too_old_or_not_ours_lets_nobody_try(page: Page, how: str) -> None:
    captcha = page.answered_captcha()
    if how == "too old":
        page.clock.pass_by(SECONDS)
    else:
        captcha["captcha_id"] = captcha["captcha_id"][::-1]

    response = page.post("/api/v1/sessions", json={**CREDENTIALS, **captcha})

    assert (response.status_code, response.get_json(force=True)["code"]) == (422, "captcha_expired")
    assert page.services["membership"].calls == []


def test_a_captcha_is_a_picture_that_does_not_tell_its_answer_or_more_work(page: Page) -> None:
    page.services["membership"].answers["get_captcha_level"] = {"level": 0}
    made, work = (page.post("/api/v1/captchas", json={"kind": kind}).get_json() for kind in ("image", "work"))

    assert base64.b64decode(made["image"].partition(",")[2]).startswith(b"\x89PNG")
    puzzle = page.captchas.decrypt(made["captcha_id"])
    assert puzzle is not None
    assert len(puzzle.answer) == 5
    assert puzzle.answer not in str(made)
    assert work["image"] is None
    assert work["proof_of_work"]["bits"] == made["proof_of_work"]["bits"] + MORE_BITS_WITHOUT_PICTURE


def test_each_level_doubles_the_work_and_waits_longer(page: Page) -> None:
    made = []
    for level in (0, 1, 5):
        page.services["membership"].answers["get_captcha_level"] = {"level": level}
        made.append(page.post("/api/v1/captchas", json={}).get_json())
    assert [one["proof_of_work"]["bits"] for one in made] == [4, 5, 9]
    assert [one["wait_seconds"] for one in made] == [0, 2, 10]


def test_where_membership_is_away_a_captcha_is_made_all_the_same(page: Page) -> None:
    page.services["membership"].answers["get_captcha_level"] = Unavailable(5)
    assert page.post("/api/v1/captchas", json={}).status_code == 201


def test_a_captcha_is_not_taken_too_early(page: Page) -> None:
    captcha = page.answered_captcha(level=3)

    response = page.post("/api/v1/sessions", json={**CREDENTIALS, **captcha})

    assert (response.status_code, response.get_json(force=True)["code"]) == (429, "captcha_too_early")
    assert response.headers["Retry-After"] == "5"
    page.services["membership"].answers["sign_in"] = Problem("sign_in_failed", 401, "账号或密码有误")
    page.clock.pass_by(6)
    assert page.post("/api/v1/sessions", json={**CREDENTIALS, **captcha}).status_code == 401


@pytest.mark.parametrize("how", ["not done", "for another captcha", "too little"])
def test_without_its_work_a_captcha_lets_nobody_try(page: Page, how: str) -> None:
    captcha = page.answered_captcha(level=5)
    page.clock.pass_by(20)
    puzzle = page.captchas.decrypt(captcha["captcha_id"])
    assert puzzle is not None
    captcha["proof_of_work"] = {
        "not done": "0" * 64,
        "for another captcha": page.answered_captcha()["proof_of_work"],
        "too little": solve(puzzle.salt, 3),
    }[how]

    response = page.post("/api/v1/sessions", json={**CREDENTIALS, **captcha})

    assert (response.status_code, response.get_json(force=True)["code"]) == (422, "captcha_work_wrong")
    assert page.services["membership"].calls == []


def test_a_captcha_counts_for_its_purpose_alone(page: Page) -> None:
    response = page.post("/api/v1/personal/otp", json={"phone": "13900000001", **page.answered_captcha("sign_in")})
    assert (response.status_code, response.get_json(force=True)["code"]) == (422, "captcha_expired")


def test_who_signs_in_gets_a_cookie_that_names_the_device_and_is_told_by_it_the_next_time(page: Page) -> None:
    begun = page.a_session_of(a_caller(("clerk",)))
    page.services["membership"].answers = {"sign_in": {"account": ACCOUNT, "session": begun}}
    for _ in range(2):
        response = page.post("/api/v1/sessions", json={**CREDENTIALS, **page.answered_captcha()})

    cookie = next(one for one in response.headers.getlist("Set-Cookie") if one.startswith("device="))
    assert {"HttpOnly", "SameSite=Strict", "Max-Age=31536000", "Path=/"} <= set(cookie.split("; "))
    first, second = (call.data["visit"]["device_id"] for call in page.services["membership"].calls)
    assert first == second
    page.set_cookie("device", cookie.partition(";")[0].removeprefix("device=").swapcase())
    page.post("/api/v1/sessions", json={**CREDENTIALS, **page.answered_captcha()})
    assert page.services["membership"].calls[-1].data["visit"]["device_id"] != first


def test_a_code_by_sms_is_asked_for_and_tried_under_the_browsers_cookie(page: Page) -> None:
    page.services["membership"].answers = {
        "request_otp": {"expires_at": "2026-11-24T02:00:00+00:00"},
        "personal_sign_in": Problem("otp_wrong", 401, "验证码不正确"),
    }
    page.post("/api/v1/personal/otp", json={"phone": "13900000001", **page.answered_captcha("sms_code")})
    page.post("/api/v1/personal/sessions", json={"phone": "13900000001", "code": "123456"})

    asked, tried = page.services["membership"].calls
    assert asked.data["device_id"] == tried.data["visit"]["device_id"]
    assert asked.data["captcha"]["is_right"]


def test_who_signs_in_again_leaves_the_session_that_the_browser_had(page: Page) -> None:
    page.sign_in_as("clerk")
    page.services["membership"].answers["sign_in"] = Problem("sign_in_failed", 401, "账号或密码有误")

    page.post("/api/v1/sessions", json={**CREDENTIALS, **page.answered_captcha()}, headers={"User-Agent": "Firefox"})

    visit = page.services["membership"].calls[-1].data["visit"]
    assert (visit["user_agent"], visit["replaces"]) == ("Firefox", SESSION_ID)


def test_who_signs_out_is_known_no_more_not_even_by_a_copy_of_the_cookie(page: Page) -> None:
    page.sign_in_as("clerk")
    copy = page.get_cookie("session")
    assert copy is not None
    page.services["membership"].answers["sign_out"] = None

    assert page.delete("/api/v1/sessions/current").status_code == 204
    assert page.services["membership"].calls[-1].caller == a_caller(("clerk",))
    assert page.get("/api/v1/me").status_code == 401
    page.services["membership"].answers["use_session"] = Problem("session_ended", 401, "登录已失效")
    page.set_cookie("session", copy.value)
    assert page.get("/api/v1/me").status_code == 401


def test_who_is_not_signed_in_may_sign_out(page: Page) -> None:
    assert page.delete("/api/v1/sessions/current").status_code == 204
    assert page.services["membership"].calls == []


def test_a_limited_session_opens_nothing_but_its_step(page: Page) -> None:
    page.sign_in_as("limited")
    page.services["membership"].answers["get_me"] = {}

    assert page.get("/api/v1/me").status_code == 200
    others = ("members", "me/sessions", "messages", "stream")
    assert {page.get(f"/api/v1/{path}").status_code for path in others} == {403}


def test_ones_own_session_elsewhere_is_ended_at_once(page: Page) -> None:
    page.sign_in_as("clerk")
    page.services["membership"].answers["end_my_session"] = None

    assert page.delete(f"/api/v1/me/sessions/{SESSION_ID}").status_code == 204
    page.services["membership"].answers["use_session"] = Problem("session_ended", 401, "登录已失效")
    assert page.get("/api/v1/me").status_code == 401


def test_a_password_is_changed_without_a_request_id(page: Page) -> None:
    page.sign_in_as("clerk")
    page.services["membership"].answers["change_password"] = page.a_session_of(a_caller(session_id="another"))

    response = page.post(
        "/api/v1/me/password",
        json={"current_password": "correct horse", "new_password": "battery staple"},
        headers={"Idempotency-Key": "7"},
    )

    assert response.status_code == 204
    assert page.services["membership"].calls[0].request_id is None
    page.services["membership"].answers["get_me"] = {}
    assert page.get("/api/v1/me").status_code == 200
    assert page.services["membership"].calls[-1].caller.session_id == "another"


def test_no_password_is_kept_for_a_repeated_request(page: Page) -> None:
    page.services["membership"].answers["reset_password"] = {"account_name": "wangfang"}
    body = {"token": "abc234", "new_password": "battery staple"}

    response = page.post("/api/v1/password-resets", json=body, headers={"Idempotency-Key": "7"})

    assert response.get_json() == {"account_name": "wangfang"}
    assert page.services["membership"].calls[0].request_id is None


def test_the_browser_in_which_a_password_is_chosen_by_a_link_is_known_from_then_on(page: Page) -> None:
    page.services["membership"].answers["reset_password"] = {"account_name": "wangfang"}
    body = {"token": "abc234", "new_password": "battery staple"}

    assert page.get_cookie("device") is None
    page.post("/api/v1/password-resets", json=body)
    assert page.get_cookie("device") is not None
    page.post("/api/v1/password-resets", json=body)

    first, second = (call.data["device_id"] for call in page.services["membership"].calls)
    assert first == second
    assert page.post("/api/v1/password-resets", json={**body, "device_id": str(uuid4())}).status_code == 422


def test_a_member_on_the_phone_is_known_as_a_member_and_as_nothing_else(page: Page) -> None:
    member_id = "0192f0c1-0000-7000-8000-000000000077"
    member = Caller(member_id=member_id, roles=frozenset({"member"}), session_id=SESSION_ID)
    page.services["membership"].answers = {
        "personal_sign_in": {
            "member": {"member_id": member_id, "name": "李四", "union": UNION},
            "session": page.a_session_of(member),
        },
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

    response = page.post(
        "/api/v1/members/imports",
        data={"sheet": (BytesIO(b"PK"), "会员名册.xlsx")},
        headers=OWN_PAGE,
    )

    assert (response.status_code, response.get_json(force=True)["fields"][0]["field"]) == (422, "file")


@pytest.mark.parametrize("size", [UPLOAD_LIMIT + 1, UPLOAD_LIMIT + (1 << 20)])
def test_an_upload_above_the_limit_is_a_413(page: Page, size: int) -> None:
    page.sign_in_as("clerk")

    sheet = (BytesIO(bytes(size)), "会员名册.xlsx")
    response = page.post("/api/v1/members/imports", data={"file": sheet}, headers=OWN_PAGE)

    assert response.status_code == 413


def test_an_upload_as_json_is_a_415(page: Page) -> None:
    page.sign_in_as("clerk")

    response = page.post("/api/v1/members/imports", json={"file_name": "x.xlsx", "content": ""})

    assert response.status_code == 415


def test_the_register_comes_in_the_form_of_its_path_with_the_hash_of_what_it_says(page: Page) -> None:
    page.sign_in_as("clerk")
    page.services["batching"].answers["get_register"] = {
        **as_dict(file_answer("清册.xlsx", "application/x-test", b"PK")),
        "register_hash": "ab12",
    }

    response = page.get("/api/v1/batches/cbc81310110202611240001/register.xlsx")

    assert (response.data, response.headers["X-Register-Hash"]) == (b"PK", "ab12")
    assert page.services["batching"].calls[0].data == {"batch_no": "cbc81310110202611240001", "format": "xlsx"}


def test_the_summary_holds_what_membership_and_batching_count(page: Page) -> None:
    page.sign_in_as("reviewer")
    members = {"by_union": [{"union": {"union_id": "a", "name": "杨浦区总工会"}}, {"union": {"union_id": "b"}}]}
    page.services["membership"].answers["get_member_summary"] = members
    page.services["batching"].answers["get_batch_summary"] = {
        "awaiting_bank": 3, "by_union": [{"union_id": "a", "total": 4}],
    }  # fmt: skip

    assert page.get("/api/v1/summary").get_json() == {
        "members": members,
        "batches": {
            "awaiting_bank": 3,
            "by_union": [{"union_id": "a", "total": 4, "union": {"union_id": "a", "name": "杨浦区总工会"}}],
        },
    }


def test_the_sign_in_page_says_whom_to_ask(page: Page) -> None:
    answer = page.get("/api/v1/support").get_json()

    assert errors_in(SupportAnswer, answer) == {}
    assert [line["name"] for line in answer["lines"]] == ["系统操作", "账号与密码"]


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
    assert {f"{route.method} {route.template}" for route in ROUTES if "anonymous" in route.rule.roles} == {
        "POST /api/v1/captchas",
        "POST /api/v1/sessions",
        "DELETE /api/v1/sessions/current",
        "POST /api/v1/personal/otp",
        "POST /api/v1/personal/sessions",
        "GET /api/v1/announcements",
        "GET /api/v1/announcements/{announcement_id}",
        "GET /api/v1/guides",
        "GET /api/v1/support",
        "POST /api/v1/password-resets",
        "POST /api/v1/password-resets/check",
        "GET /api/v1/attachments/{attachment_id}",
        "POST /api/v1/operations/alerts",
        "GET /healthz",
        "GET /readyz",
    }


def test_a_dead_letter_that_has_waited_too_long_is_marked(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 3, 5, 2, tzinfo=UTC))  # a Thursday
    times = {"2026-03-03T09:00:00+00:00": True, "2026-03-04T01:00:00+00:00": False, "soon": False, None: False}
    page.sign_in_as("operator")
    letters = [{**A_LETTER, "id": str(number), "failed_at": at} for number, at in enumerate(times)]
    for service in page.services.values():
        service.answers = {"list_dead_letters": {"items": [], "total": 0}}
    page.services["batching"].answers = {"list_dead_letters": {"items": letters, "total": len(letters)}}
    page.services["membership"].answers["name_unions"] = {"items": []}

    answer = page.get("/api/v1/operations/dead-letters").get_json()

    assert {letter["failed_at"]: letter["overdue"] for letter in answer["items"]} == times


FIRING: dict[str, Any] = {
    "status": "firing",
    "labels": {
        "alertname": "QueueGrows",
        "severity": "ticket",
        "queue": "batching.members_queued",
        "program": "batching",
    },
    "annotations": {"summary": "batching.members_queued grows", "notice": "该队列持续积压。"},
    "startsAt": "2026-11-30T08:29:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph",
    "fingerprint": "7f2d31dbd2d3c7e4",
}


def tell_alerts(page: Page, *alerts: dict[str, Any], token: str = "Bearer the-token") -> Any:  # noqa: S107
    page.services["notification"].answers["record_alerts"] = None
    message = {"version": "4", "status": "firing", "receiver": "operators", "alerts": list(alerts)}
    return page.post("/api/v1/operations/alerts", json=message, headers={"Authorization": token})


def test_monitoring_tells_of_alerts_with_its_token(page: Page) -> None:
    over = {**FIRING, "status": "resolved", "endsAt": "2026-11-30T08:40:00Z", "labels": {"alertname": "HttpErrors"}}

    response = tell_alerts(page, FIRING, over)

    assert response.status_code == 204
    (call,) = page.services["notification"].calls
    assert call.data["token"] == "the-token"
    assert call.data["alerts"] == [
        {
            "fingerprint": "7f2d31dbd2d3c7e4",
            "name": "QueueGrows",
            "severity": "ticket",
            "subject": "batching.members_queued",
            "instance": "",
            "notice": "该队列持续积压。",
            "started_at": "2026-11-30T08:29:00.123456+00:00",
            "ended_at": None,
        },
        {
            "fingerprint": "7f2d31dbd2d3c7e4",
            "name": "HttpErrors",
            "severity": "ticket",
            "subject": "",
            "instance": "",
            "notice": "该队列持续积压。",
            "started_at": "2026-11-30T08:29:00.123456+00:00",
            "ended_at": "2026-11-30T08:40:00+00:00",
        },
    ]


@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "Bearer", "the-token"])
def test_without_a_bearer_token_an_empty_one_is_passed_on(page: Page, authorization: str) -> None:
    tell_alerts(page, FIRING, token=authorization)
    assert [call.data["token"] for call in page.services["notification"].calls] == [""]


def test_a_large_message_of_monitoring_is_read_and_a_larger_one_refused(page: Page) -> None:
    described = {**FIRING, "annotations": {"description": "x" * 1500, "notice": "该队列持续积压。"}}
    assert tell_alerts(page, *[described] * 100).status_code == 204
    assert tell_alerts(page, *[described] * 101).status_code == 422
    assert tell_alerts(page, {**FIRING, "generatorURL": "x" * 300_000}).status_code == 413


@pytest.mark.parametrize("part", ["status", "labels", "startsAt", "fingerprint"])
def test_a_message_that_is_not_monitorings_is_refused_by_field(page: Page, part: str) -> None:
    response = tell_alerts(page, {name: value for name, value in FIRING.items() if name != part})
    assert (response.status_code, page.services["notification"].calls) == (422, [])
    assert [part in error["field"] for error in response.get_json(force=True)["fields"]] == [True]


def test_the_gateway_loads_nothing_that_makes_or_reads_spreadsheets() -> None:
    """It passes files on; a library for them would take time and memory of each process."""
    loads = "import sys, gateway.service; sys.exit(bool({'openpyxl', 'python_calamine', 'lxml'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", loads], cwd=ROOT, check=False)
    assert ran.returncode == 0
