"""Alembic's entry: the tables of batching."""

from services.batching.models import Base
from services.kit.data.migrate import run_migrations

run_migrations(Base.metadata)
