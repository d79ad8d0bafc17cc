"""The OpenAPI document describes the routes, and the committed one is up to date."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway import openapi
from gateway.api import ROUTES
from gateway.routes import WITHOUT_BODY, Route

REQUESTS = [route for route in ROUTES if route.request]


def operation_of(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = openapi.document()["paths"][route.template][route.method.lower()]
    return operation


def test_the_document_is_valid_openapi_3_1() -> None:
    assert openapi.document()["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(openapi.document()).validate()


def test_operation_ids_are_unique() -> None:
    ids = [operation_of(route)["operationId"] for route in ROUTES]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_the_document_says_who_may_use_a_route(route: Route) -> None:
    operation = operation_of(route)

    assert bool(operation["security"]) == ("anonymous" not in route.rule.roles)
    assert operation["summary"]


@pytest.mark.parametrize("route", REQUESTS, ids=lambda route: f"{route.method} {route.template}")
def test_each_field_of_a_request_comes_from_exactly_one_place(route: Route) -> None:
    assert route.request
    operation = operation_of(route)
    given = [parameter["name"] for parameter in operation["parameters"] if "name" in parameter] + list(route.fixed)
    for content in operation.get("requestBody", {"content": {}})["content"].values():
        given += content["schema"].get("properties", {})
    made_of_a_file = {"file"} if route.uploads else set()

    assert sorted(given) == sorted(set(given))
    if not route.uploads:
        assert set(given) - made_of_a_file == set(route.request().fields)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_values_in_a_path_are_fields_of_the_request(route: Route) -> None:
    fields = route.request().fields if route.request else {}

    assert set(route.path_names) | set(route.fixed) <= set(fields)
    assert route.method in WITHOUT_BODY | {"POST", "PATCH"}


def test_any_request_of_a_session_may_be_refused_as_that_of_another_account() -> None:
    undocumented = [
        route.template for route in ROUTES if not route.is_public and "409" not in operation_of(route)["responses"]
    ]
    assert undocumented == []
