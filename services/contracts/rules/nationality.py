"""The rule on nationality: the nationalities that a document's holder can have, and that in the number itself."""

from datetime import date

import pycountry

from services.contracts.rules.documents import DOCUMENT_TITLES, DocumentFacts
from services.contracts.rules.findings import Finding, Rule
from services.contracts.values.nationalities import nationality_title

NATIONALITY = Rule(
    "person.nationality",
    "1",
    "国籍与证件相符",
    "《居民身份证法》；《港澳台居民居住证申领发放办法》；国家移民管理局：外国人永久居留身份证",
    date(2023, 12, 1),
)
RULES = (NATIONALITY,)

CHINA = "CHN"
_HOLDERS = {
    "resident_id": frozenset({CHINA}),
    "military_officer_id": frozenset({CHINA}),
    "hmt_residence_permit": frozenset({CHINA, "HKG", "MAC", "TWN"}),
    "mainland_travel_permit_hm": frozenset({CHINA, "HKG", "MAC"}),
    "mainland_travel_permit_tw": frozenset({CHINA, "TWN"}),
}
"""Choice: residents of Hong Kong, Macao and Taiwan may be entered as CHN or by their region's code."""


def implied_nationality(document_type: str) -> str | None:
    """The nationality that the document implies, if any: only citizens hold a resident ID or an officer's card."""
    return CHINA if _HOLDERS.get(document_type) == frozenset({CHINA}) else None


def check_nationality(document_type: str, facts: DocumentFacts | None, nationality: str | None) -> tuple[Finding, ...]:
    """Checks whether a person of the nationality can hold the document; `facts` are those in its number if it is valid.

    A document that does not imply a nationality needs one.
    """
    nationality = nationality or implied_nationality(document_type)
    if nationality is None:
        return (NATIONALITY.error("nationality_missing", "国籍未填写，请按证件补充"),)
    title = DOCUMENT_TITLES[document_type]
    given = f"{nationality_title(nationality)}（{nationality}）"
    holders = _HOLDERS.get(document_type)
    is_foreign_only = document_type == "foreign_permanent_resident_id"
    if (holders and nationality not in holders) or (is_foreign_only and nationality == CHINA):
        message = f"持{title}的会员国籍不能是{given}，请核对证件类型和国籍"
        return (
            NATIONALITY.error("nationality_of_document", message, document_type=document_type, nationality=nationality),
        )
    in_number = _nationality_in(facts.number) if is_foreign_only and facts else None
    if in_number and in_number != nationality:
        message = (
            f"登记的国籍{given}与证件号码中的{nationality_title(in_number)}（{in_number}）不一致，请核对证件原件后修改"
        )
        evidence = {"number": facts.number if facts else "", "in_number": in_number, "in_form": nationality}
        return (NATIONALITY.error("nationality_differs", message, **evidence),)
    return ()


def _nationality_in(number: str) -> str | None:
    """The nationality in the number of a foreigner's permanent residence card, of the old or new form."""
    if number[0] == "9":
        country = pycountry.countries.get(numeric=number[3:6])
        return country.alpha_3 if country else None
    return number[:3] if pycountry.countries.get(alpha_3=number[:3]) else None
