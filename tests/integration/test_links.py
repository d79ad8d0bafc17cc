"""Chains of rows that lead to one another are shortened to their ends."""

from uuid import UUID

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from services.kit.data.links import shorten
from services.validation.models import MergedUnion
from tests.databases import DatabaseFactory


def test_each_row_of_a_chain_leads_to_its_end(database: DatabaseFactory) -> None:
    engine = create_engine(database("validation").replace("postgresql://", "postgresql+psycopg://"))
    links = {1: 2, 2: 3, 3: 4, 7: 8}
    with Session(engine) as session, session.begin():
        for one, other in links.items():
            session.add(
                MergedUnion(union_id=UUID(int=one), successor_union_id=UUID(int=other), known_at="2026-11-30T00:00+08")
            )
        session.flush()
        assert shorten(session, MergedUnion.union_id, MergedUnion.successor_union_id) == [UUID(int=1), UUID(int=2)]
        ends = {row.union_id.int: row.successor_union_id.int for row in session.scalars(select(MergedUnion))}
    assert ends == {1: 4, 2: 4, 3: 4, 7: 8}
    engine.dispose()
