"""What the audit log calls what was done, in Chinese: operations by their names, and repairs on the command line."""

from services.contracts.operations import batching, membership, notification, operators, revocation, validation
from services.contracts.services import SERVICES
from services.kit.rpc.operation import OPERATIONS

DECLARED = (membership, validation, batching, revocation, notification, operators)
ACTIONS = {
    **{
        operation.name: operation.title
        for operation in OPERATIONS.values()
        if operation.title and operation.service in SERVICES
    },
    **{f"{service}.repair": "修复数据" for service in SERVICES},
}
