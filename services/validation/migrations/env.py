"""Alembic's entry: the tables of validation."""

from services.kit.data.migrate import run_migrations
from services.validation.models import Base

run_migrations(Base.metadata)
