"""docs/policy.md: each route with who may use it and how far, made from the routes and the policy table."""

from gateway.api import RESOURCES
from gateway.routes import Route
from services.contracts.operations.roles import ROLES
from services.kit.rpc.operation import ANONYMOUS, Scope

_REACHES = {Scope.NO_UNION: "yes", Scope.SELF: "own", Scope.OWN_UNION: "union", Scope.SUBORDINATES: "below"}
_INTRODUCTION = """\
# Who may do what

Made by `make docs` from the operations of `services/contracts/operations` and the routes of `gateway/api`. The gateway
checks the role before it reads a request; the service that owns the data checks it again, and binds what it reads and
changes to the scope.

**own**: one's own account or, on the phone, one's own data · **union**: the own union · **below**: the own union and
all below it · **yes**: what belongs to no union · empty: 403, or 401 for who is not signed in. What lies outside the
reach is answered as if it were not there: 404.

"""


def text() -> str:
    """The whole document."""
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
    return _REACHES[route.rule.scope_of([role])] if route.rule.allows([role]) else ""
