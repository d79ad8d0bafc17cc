"""Alembic's entry: the tables of revocation."""

from services.kit.data.migrate import run_migrations
from services.revocation.models import Base

run_migrations(Base.metadata)
