"""The Chinese titles of actions in the audit log: operations by name, and repairs on the command line."""

from services.contracts.operations import (
    bank_files,
    batching,
    cards,
    member_messages,
    notification,
    operators,
    overview,
    reports,
    revocation,
    templates,
    validation,
)
from services.contracts.operations.membership import (
    accounts,
    delegations,
    enrolments,
    identity,
    imports,
    members,
    preferences,
    subjects,
    transfers,
    union_changes,
    union_imports,
)
from services.contracts.services import SERVICES
from services.kit.operations.operators import OF_EVERY_SERVICE
from services.kit.rpc.operation import Operation

_MODULES = (
    *(
        identity,
        accounts,
        delegations,
        members,
        transfers,
        imports,
        preferences,
        union_changes,
        union_imports,
        enrolments,
        subjects,
    ),
    *(
        validation,
        batching,
        bank_files,
        cards,
        revocation,
        notification,
        member_messages,
        templates,
        overview,
        reports,
        operators,
    ),
)
_DECLARED = [
    *(one for module in _MODULES for one in vars(module).values() if isinstance(one, Operation)),
    *(common.of(service) for common in OF_EVERY_SERVICE for service in SERVICES),
]
ACTIONS = {
    **{operation.name: operation.title for operation in _DECLARED if operation.title},
    **{f"{service}.repair": "修复数据" for service in SERVICES},
    **{f"{service}.reconcile": "数据库恢复后核对" for service in SERVICES},
    "notification.rebuild_reports": "重建统计报表",
    # These are declared beside the search, whose filter has all actions.
    "membership.export_acts": "导出操作日志",
    "membership.save_search": "保存日志查询",
    "membership.rename_search": "修改日志查询的名称",
    "membership.delete_search": "删除日志查询",
}
