"""Identity documents as membership needs them: by what holders are found, and what the rules say at registration."""

from services.contracts.masks import DOCUMENT_ENDS
from services.contracts.rules.documents import DocumentFacts, InvalidDocumentNumber, read_document_number
from services.contracts.rules.findings import Finding
from services.contracts.rules.persons import Identity, check_identity
from services.contracts.shared import DOCUMENT_TYPES
from services.contracts.values import clean_document_number, today
from services.kit.data.encryption import blind_index
from services.kit.problems import FieldProblem

_DIGITS_OF_PERMIT_HOLDER = 9
ENDS_TOLD_APART = 10
"""Choice: groups that a search by the last four characters tells apart, of numbers whose last two are alike."""
FOUND_BY_END = ("resident_id", "hmt_residence_permit", "foreign_permanent_resident_id")
"""Documents of whose numbers the mask shows the last two; of shorter ones it shows less than such a search tells."""
_LEFT_TO_THE_CHECK = frozenset({"expiry_missing", "expired", "nationality_missing"})
"""What a member may still lack when registered; the system check and the special channel ask for it."""
_FIELDS_OF_CODES = {
    "birth_date_differs": "birth_date",
    "sex_differs": "sex",
    "validity_term_unusual": "document_expiry",
    "expires_soon": "document_expiry",
}
_FIELDS_OF_RULES = {"name": "name", "document": "document_number", "person": "nationality"}


def judge(identity: Identity) -> tuple[list[FieldProblem], list[FieldProblem]]:
    """What the rules on name, document and nationality refuse of who a member is, and what they warn of."""
    findings = check_identity(identity, today()).findings
    refused, warned = [], []
    for finding in findings:
        if finding.severity == "error" and finding.code not in _LEFT_TO_THE_CHECK:
            refused.append(_field_problem(finding))
        elif finding.severity == "warning":
            warned.append(_field_problem(finding))
    return refused, warned


def holder_of(document_type: str, number: str) -> DocumentFacts:
    """What a number tells of who holds the document; nothing where it is wrong."""
    try:
        return read_document_number(document_type, number, today())
    except InvalidDocumentNumber:
        return DocumentFacts(number, number)


def document_digest(document_type: str, number: str) -> bytes:
    """By which the holder of a document is known in the whole city, after its renewal too."""
    cleaned = clean_document_number(number)
    if document_type == "mainland_travel_permit_hm":
        cleaned = cleaned[:_DIGITS_OF_PERMIT_HOLDER]
    return blind_index(f"{document_type} {cleaned}", "document")


def possible_digests(number: str) -> list[bytes]:
    """The digests that a number of unknown type can have."""
    return [document_digest(document_type, number) for document_type in DOCUMENT_TYPES]


def document_end_digest(number: str) -> bytes:
    """By which a number is found by its last four characters: one of ten for each pair that the mask shows.

    The two characters before that pair choose which by a key: whoever finds somebody by the end knows little more of
    the number than was shown, and is told of one in ten who have the same last two.
    """
    end = clean_document_number(number)[-4:]
    return blind_index(
        f"{end[-DOCUMENT_ENDS[1] :]} {blind_index(end, 'document end')[0] % ENDS_TOLD_APART}", "found end"
    )


def phone_digest(phone: str) -> bytes:
    """By which a telephone number is found."""
    return blind_index(phone, "phone")


def _field_problem(finding: Finding) -> FieldProblem:
    field = _FIELDS_OF_CODES.get(finding.code) or _FIELDS_OF_RULES[finding.rule.partition(".")[0]]
    return FieldProblem(field, finding.code, finding.message)
