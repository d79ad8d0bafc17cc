"""A service behind the gateway that knows a clerk in every session it is asked of."""

from typing import Any

from services.common.contracts.rpc.membership import SessionRequest
from services.common.messaging.rpc import Caller, query
from tests.gateway_page import a_caller, a_session_answer
from tests.integration.tiny_batching import NoDatabase

_FAR_AWAY = 4_000_000_000


class TinyMembership:
    """Two of membership's methods."""

    name = "membership"
    database = NoDatabase()

    @query(SessionRequest)
    def use_session(self, session: None, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The clerk's."""
        return a_session_answer(a_caller(("clerk",)), _FAR_AWAY)

    @query(SessionRequest)
    def look_at_session(self, session: None, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The clerk's."""
        return a_session_answer(a_caller(("clerk",)), _FAR_AWAY)
