"""A service behind the gateway that knows in every session a clerk of a union of its own."""

from typing import Any

from services.contracts.operations.membership.identity import SessionRequest
from services.kit.rpc.methods import Caller, query
from tests.gateway_page import a_caller, a_session_answer
from tests.integration.tiny_batching import NoDatabase

_FAR_AWAY = 4_000_000_000


class TinyMembership:
    """Two of membership's methods."""

    name = "membership"
    database = NoDatabase()

    @query(SessionRequest)
    def use_session(self, session: None, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The clerk's; account and union bear the session's id."""
        return _session(str(data["session_id"]))

    @query(SessionRequest)
    def look_at_session(self, session: None, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The same."""
        return _session(str(data["session_id"]))


def _session(session_id: str) -> dict[str, Any]:
    clerk = a_caller(("clerk", "operator"), session_id=session_id, account_id=session_id, union_id=session_id)
    return a_session_answer(clerk, _FAR_AWAY)
