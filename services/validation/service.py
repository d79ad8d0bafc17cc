"""The validation service: checks applicants by rules and registry, publishes the results, lists the rules in force."""

from typing import Any

from nameko.extensions import DependencyProvider
from nameko.timer import timer
from sqlalchemy.orm import Session

from services.contracts.events.batching import VALIDATION_REQUESTED, ValidationRequestedData
from services.contracts.events.membership import AUDIT_HEAD_SIGNED, UNIONS_CHANGED
from services.contracts.events.subjects import SUBJECT_REQUESTED
from services.contracts.operations.validation import GET_CHECK, LIST_RULES
from services.kit.data.database import Database
from services.kit.data.retention import Retention
from services.kit.events.relay import Relay
from services.kit.events.subscribe import Event, subscribes
from services.kit.operations.audit_heads import AuditHeadVerification, handle_signed_head
from services.kit.operations.base_service import BaseService
from services.kit.rpc.methods import handles
from services.kit.settings import read_settings
from services.validation import checks, mergers, subjects
from services.validation.registry import Registry, RegistrySettings
from services.validation.retention import TABLES


class RegistryClient(DependencyProvider):
    """The retirement registry as a dependency: one client for each process, shared by all workers."""

    def setup(self) -> None:
        """Creates the client; it makes no call yet."""
        self.registry = Registry(read_settings(RegistrySettings))

    def stop(self) -> None:
        """Closes its connections; the workers have ended before."""
        self.registry.close()

    def get_dependency(self, worker_ctx: Any) -> Registry:
        """The client itself."""
        return self.registry


class ValidationService(BaseService):
    """The service's entrypoints; the code is in checks.py and the rule modules."""

    name = "validation"

    database = Database()
    relay = Relay()
    retention = Retention(TABLES)
    audit_heads = AuditHeadVerification()
    registry = RegistryClient()

    get_check = handles(GET_CHECK, checks.get_check)
    list_rules = handles(LIST_RULES, checks.list_rules)
    unions_changed = subscribes(UNIONS_CHANGED, mergers.unions_changed)
    subject_requested = subscribes(SUBJECT_REQUESTED, subjects.subject_requested)
    audit_head_signed = subscribes(AUDIT_HEAD_SIGNED, handle_signed_head)

    @subscribes(VALIDATION_REQUESTED)
    def validation_requested(self, session: Session, event: Event[ValidationRequestedData]) -> None:
        """Checks the applicants of the request."""
        checks.run_checks(session, self.registry, event.data)

    @timer(interval=2)
    def continue_waiting_checks(self) -> None:
        """Resumes checks that wait for the registry, for as long as it answers."""
        decided = checks.CHUNK
        while decided == checks.CHUNK:
            with self.database.begin() as session:
                decided = checks.resume_waiting(session, self.registry)
