"""Fuzz tests: sends generated requests by the OpenAPI document, and checks the answers against it."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway import openapi

Cookies = dict[str, dict[str, str]]
Ask = Callable[[Any, str], Any]
"""Sends a case of schemathesis as a role and returns the answer."""
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
_MODES = [GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
"""One request in three violates the schema."""


def fuzz_over_http(gateway_url: str, method: str, template: str, cookies: Cookies, examples: int) -> str:
    """Returns the errors in answers to `examples` requests by each role; empty if there are none.

    An operation that no role of `cookies` may use is requested without a sign-in.
    """
    with requests.Session() as http:

        def ask(case: Any, role: str) -> Any:
            case.cookies = dict(cookies.get(role, {}))
            return case.call(session=http, timeout=60, base_url=gateway_url)

        return fuzz(method, template, sorted(cookies) or [""], examples, ask)


def fuzz(method: str, template: str, roles: Sequence[str], examples: int, ask_by: Ask) -> str:
    """Returns the errors in answers to `examples` requests, each by one of the roles; empty if there are none."""
    cases = st.sampled_from(_MODES).flatmap(lambda mode: _operation(method, template).as_strategy(generation_mode=mode))

    @_quietly(examples)
    @given(case=cases, role=st.sampled_from(roles))
    def ask(case: Any, role: str) -> None:
        case.headers.setdefault("Sec-Fetch-Site", "same-origin")
        response = ask_by(case, role)
        if response.status_code != 503 or "retry-after" not in {name.lower() for name in response.headers}:
            case.validate_response(response, checks=_CHECKS)

    try:
        ask()
    except FailureGroup as failures:
        return "\n".join(f"{failure}\n{getattr(failure, 'message', '')}" for failure in failures.exceptions)
    except (Failure, requests.RequestException) as failure:
        return f"{failure}\n{getattr(failure, 'message', '')}"
    return ""


def right_requests(method: str, template: str, number: int) -> list[Any]:
    """Returns cases that conform to the document."""
    found: list[Any] = []

    @_quietly(number)
    @given(case=_operation(method, template).as_strategy(generation_mode=GenerationMode.POSITIVE))
    def collect(case: Any) -> None:
        case.headers.setdefault("Sec-Fetch-Site", "same-origin")
        found.append(case)

    collect()
    return found


def _quietly(examples: int) -> settings:
    """Returns settings that generate the same requests each time."""
    return settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )


def _operation(method: str, template: str) -> Any:
    return _schema()[template][method]


@cache
def _schema() -> Any:
    return schemathesis.openapi.from_dict(openapi.document())
