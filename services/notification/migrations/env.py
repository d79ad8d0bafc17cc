"""Alembic's entry: the tables of notification."""

from services.kit.data.migrate import run_migrations
from services.notification.models import Base

run_migrations(Base.metadata)
