"""Repairs that publish events of validation again for consumers that lack them; called by `python -m deploy.repair`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from services.kit.data.repair import Repair
from services.validation.checks import publish_results


def publish_results_to_batching(session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Publishes the newest checks of applications again for batching."""
    return [str(application_id) for application_id in publish_results(session, list(map(UUID, ids)), "batching")]


REPAIRS = {
    "publish_results_to_batching": Repair(
        "publish the check's result again, for batching lacks it", "application", publish_results_to_batching
    ),
}
