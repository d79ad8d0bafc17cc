"""Asks a running gateway what the OpenAPI document lets one ask, in ways that nobody thought of."""

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
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
_MODES = [GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
"""One request in three breaks the schema."""


def fuzz(gateway_url: str, method: str, template: str, cookies: Cookies, examples: int) -> str:
    """What is wrong with an answer to one of so many requests, by each role in turn; empty when nothing is.

    An operation that nobody of `cookies` may use is asked by nobody.
    """
    operation = _schema(gateway_url)[template][method]
    cases = st.sampled_from(_MODES).flatmap(lambda mode: operation.as_strategy(generation_mode=mode))
    quietly = settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )

    @quietly
    @given(case=cases, role=st.sampled_from(sorted(cookies) or [""]))
    def ask(case: Any, role: str) -> None:
        case.cookies = dict(cookies.get(role, {}))
        case.headers.setdefault("Sec-Fetch-Site", "same-origin")
        response = case.call(session=http, timeout=60)
        if response.status_code != 503 or "Retry-After" not in response.headers:
            case.validate_response(response, checks=_CHECKS)

    with requests.Session() as http:
        try:
            ask()
        except FailureGroup as failures:
            return "\n".join(f"{failure}\n{getattr(failure, 'message', '')}" for failure in failures.exceptions)
        except (Failure, requests.RequestException) as failure:
            return f"{failure}\n{getattr(failure, 'message', '')}"
    return ""


@cache
def _schema(gateway_url: str) -> Any:
    schema = schemathesis.openapi.from_dict(openapi.document())
    schema.config.update(base_url=gateway_url)
    return schema
