"""Alembic's entry: the tables of membership."""

from services.common.migrate import run_migrations
from services.membership.models import Base

run_migrations(Base.metadata)
