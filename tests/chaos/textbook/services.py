"""Queues applications and lists them, as in a tutorial: commit, then dispatch; handlers with all defaults.

Do not build on this: it loses messages, which `services/kit/events` prevents.
"""

import json
import os
from typing import Any
from uuid import uuid4

from nameko.events import EventDispatcher, event_handler
from nameko.extensions import DependencyProvider
from nameko.web.handlers import http
from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from werkzeug.wrappers import Request


class Base(DeclarativeBase):
    pass


class Application(Base):
    __tablename__ = "application"

    application_id: Mapped[str] = mapped_column(String, primary_key=True)
    member: Mapped[str] = mapped_column(String)


class Entry(Base):
    __tablename__ = "entry"

    entry_id: Mapped[str] = mapped_column(String, primary_key=True)
    application_id: Mapped[str] = mapped_column(String)


class DatabaseSession(DependencyProvider):
    """A session for each worker."""

    def setup(self) -> None:
        self._sessions = sessionmaker(create_engine(os.environ["DATABASE_URL"]))
        self._open: dict[Any, Session] = {}

    def get_dependency(self, worker_ctx: Any) -> Session:
        self._open[worker_ctx] = self._sessions()
        return self._open[worker_ctx]

    def worker_teardown(self, worker_ctx: Any) -> None:
        self._open.pop(worker_ctx).close()


class QueueingService:
    name = "queueing"

    session = DatabaseSession()
    dispatch = EventDispatcher()

    @http("POST", "/applications")
    def queue(self, request: Request) -> tuple[int, str]:
        application = Application(application_id=str(uuid4()), member=json.loads(request.get_data())["member"])
        self.session.add(application)
        self.session.commit()
        self.dispatch("application_queued", {"application_id": application.application_id})
        return 201, json.dumps({"application_id": application.application_id})

    @http("GET", "/readyz")
    def is_ready(self, _request: Request) -> str:
        return "ready"


class ListingService:
    name = "listing"

    session = DatabaseSession()

    @event_handler("queueing", "application_queued")
    def list_application(self, payload: dict[str, str]) -> None:
        self.session.add(Entry(entry_id=str(uuid4()), application_id=payload["application_id"]))
        self.session.commit()

    @http("GET", "/readyz")
    def is_ready(self, _request: Request) -> str:
        return "ready"
