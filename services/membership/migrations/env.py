"""Alembic's entry: the tables of membership."""

from services.kit.data.migrate import run_migrations
from services.membership.models import Base

run_migrations(Base.metadata)
