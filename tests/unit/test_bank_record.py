"""The bank's record of batches, which an operator gives a reconciliation: read by batch, or refused."""

from pathlib import Path

import pytest

from deploy.repair.bank_record import InvalidRecord, read_record


def test_parts_of_a_batch_are_read_as_one(tmp_path: Path) -> None:
    record = tmp_path / "bank.json"
    record.write_text(
        """[{"batch_no": "b1", "channel": "ordinary", "applicants": [{"application_id": "a1", "member_no": "1"}]},
            {"batch_no": "b2", "channel": "special", "applicants": [{"application_id": "a3", "member_no": "3"}]},
            {"batch_no": "b1", "channel": "ordinary", "applicants": [{"application_id": "a2", "member_no": "2"}]}]"""
    )
    found = read_record(record)
    assert {batch_no: sorted(batch.applicants) for batch_no, batch in found.items()} == {
        "b1": ["a1", "a2"],
        "b2": ["a3"],
    }
    assert found["b1"].facts["channel"] == "ordinary"


@pytest.mark.parametrize(
    "text", ["王芳", '{"batch_no": "王芳"}', '[{"batch_no": "王芳"}]', '[["王芳"]]', '["王芳"]', "3"], ids=str
)
def test_a_record_of_another_form_is_refused_without_its_text(tmp_path: Path, text: str) -> None:
    record = tmp_path / "bank.json"
    record.write_text(text)
    with pytest.raises(InvalidRecord, match=r"bank\.json: \w+Error") as refused:
        read_record(record)
    assert "王芳" not in str(refused.value)


def test_a_record_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecord, match="nowhere: FileNotFoundError"):
        read_record(tmp_path / "nowhere")
