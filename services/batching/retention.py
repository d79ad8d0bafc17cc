"""How long batching keeps the rows of its tables."""

from collections.abc import Sequence

from services.kit.data.retention import OF_THE_KIT, Kept, Table

_WITH_APPLICATION = "What was handed to the bank, and by whose consent; kept with the member's application."

TABLES: Sequence[Table] = (
    *OF_THE_KIT,
    Kept(
        "application",
        "Each attempt to get a card, with the person and the newest findings, encrypted; kept with the member.",
    ),
    Kept("bank_file", "Whom a branch was told of, and who fetched it; no personal data."),
    Kept("bank_feedback", "Recognizes feedback that comes again, however late; no personal data."),
    Kept("bank_result_file", "Who brought the bank's word, and what became of it; no personal data."),
    Kept("batch", "What was handed to the bank."),
    Kept("batch_counter", "One row for each union's day with a batch; `make invariants` compares it with the batches."),
    Kept("batch_person", f"{_WITH_APPLICATION} Append-only."),
    Kept("branch", "Batches name it."),
    Kept("card", "The state of a member's card; kept with the member's application."),
    Kept("card_report", "What the card follows from, and recognizes a report that comes again, however late."),
    Kept(
        "consent_receipt",
        f"{_WITH_APPLICATION} The handler must be able to prove it (Personal Information "
        "Protection Law, articles 14 and 69).",
    ),
    Kept("listed_union", "One row a union, for the lists of those above; no personal data."),
    Kept("moved_member", "The union of a member who has moved; a card that is issued later belongs there."),
    Kept("outlet", "Batches name it."),
    Kept("known_union", "One row a union; no personal data."),
    Kept("personal_application", "Kept with its application."),
    Kept("reminder_day", "One row a day, so that nobody is reminded twice; no personal data."),
)
