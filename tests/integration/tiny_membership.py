"""A minimal membership service: every session is that of another union's clerk."""

from services.contracts.operations.membership.identity import (
    LOOK_AT_SESSION,
    USE_SESSION,
    SessionAnswer,
    SessionRequest,
)
from services.kit.rpc.methods import handles
from services.kit.rpc.work import Work
from tests.documents import read
from tests.gateway_page import a_caller, a_session_answer
from tests.integration.tiny_batching import NoDatabase

_FAR_AWAY = 4_000_000_000


def session_of_a_clerk(work: Work, request: SessionRequest) -> SessionAnswer:
    """Returns the clerk's session; account and union have the session's id."""
    session_id = str(request.session_id)
    clerk = a_caller(("clerk", "operator"), session_id=session_id, account_id=session_id, union_id=session_id)
    return read(SessionAnswer, {**a_session_answer(clerk, _FAR_AWAY), "next_step": None})


class TinyMembership:
    """Two of membership's methods."""

    name = "membership"
    database = NoDatabase()

    use_session = handles(USE_SESSION, session_of_a_clerk)
    look_at_session = handles(LOOK_AT_SESSION, session_of_a_clerk)
