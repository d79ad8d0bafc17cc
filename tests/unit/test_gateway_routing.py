"""Routing: the right route for a request, and a problem document for each error."""

from typing import Any

import pytest
import structlog
from marshmallow import Schema, fields, validates_schema
from prometheus_client import REGISTRY
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from gateway.api import health
from gateway.reading import JSON_LIMIT
from gateway.routes import RequestContext, file_route, route, rpc_route
from services.kit.problems import Conflict, Unavailable
from services.kit.rpc.files import file_answer
from services.kit.rpc.operation import operation_of
from services.kit.schemas import as_dict
from tests.gateway_page import Page, a_caller
from tests.policy_rows import authorized

for _own in ("find", "rename", "register"):
    authorized(f"membership.{_own}", "clerk")
authorized("membership.send", "anonymous")
authorized("notification.news", "anonymous")
authorized("batching.get_sheet", "clerk")
authorized("gateway.broken", "anonymous")

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
MEMBER_ID = "0192f0c1-0000-7000-8000-000000000009"


class FindMembers(Schema):
    name = fields.String()
    size = fields.Integer()
    state = fields.List(fields.String())


class RenameMember(Schema):
    member_id = fields.UUID(required=True)
    name = fields.String(required=True)

    @validates_schema
    def is_whole(self, data: dict[str, Any], **_: Any) -> None:
        """A check of the whole, which needs the value from the path too."""
        data["member_id"]


class GetSheet(Schema):
    form = fields.String(required=True)


@route("GET", "/broken", operation_of("gateway.broken"), summary="")
def broken(context: RequestContext) -> Response:
    raise LookupError("张三 310115198506150011")


ROUTES = (
    rpc_route("GET", "/members", operation_of("membership.find"), request=FindMembers, summary=""),
    rpc_route(
        "PATCH", "/members/<uuid:member_id>", operation_of("membership.rename"), request=RenameMember, summary=""
    ),
    rpc_route(
        "POST",
        "/members",
        operation_of("membership.register"),
        request=FindMembers,
        status=201,
        location="/members/{member_id}",
        deadline=30,
        summary="",
    ),
    rpc_route("GET", "/news", operation_of("notification.news"), request=FindMembers, reads_session=True, summary=""),
    rpc_route("POST", "/otp", operation_of("membership.send"), request=FindMembers, summary=""),
    file_route(
        "/sheet.pdf",
        operation_of("batching.get_sheet"),
        content_type="application/pdf",
        request=GetSheet,
        fixed={"form": "pdf"},
        summary="",
    ),
    broken,
)


@pytest.fixture
def page() -> Page:
    page = Page(ROUTES)
    page.sign_in_as("clerk")
    page.services["membership"].answers = {"find": {"items": []}, "rename": {}, "register": {"member_id": MEMBER_ID}}
    return page


def problem_of(response: TestResponse) -> dict[str, Any]:
    assert response.mimetype == "application/problem+json"
    problem: dict[str, Any] = response.get_json(force=True)
    assert problem["status"] == response.status_code
    assert problem["type"].endswith(problem["code"])
    return problem


def test_a_query_reaches_the_service_as_its_schema_has_it(page: Page) -> None:
    response = page.get("/members?name=王&size=20&state=none&state=issued")

    assert response.status_code == 200
    assert response.get_json() == {"items": []}
    (call,) = page.services["membership"].calls
    assert (call.name, call.data) == ("find", {"name": "王", "size": "20", "state": ["none", "issued"]})


def test_an_empty_query_parameter_counts_as_not_given(page: Page) -> None:
    page.get("/members?name=&size=")

    assert page.services["membership"].calls[0].data == {}


def test_the_service_receives_the_caller_and_the_origin(page: Page) -> None:
    page.get("/members", environ_base={"REMOTE_ADDR": "192.0.2.7"})

    caller = page.services["membership"].calls[0].caller
    assert caller == a_caller(("clerk",), origin="192.0.2.7")


def test_on_a_public_route_that_reads_the_session_the_service_receives_the_caller(page: Page) -> None:
    page.services["notification"].answers["news"] = {"items": []}

    page.get("/news")
    page.delete_cookie("session")
    page.get("/news")

    known, unknown = (call.caller.roles for call in page.services["notification"].calls)
    assert known == {"clerk"}
    assert "clerk" not in unknown


def test_a_body_and_the_path_go_to_the_service_together(page: Page) -> None:
    response = page.patch(f"/members/{MEMBER_ID}", json={"name": "李"})

    assert response.status_code == 200
    assert page.services["membership"].calls[0].data == {"member_id": MEMBER_ID, "name": "李"}


