"""When a member's data may be erased, and how long the data of a copy are kept."""

from services.kit.data.retention import refuse_below
from services.kit.settings import settings_class

_LIMITATION = 1095
"""Three years: the limitation of claims, and the least that records of handling personal data are kept."""


@settings_class
class ErasureTerms:
    """Terms in days."""

    erasure_days: int = _LIMITATION
    """How long after leaving the union the data of a member are kept, however they may ask; at least 1095 (Civil Code,
    article 188; Personal Information Protection Law, articles 47 and 56)."""
    subject_copy_days: int = 30
    """How long the data of a copy can be downloaded."""

    def __post_init__(self) -> None:
        refuse_below(_LIMITATION, self, "erasure_days")
