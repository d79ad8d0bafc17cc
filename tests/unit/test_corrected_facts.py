"""A correction tells of a person's other facts only those that changed."""

from datetime import UTC, date, datetime
from uuid import uuid4

from services.contracts.events.batching import MEMBER_CORRECTED, CorrectedFacts, MemberCorrectedData
from services.kit.schemas import UNSET


def test_facts_that_did_not_change_are_absent_and_stay_so() -> None:
    person = CorrectedFacts(document_type="resident_id", document_number="31010119750308002X", phone="13812345678")
    told = MemberCorrectedData(
        union_id=uuid4(),
        application_id=uuid4(),
        member_id=uuid4(),
        corrected_by=uuid4(),
        corrected_at=datetime(2026, 11, 29, tzinfo=UTC),
        person=person,
    )

    heard = MEMBER_CORRECTED.read(MEMBER_CORRECTED.dump(told)).person

    assert heard == person
    assert (heard.phone, heard.name, heard.retirement_category) == ("13812345678", UNSET, UNSET)


def test_an_event_of_a_former_release_has_none_of_them() -> None:
    former = CorrectedFacts(document_type="resident_id", document_number="1", document_expiry=date(2030, 1, 1))
    assert {former.name, former.phone, former.retirement_category, former.special_retirement_month} == {UNSET}
