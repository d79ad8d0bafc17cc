"""What a clerk's next submission begins with: the outlet and contact of the last one."""

from sqlalchemy.orm import Session

from services.batching.batches.outlets import can_be_chosen, outlet_answer
from services.batching.batches.submission import last_batch
from services.batching.models import Branch, Outlet
from services.contracts.masks import mask_phone
from services.contracts.operations.batching import OutletAnswer, PreparedSubmission, PrepareSubmissionRequest
from services.kit.rpc.work import Work


def prepare_submission(work: Work, _request: PrepareSubmissionRequest) -> PreparedSubmission:
    """The caller's own last submission for the union, without an outlet that has closed since."""
    session, caller = work.session, work.caller
    last = last_batch(session, caller)
    if last is None:
        return PreparedSubmission(outlet=None, contact_name=None, contact_phone=None)
    return PreparedSubmission(
        outlet=_open_outlet(session, last.outlet_code),
        contact_name=last.contact_name,
        contact_phone=mask_phone(last.contact_phone),
    )


def _open_outlet(session: Session, code: str) -> OutletAnswer | None:
    if not can_be_chosen(session, code):
        return None
    outlet = session.get_one(Outlet, code)
    return outlet_answer(outlet, session.get_one(Branch, outlet.branch_code))
