"""What a clerk's next submission begins with: the outlet and contact of the last one, and the month it counts for."""

from datetime import UTC, datetime

from services.batching.batches.outlets import can_be_chosen, outlet_answer
from services.batching.batches.submission import SubmissionSettings, count_month, last_batch
from services.batching.models import Outlet
from services.contracts.masks import mask_phone
from services.contracts.operations.batching import PreparedSubmission, PrepareSubmissionRequest
from services.kit.rpc.work import Work
from services.kit.settings import read_settings


def prepare_submission(work: Work, _request: PrepareSubmissionRequest) -> PreparedSubmission:
    """The caller's own last submission for the union, without an outlet that has closed since."""
    session, caller = work.session, work.caller
    last = last_batch(session, caller)
    last_day = read_settings(SubmissionSettings).last_day_of_count
    is_open = last is not None and can_be_chosen(session, last.outlet_code)
    return PreparedSubmission(
        count_month=count_month(datetime.now(UTC), last_day),
        last_day_of_count=last_day,
        outlet=outlet_answer(session.get_one(Outlet, last.outlet_code)) if last and is_open else None,
        contact_name=last.contact_name if last else None,
        contact_phone=mask_phone(last.contact_phone) if last else None,
    )
