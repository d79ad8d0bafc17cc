"""The operations that operators call on every service: its status, and its dead letters."""

from services.contracts.services import SERVICES
from services.kit.operations.operators import OF_EVERY_SERVICE
from services.kit.rpc.operation import no_union

for _operation in OF_EVERY_SERVICE:
    _operation.declare_for(SERVICES, allow=no_union("operator"))
