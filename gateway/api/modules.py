"""Other modules of the platform: tiles of the workbench (业务工作台) that lead outside this system."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from marshmallow import ValidationError, fields, validate
from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.routes import RequestContext, gateway_query, route
from gateway.settings import ModuleSettings
from services.contracts.operations.roles import ACCOUNTS
from services.kit.rpc.operation import no_union
from services.kit.schemas import as_dict, schema_of
from services.kit.settings import read_settings

_OPERATION = gateway_query("modules", no_union(*ACCOUNTS))


_MODULES = Path(__file__).parents[1] / "modules.json"


@dataclass(frozen=True, kw_only=True)
class Module:
    title: Annotated[str, validate.Length(1, 20)]
    url: Annotated[
        str | None, fields.Url(schemes={"http", "https"}, allow_none=True), "null while the settings name no address"
    ] = None


@dataclass(frozen=True, kw_only=True)
class ModulesAnswer:
    items: list[Module]


@route(
    "GET",
    "/api/v1/modules",
    _OPERATION,
    answer=ModulesAnswer,
    summary="The platform's other modules, each with the address to open",
)
def modules(context: RequestContext) -> Response:
    file = read_settings(ModuleSettings).modules_path
    return json_answer({"items": read_modules(Path(file) if file else _MODULES)})


def read_modules(file: Path) -> list[dict[str, Any]]:
    """Reads the modules from a settings file, each with an address of its own or none.

    Raises ValidationError for an address that a browser cannot open, and for one that two modules have.
    """
    found: list[Module] = schema_of(Module)(many=True).load(json.loads(file.read_text(encoding="utf-8")))
    addresses = [module.url for module in found if module.url]
    if len(addresses) != len(set(addresses)):
        raise ValidationError("each module needs an address of its own", "url")
    return as_dict(found)


ROUTES = (modules,)
