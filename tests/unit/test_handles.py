"""A service attribute must have the name of the operation that it handles."""

from typing import Any

import pytest
from nameko.containers import ServiceContainer

from services.contracts.operations.membership.imports import (
    CANCEL_IMPORT,
    GET_IMPORT,
    ImportAnswer,
    ImportRequest,
)
from services.kit.operations.operators import GET_STATUS, GetStatusRequest, StatusAnswer
from services.kit.rpc.methods import handles
from services.kit.rpc.server import MethodMisnamed
from services.kit.rpc.work import Work


def answer(work: Work, request: ImportRequest) -> ImportAnswer:
    raise NotImplementedError


def status(service: Any, work: Work, request: GetStatusRequest) -> StatusAnswer:
    raise NotImplementedError


def set_up(**attributes: Any) -> None:
    """Sets the entrypoints of a membership service with these attributes up."""
    container = ServiceContainer(type("Membership", (), {"name": "membership", **attributes}), {})
    for entrypoint in container.entrypoints:
        entrypoint.setup()


def test_attributes_with_the_names_of_their_operations_are_set_up() -> None:
    set_up(
        get_import=handles(GET_IMPORT, answer),
        cancel_import=handles(CANCEL_IMPORT, answer),
        get_status=handles(GET_STATUS)(status),
    )


@pytest.mark.parametrize(
    ("name", "entrypoint"),
    [
        ("list_imports", handles(GET_IMPORT, answer)),
        ("confirm_import", handles(CANCEL_IMPORT, answer)),
        ("list_dead_letters", handles(GET_STATUS)(status)),
    ],
)
def test_a_service_whose_attribute_has_the_name_of_another_operation_does_not_start(name: str, entrypoint: Any) -> None:
    with pytest.raises(MethodMisnamed, match=rf"membership\.{name}"):
        set_up(**{name: entrypoint})
