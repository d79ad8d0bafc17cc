"""What is read from a plan: paths to tables, and what would be slow in a large one."""

from typing import Any

import pytest

from deploy.growth.plan_reading import MOST_ROWS, Tables, blocks_of, complaints_about, paths_of, rows_of

TABLES = Tables(
    {"member": 10_000_000, "union": 20_000, "branch": 30, "audit_entry_2026_05": 1_700_000},
    {"audit_entry_2026_05": "audit_entry", "audit_entry_2026_05_act_id_idx": "uq_audit_entry_act_id"},
)


def node(kind: str, *below: Any, rows: float = 1, loops: int = 1, **more: Any) -> dict[str, Any]:
    names = {name.replace("_", " ").title(): value for name, value in more.items()}
    return {"Node Type": kind, "Actual Rows": rows, "Actual Loops": loops, "Plans": list(below), **names}


def removing(rows: int, **more: Any) -> dict[str, Any]:
    return {
        **node("Index Scan", relation_name="member", index_name="ix_member", **more),
        "Rows Removed by Filter": rows,
    }


def test_a_large_table_that_is_read_whole_is_flagged() -> None:
    plan = node("Limit", node("Seq Scan", relation_name="member"))
    assert list(complaints_about(plan, TABLES)) == ["reads all 10,000,000 rows of member"]


def test_a_large_month_that_is_read_whole_is_flagged() -> None:
    plan = node("Append", node("Seq Scan", relation_name="audit_entry_2026_05"))
    assert list(complaints_about(plan, TABLES)) == ["reads all 1,700,000 rows of audit_entry_2026_05"]


@pytest.mark.parametrize(
    "plan",
    [
        node("Seq Scan", relation_name="union"),
        node("Seq Scan", relation_name="member", loops=0),
        node("Index Only Scan", relation_name="member", index_name="ix_member", rows=MOST_ROWS * 10),
        removing(MOST_ROWS),
    ],
)
def test_small_tables_scans_that_did_not_happen_and_indexes_are_not_flagged(plan: dict[str, Any]) -> None:
    assert list(complaints_about(plan, TABLES)) == []


def test_rows_that_are_thrown_away_count_over_all_loops() -> None:
    assert list(complaints_about(removing(1001, loops=100), TABLES)) == ["throws away 100,100 rows of member"]


def test_a_join_that_throws_rows_away_is_flagged() -> None:
    plan = {**node("Nested Loop"), "Rows Removed by Join Filter": MOST_ROWS + 1}
    assert list(complaints_about(plan, TABLES)) == ["throws away 100,001 rows"]


def test_a_sort_of_many_rows_for_one_page_is_flagged() -> None:
    many = node("Index Scan", relation_name="member", index_name="ix_member", rows=3000, loops=50)
    plan = node("Limit", node("Sort", many, rows=20), rows=20)
    assert list(complaints_about(plan, TABLES)) == ["sorts 149,980 rows more than it returns"]


def test_paths_name_indexes_and_larger_tables_that_were_read_whole() -> None:
    plan = node(
        "Nested Loop",
        node("Index Only Scan", relation_name="member", index_name="ix_member_union_id"),
        node("Bitmap Heap Scan", node("Bitmap Index Scan", index_name="ix_member_sex"), relation_name="member"),
        node("Index Scan", relation_name="audit_entry_2026_05", index_name="audit_entry_2026_05_act_id_idx"),
        node("Seq Scan", relation_name="union"),
        node("Seq Scan", relation_name="branch"),
        node("Index Scan", relation_name="member", index_name="pk_member", loops=0),
    )
    expected = ["ix_member_union_id alone", "ix_member_sex", "uq_audit_entry_act_id", "union whole"]
    assert list(paths_of(plan, TABLES)) == expected


def test_blocks_are_those_of_cache_disk_and_temporary_files() -> None:
    plan = {"Shared Hit Blocks": 3, "Shared Read Blocks": 4, "Temp Read Blocks": 5, "Local Hit Blocks": 100}
    assert blocks_of(plan) == 12


def test_rows_of_a_change_are_those_that_it_changed() -> None:
    assert rows_of(node("ModifyTable", node("Index Scan", rows=7, loops=2), rows=0)) == 14
    assert rows_of(node("Limit", rows=20)) == 20
