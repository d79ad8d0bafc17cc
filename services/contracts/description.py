"""Describes the system to the kit."""

from services.contracts.dead_letters import ExternalDeadLetters
from services.contracts.events.all_events import EVENTS
from services.contracts.events.audit import ACTS_RECORDED, RECORD_KINDS
from services.contracts.events.status import STATUSES_SAMPLED
from services.contracts.external.queues import EXTERNAL_QUEUES
from services.contracts.masks import MASKS, mask_numbers
from services.contracts.services import SERVICES
from services.kit.system import System, describe

describe(
    System(
        services=SERVICES,
        events=EVENTS,
        external=EXTERNAL_QUEUES,
        dead_letters=ExternalDeadLetters(),
        audit_events=ACTS_RECORDED,
        record_kinds=RECORD_KINDS,
        status_events=STATUSES_SAMPLED,
        masks=MASKS,
        mask_text=mask_numbers,
    )
)
