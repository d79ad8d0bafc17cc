"""Generates docs/policy.md: each route with the roles that may use it and their scope."""

from gateway.api import RESOURCES
from gateway.routes import Route
from services.contracts.operations.roles import ROLES
from services.kit.rpc.operation import ANONYMOUS, Scope

_SCOPES = {Scope.NO_UNION: "yes", Scope.SELF: "own", Scope.OWN_UNION: "union", Scope.SUBORDINATES: "subordinates"}
_INTRODUCTION = """\
# Who may do what

Made by `make docs` from the operations of `services/contracts/operations` and the routes of `gateway/api`. The gateway
checks the role before it reads a request; the service that owns the data checks it again, and binds what it reads and
changes to the scope.

**own**: one's own account or, on the phone, one's own data · **union**: the own union · **subordinates**: the own union
and all its subordinates · **yes**: what belongs to no union · empty: 403, or 401 if nobody is signed in. Data outside
the scope are answered as if they did not exist: 404.

"""


def text() -> str:
    """Returns the whole document."""
    roles = [role for role in ROLES if role != ANONYMOUS]
    lines = [
        f"| route | asks | {' | '.join(roles)} | not signed in |",
        "|---" * (len(roles) + 3) + "|",
        *(_line(route, roles) for resource in RESOURCES for route in resource.ROUTES),
    ]
    return _INTRODUCTION + "\n".join(lines) + "\n"


def _line(route: Route, roles: list[str]) -> str:
    cells = [_cell(route, role) for role in [*roles, ANONYMOUS]]
    return f"| {route.method} `{route.template}` | `{route.allowed_by}` | {' | '.join(cells)} |"


def _cell(route: Route, role: str) -> str:
    return _SCOPES[route.rule.scope_of([role])] if route.rule.allows([role]) else ""
