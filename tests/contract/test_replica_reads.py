"""Which queries may be answered by a standby: the guide lists them, and no command is among them."""

import re

from gateway.api import ROUTES
from services.contracts.operations.roles import SUPERIORS
from services.kit.rpc.operation import OPERATIONS
from tests.contract.test_policy import ASKED_BY_THE_GATEWAY_ITSELF
from tests.databases import ROOT
from tests.policy_rows import OF_TESTS

_GUIDE = (ROOT / "docs/operations/database.md").read_text("utf-8")
LAGGING = {name: one for name, one in OPERATIONS.items() if one.may_lag and name not in OF_TESTS}


def test_the_guide_lists_them_with_their_roles() -> None:
    part = _GUIDE.partition("## Reads from a standby")[2].partition("\n## ")[0]
    listed = {
        name: frozenset(roles.split(", ")) for name, roles in re.findall(r"^\| `([\w.]+)` \| ([\w, ]+) \|", part, re.M)
    }
    assert listed == {name: one.may_lag for name, one in LAGGING.items()}


def test_they_are_queries_and_their_roles_may_call_them() -> None:
    assert LAGGING.keys() <= {route.allowed_by for route in ROUTES} | ASKED_BY_THE_GATEWAY_ITSELF
    for one in LAGGING.values():
        assert not one.is_command
        assert one.may_lag <= one.allow.roles


def test_only_callers_all_of_whose_roles_may_lag_get_old_answers() -> None:
    one = OPERATIONS["batching.list_batches"]
    assert one.may_lag_for({"reviewer"})
    assert one.may_lag_for(set(SUPERIORS))
    assert not one.may_lag_for({"clerk"})
    assert not one.may_lag_for({"clerk", "reviewer"})
    assert not one.may_lag_for(set())
    assert not OPERATIONS["revocation.list_revocations"].may_lag_for({"reviewer"})
