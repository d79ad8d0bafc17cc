"""What the peers that apply bank results share: slim tables, two statements, the values for them."""

from typing import Any

TABLES = """
create table inbox (message_id text primary key);
create table application (application_id uuid primary key, state text, card_no text, decided_at timestamptz);
"""
REMEMBER = "insert into inbox values (%s) on conflict do nothing"
APPLY = "update application set state = %s, card_no = %s, decided_at = %s where application_id = %s"


def change_of(feedback: dict[str, Any]) -> tuple[str, str | None, str, str]:
    """The values for APPLY of a feedback with one result."""
    (result,) = feedback["results"]
    return result["outcome"], result.get("card_no"), feedback["processed_at"], result["application_id"]
