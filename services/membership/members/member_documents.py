"""Identity documents in membership: digests that find holders, and the rules at registration."""

from services.contracts.masks import DOCUMENT_ENDS
from services.contracts.rules.documents import DocumentFacts, InvalidDocumentNumber, read_document_number
from services.contracts.rules.findings import Finding
from services.contracts.rules.persons import Identity, check_identity
from services.contracts.shared import DOCUMENT_TYPES
from services.contracts.values import clean_document_number, today
from services.kit.data.encryption import blind_index
from services.kit.problems import FieldProblem

_DIGITS_OF_PERMIT_HOLDER = 9
END_GROUPS = 10
"""Choice: into how many groups a search by the last four characters divides numbers with the same last two."""
SEARCHABLE_BY_END = ("resident_id", "hmt_residence_permit", "foreign_permanent_resident_id")
"""Documents that can be found by the end of the number: masks of shorter numbers show less than the search reveals."""
_LEFT_TO_THE_CHECK = frozenset({"expiry_missing", "expired", "nationality_missing"})
"""Errors that are accepted at registration; the system check and the special channel require them to be fixed."""
_FIELDS_OF_CODES = {
    "birth_date_differs": "birth_date",
    "birth_date_implausible": "birth_date",
    "sex_differs": "sex",
    "validity_term_unusual": "document_expiry",
    "expires_soon": "document_expiry",
}
_FIELDS_OF_RULES = {"name": "name", "document": "document_number", "person": "nationality"}


def judge(identity: Identity) -> tuple[list[FieldProblem], list[FieldProblem]]:
    """The errors and the warnings of the rules on name, document and nationality."""
    findings = check_identity(identity, today()).findings
    refused, warned = [], []
    for finding in findings:
        if finding.severity == "error" and finding.code not in _LEFT_TO_THE_CHECK:
            refused.append(_field_problem(finding))
        elif finding.severity == "warning":
            warned.append(_field_problem(finding))
    return refused, warned


def holder_of(document_type: str, number: str) -> DocumentFacts:
    """The facts that a document number contains on its holder; none for an invalid number."""
    try:
        return read_document_number(document_type, number, today())
    except InvalidDocumentNumber:
        return DocumentFacts(number, number)


def document_digest(document_type: str, number: str) -> bytes:
    """The digest that identifies the holder of a document in the whole city, also after its renewal."""
    cleaned = clean_document_number(number)
    if document_type == "mainland_travel_permit_hm":
        cleaned = cleaned[:_DIGITS_OF_PERMIT_HOLDER]
    return blind_index(f"{document_type} {cleaned}", "document")


def possible_digests(number: str) -> list[bytes]:
    """All digests that a number of unknown type can have."""
    return [document_digest(document_type, number) for document_type in DOCUMENT_TYPES]


def document_end_digest(number: str) -> bytes:
    """The digest that finds a number by its last four characters: one of ten for each last two characters.

    The two characters before these choose one of the ten by a key. So a successful search reveals little more of the
    number than its mask shows, and it finds one in ten of those with the same last two.
    """
    end = clean_document_number(number)[-4:]
    return blind_index(f"{end[-DOCUMENT_ENDS[1] :]} {blind_index(end, 'document end')[0] % END_GROUPS}", "found end")


def phone_digest(phone: str) -> bytes:
    """The digest that finds a telephone number."""
    return blind_index(phone, "phone")


def _field_problem(finding: Finding) -> FieldProblem:
    field = _FIELDS_OF_CODES.get(finding.code) or _FIELDS_OF_RULES[finding.rule.partition(".")[0]]
    return FieldProblem(field, finding.code, finding.message)
