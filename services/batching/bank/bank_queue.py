"""Batching's link to the bank: its queues, and the check of its keys."""

import structlog

from services.contracts.external.bank_keys import check_bank_keys, clear_text
from services.contracts.external.queues import BANK_QUEUES
from services.kit.external.link import ExternalLink

log = structlog.get_logger()


class BankQueue(ExternalLink):
    """Checks keys, and says when messages are not encrypted."""

    queues = BANK_QUEUES

    def check_keys(self) -> None:
        """Raises SettingsError where the required encryption of bank messages is not possible."""
        check_bank_keys()

    def setup(self) -> None:
        """Warns of messages in clear text."""
        super().setup()
        if clear_text() == "all":
            log.warning("bank_messages_in_clear")
