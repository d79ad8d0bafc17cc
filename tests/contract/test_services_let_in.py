"""Each service authorizes callers itself, whatever the gateway has checked."""

import json
import time
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import pytest

from services.contracts.operations.roles import ROLES
from services.kit.operations import audit
from services.kit.rpc.operation import operation_of
from services.kit.rpc.request import Caller, Request
from tests.contract.test_policy import ASKED


class NoDatabase:
    """Who is let in comes as far as here."""

    def begin(self) -> AbstractContextManager[Any]:
        raise ConnectionError

    def read(self) -> AbstractContextManager[Any]:
        raise ConnectionError


class Nobody:
    """A service that has nothing to answer from."""

    database = NoDatabase()

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture(autouse=True)
def no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "publish_refusal", lambda *_: None)


@pytest.mark.parametrize("asked", sorted(ASKED))
def test_a_method_refuses_exactly_the_roles_that_the_policy_does_not_allow(asked: str) -> None:
    rule = operation_of(asked).allow
    assert {role for role in ROLES if code_for(asked, role) == "forbidden"} == {
        role for role in ROLES if not rule.allows([role])
    }


def code_for(asked: str, role: str) -> str | None:
    """The problem that somebody of this role is answered with, who asks for nothing in particular."""
    service, _, name = asked.partition(".")
    module = import_module(f"services.{service}.service")
    (kind,) = [kind for kind in vars(module).values() if getattr(kind, "name", None) == service]
    request = Request(Caller(roles=frozenset([role])).to_dict(), {}, None, "1", time.time() + 600)
    answer = json.loads(getattr(kind, name)(Nobody(service), request))
    problem = answer["result"].get("problem") if isinstance(answer.get("result"), dict) else answer.get("problem")
    return problem and problem["code"]
