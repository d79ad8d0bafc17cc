"""Cards after they are made: the bank's reports on them, collection, reminders."""
