"""The probe's table: one row for each effect."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.kit.data.database import new_metadata


class Base(DeclarativeBase):
    """The probe's own tables, with those of the kit."""

    metadata = new_metadata()


class Effect(Base):
    """One effect of one message or request; without a unique key, so that duplicates show."""

    __tablename__ = "effect"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
