"""Parts that several events hold: the union, a person, an application's step."""

from typing import Any

from marshmallow import fields, post_load, validate

from services.kit.events.contract import EventData, choice

DOCUMENT_TYPES = (
    "resident_id",
    "hmt_residence_permit",
    "foreign_permanent_resident_id",
    "mainland_travel_permit_hm",
    "mainland_travel_permit_tw",
    "passport",
    "military_officer_id",
)
CHANNELS = ("ordinary", "special")
SWITCH_REASONS = {
    "rare_character": "姓名含生僻字",
    "name_not_enterable": "发卡支行的系统无法录入姓名",
    "document": "证件情况特殊",
    "other": "其他",
}
"""Choice: the reasons that a clerk can give for the special channel, by code; `other` needs a note."""
RETIREMENT_CATEGORIES = ("M60", "F55", "F50", "special")
SEXES = ("male", "female")
IMPORT_STATES = ("reading", "previewed", "running", "finished", "failed", "cancelled")


class UnionFacts(EventData):
    """A union as it was when the event was told."""

    union_id = fields.UUID(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    superior_union_id = fields.UUID(allow_none=True, load_default=None)
    superior_ids = fields.List(
        fields.UUID(),
        load_default=list,
        metadata={"description": "all unions above it, the city's first, its superior last"},
    )

    @post_load
    def know_the_superior(self, facts: dict[str, Any], **_: object) -> dict[str, Any]:
        """Events told before `superior_ids` came name only the direct superior."""
        if not facts["superior_ids"] and facts["superior_union_id"]:
            facts["superior_ids"] = [facts["superior_union_id"]]
        return facts


class PersonFacts(EventData):
    """Who an application is for: what validation and the bank need to know. Always sealed.

    The consumer judges the values by the same value types as the producer, person by person.
    """

    application_id = fields.UUID(required=True)
    name = fields.String(required=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = fields.String(required=True)
    document_expiry = fields.Date(allow_none=True, load_default=None)
    document_issued = fields.Date(allow_none=True, load_default=None)
    birth_date = fields.Date(allow_none=True, load_default=None)
    sex = choice(*SEXES, allow_none=True, load_default=None)
    nationality = fields.String(allow_none=True, load_default=None, metadata={"description": "ISO 3166-1 alpha-3"})
    phone = fields.String(allow_none=True, load_default=None)
    address = fields.String(allow_none=True, load_default=None)
    retirement_category = choice(*RETIREMENT_CATEGORIES, allow_none=True, load_default=None)
    special_retirement_month = fields.Date(allow_none=True, load_default=None)


class ApplicationStep(EventData):
    """An application that took a step; `version` grows with each step, so that a late event is known as such."""

    application_id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    version = fields.Integer(required=True, validate=validate.Range(min=1))
