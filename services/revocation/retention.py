"""How long revocation keeps the rows of its tables."""

from collections.abc import Sequence

from services.kit.data.retention import OF_THE_KIT, Kept, Table

TABLES: Sequence[Table] = (
    *OF_THE_KIT,
    Kept("application", "Which applications of a batch can still be revoked; no personal data."),
    Kept("batch", "What requests are about; no personal data."),
    Kept("reminder_day", "One row a day, so that nobody is reminded twice; no personal data."),
    Kept("revocation", "Decisions of superior unions, with who asked for them."),
    Kept("known_union", "One row a union; no personal data."),
)
