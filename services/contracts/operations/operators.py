"""What operators call of each service alike: how it does, and its dead letters."""

from services.contracts.services import SERVICES
from services.kit.operations.operators import OF_EVERY_SERVICE
from services.kit.rpc.operation import no_union

for _operation in OF_EVERY_SERVICE:
    _operation.declare_for(SERVICES, allow=no_union("operator"))