def test_a_created_resource_is_answered_with_its_location(page: Page) -> None:
    response = page.post("/members", json={})

    assert response.status_code == 201
    assert response.headers["Location"] == f"/members/{MEMBER_ID}"
    assert page.services["membership"].calls[0].deadline == 30


def test_the_idempotency_key_becomes_the_request_id(page: Page) -> None:
    page.post("/members", json={}, headers={"Idempotency-Key": "queue-7"})

    assert page.services["membership"].calls[0].request_id == "queue-7"


def test_a_command_of_nobody_known_has_no_request_id(page: Page) -> None:
    page.delete_cookie("session")
    page.services["membership"].answers["send"] = {}

    page.post("/otp", headers={"Idempotency-Key": "7"})

    assert page.services["membership"].calls[0].request_id is None


def test_an_idempotency_key_without_end_is_refused(page: Page) -> None:
    response = page.post("/members", json={}, headers={"Idempotency-Key": "k" * 201})

    assert problem_of(response)["code"] == "invalid_idempotency_key"


def test_a_file_comes_as_bytes_under_its_chinese_name(page: Page) -> None:
    page.services["batching"].answers["get_sheet"] = as_dict(file_answer("清册 1.pdf", "application/pdf", b"%PDF"))

    response = page.get("/sheet.pdf")

    assert response.data == b"%PDF"
    assert response.mimetype == "application/pdf"
    assert "filename*=UTF-8''%E6%B8%85%E5%86%8C%201.pdf" in response.headers["Content-Disposition"]
    assert response.headers["Cache-Control"] == "no-store"
    assert page.services["batching"].calls[0].data == {"form": "pdf"}


@pytest.mark.parametrize(
    ("path", "field", "code"),
    [
        ("/members?nmae=王", "nmae", "unknown_field"),
        ("/members?size=many", "size", "invalid"),
        ("/members?size=1&size=2", "size", "repeated"),
        ("/sheet.pdf?form=xlsx", "form", "unknown_field"),
    ],
)
def test_a_query_that_the_schema_does_not_know_is_a_422_that_names_the_field(
    page: Page, path: str, field: str, code: str
) -> None:
    problem = problem_of(page.get(path))

    assert problem["status"] == 422
    assert [(wrong["field"], wrong["code"]) for wrong in problem["fields"]] == [(field, code)]
    assert not problem["fields"][0]["reason"].isascii()
    assert not any(service.calls for service in page.services.values())


@pytest.mark.parametrize("body", [{}, {"name": 5}, {"name": "李", "card": "x"}, {"name": "李", "member_id": MEMBER_ID}])
def test_a_body_that_the_schema_does_not_know_is_a_422(page: Page, body: dict[str, Any]) -> None:
    problem = problem_of(page.patch(f"/members/{MEMBER_ID}", json=body))

    assert problem["status"] == 422
    assert page.services["membership"].calls == []


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"name": "\\u0000"}', b'{"name": "\\ud800"}', b"[" * 100_000])
def test_a_body_that_is_no_json_object_with_storable_text_is_a_400(page: Page, body: bytes) -> None:
    response = page.patch(f"/members/{MEMBER_ID}", data=body, content_type="application/json")

    assert problem_of(response)["status"] == 400


def test_a_body_of_another_type_is_a_415(page: Page) -> None:
    response = page.post("/members", data="name=x", content_type="application/x-www-form-urlencoded", headers=OWN_PAGE)

    assert problem_of(response)["status"] == 415


def test_a_body_above_the_limit_is_a_413(page: Page) -> None:
    response = page.post("/members", data=b" " * (JSON_LIMIT + 1), content_type="application/json")

    assert problem_of(response)["status"] == 413


def test_a_body_that_does_not_tell_its_length_is_a_411(page: Page) -> None:
    response = page.post(
        "/members", data=b"{}", content_type="application/json", headers={"Transfer-Encoding": "chunked"}
    )

    assert problem_of(response)["status"] == 411


@pytest.mark.parametrize("path", ["/", "/nothing", "/members/", "/members/12"])
def test_an_unknown_path_is_a_404(page: Page, path: str) -> None:
    problem = problem_of(page.patch(path))

    assert problem["status"] == 404
    assert problem["instance"] == path


def test_a_wrong_method_is_a_405_that_names_the_right_ones(page: Page) -> None:
    response = page.delete("/members")

    assert problem_of(response)["status"] == 405
    assert response.headers["Allow"] == "GET, HEAD, POST"


