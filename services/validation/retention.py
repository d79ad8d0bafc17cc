"""How long validation keeps the rows of its tables."""

from collections.abc import Sequence

from services.kit.data.retention import OF_THE_KIT, Days, Expiring, Kept, Table, Transient, rows_older
from services.kit.settings import settings_class


@settings_class
class ValidationTerms:
    """Terms in days."""

    finding_days: int = 365
    """How long the findings of checks are kept."""


TABLES: Sequence[Table] = (
    *OF_THE_KIT,
    Kept(
        "application_check",
        "The result of each check and the rules that were not met, without personal data; kept with the application.",
    ),
    Expiring(
        "check_finding",
        Days(ValidationTerms, "finding_days"),
        "the check",
        rows_older("check_finding", "found_at"),
        "Personal data that explain a result: within a year an application is decided, and its member has asked.",
    ),
    Kept("merged_union", "One row for each merger; no personal data."),
    Transient("waiting_check", "the registry has answered", "Holds the person only while the check waits."),
)
