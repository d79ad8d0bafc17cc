"""SMS that were sent or failed leave the table of those that wait, and go by months.

The table of waiting SMS stays small, so that the next due ones and those of a topic are found at once; what is kept as
proof is dropped a month at a time.
"""

from datetime import datetime, timedelta
from typing import Any

import psycopg

from services.kit.data.months import add_months, drop_months
from services.kit.settings import read_settings
from services.notification.retention import NotificationTerms

MONTHLY = ("past_sms",)
"""The tables that have a partition for each month."""

CHUNK = 1000
"""SMS that one statement moves."""

_MOST_SETS = 300
"""Statements of one turn, so that a service that stops need not wait for a backlog."""

_COLUMNS = (
    "sms_id, kind, topic, count, phone, text, state, attempts, due_at, expires_at, last_error, created_at, sent_at"
)
_MOVE = f"""
with settled as (
    delete from sms where ctid = any(array(
        select ctid from sms where state in ('sent', 'failed') and coalesce(sent_at, due_at) < %s
        order by sms_id limit %s for update skip locked
    )) returning {_COLUMNS}
)
insert into past_sms ({_COLUMNS}) select {_COLUMNS} from settled
"""  # noqa: S608 - nothing in it comes from outside


def maintain(connection: "psycopg.Connection[Any]", now: datetime) -> None:
    """Adds the months that are missing, moves what was settled a day ago, and drops months whose term has passed."""
    add_months(connection, MONTHLY, now)
    for _ in range(_MOST_SETS):
        if connection.execute(_MOVE, [now - timedelta(days=1), CHUNK]).rowcount < CHUNK:
            break
    drop_months(connection, MONTHLY, now - timedelta(days=read_settings(NotificationTerms).sms_days))