def test_a_request_is_never_sent_back_as_it_came(page: Page) -> None:
    assert page.open("/members", method="TRACE").status_code == 405


def test_a_parameter_that_comes_twice_where_one_is_meant_is_a_422(page: Page) -> None:
    problem = problem_of(page.get("/members?name=a&name=b"))

    assert [(field["field"], field["code"]) for field in problem["fields"]] == [("name", "repeated")]


def test_a_refusal_of_the_service_is_handed_on(page: Page) -> None:
    page.services["membership"].answers["find"] = Conflict("none_selectable", "所选会员均不可添加", "请查看原因。")

    problem = problem_of(page.get("/members"))

    assert (problem["status"], problem["code"]) == (409, "none_selectable")
    assert (problem["title"], problem["detail"]) == ("所选会员均不可添加", "请查看原因。")


def test_a_service_that_does_not_answer_is_a_503_with_a_time_to_try_again(page: Page) -> None:
    page.services["membership"].answers["find"] = Unavailable(5)

    response = page.get("/members")

    assert problem_of(response)["status"] == 503
    assert response.headers["Retry-After"] == "5"


def test_an_error_of_our_own_is_a_500_that_tells_nothing_but_its_id(page: Page) -> None:
    response = page.get("/broken")

    assert problem_of(response)["code"] == "internal_error"
    assert "张三" not in response.text
    assert response.headers["X-Correlation-Id"]


def test_answers_are_counted_by_class_without_those_to_health_checks() -> None:
    page = Page((*ROUTES, *health.ROUTES))
    before = _counted()
    page.get("/broken")
    page.get("/nowhere")
    assert [now - then for now, then in zip(_counted(), before, strict=True)] == [0, 0, 1, 1]

    assert page.get("/healthz").status_code == 200
    assert sum(_counted()) == sum(before) + 2


def _counted() -> list[float]:
    classes = ("2xx", "3xx", "4xx", "5xx")
    return [REGISTRY.get_sample_value("http_answers_total", {"class": one}) or 0 for one in classes]


def test_the_access_line_names_route_account_and_address_but_no_values(page: Page) -> None:
    with structlog.testing.capture_logs() as lines:
        page.get("/members?name=王建国", environ_base={"REMOTE_ADDR": "192.0.2.7"})
        page.patch(f"/members/{MEMBER_ID}", json={"name": "李"}, environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert [(line["route"], line["status"]) for line in lines] == [("/members", 200), ("/members/{member_id}", 200)]
    assert all(line["account_id"] == "0192f0c1-0000-7000-8000-0000000000aa" for line in lines)
    assert all(line["origin"] == "192.0.2.7" for line in lines)
    assert "王建国" not in str(lines)
    assert MEMBER_ID not in str(lines)


def test_a_command_with_secrets_takes_no_idempotency_key() -> None:
    change_password = rpc_route(
        "POST", "/password", operation_of("membership.rename"), has_secrets=True, status=204, summary=""
    )
    page = Page([change_password])
    page.sign_in_as("clerk")
    page.services["membership"].answers["rename"] = {}

    response = page.post("/password", headers={"Idempotency-Key": "7"})

    assert (response.status_code, response.data) == (204, b"")
    assert page.services["membership"].calls[0].request_id is None


@pytest.mark.parametrize("depth", [19, 20])
def test_objects_and_lists_may_lie_in_one_another_only_so_deep(page: Page, depth: int) -> None:
    body = '{"name":' + "[" * depth + "]" * depth + "}"

    response = page.patch(f"/members/{MEMBER_ID}", data=body, content_type="application/json")

    assert response.status_code == (422 if depth == 19 else 400)


@pytest.mark.parametrize("body", ['{"name": NaN}', '{"name": -Infinity}', '{"name": 1' + "0" * 5000 + "}"])
def test_numbers_that_json_does_not_know_are_a_400(page: Page, body: str) -> None:
    assert page.patch(f"/members/{MEMBER_ID}", data=body, content_type="application/json").status_code == 400


@pytest.mark.parametrize("body", ['{"name": "王", "name": "李"}', '{"a": {"b": 1, "b": 2}}', '[{"a": 1, "a": 1}]'])
def test_names_given_twice_are_a_400(page: Page, body: str) -> None:
    assert page.patch(f"/members/{MEMBER_ID}", data=body, content_type="application/json").status_code == 400


def test_of_somebody_unknown_only_a_small_body_is_read(page: Page) -> None:
    page.delete_cookie("session")
    page.services["membership"].answers["send"] = {}

    assert page.post("/otp", data=b" " * 20_000, content_type="application/json").status_code == 413
