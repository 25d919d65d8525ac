"""Files as streams: what is read, and what is complained of with its line."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.training.toy_data import write_parquet
from training.data.errors import DatasetError
from training.data.imports import records
from training.data.imports.records import as_text, as_texts, csv_batches, json_batches, parquet_batches, read_header


def read_csv(
    path: Path, delimiter: str = ",", *, quoted: bool = True
) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """All rows and all complaints."""
    complaints: list[tuple[int, str]] = []
    names = read_header(path, delimiter, quoted=quoted)
    batches = csv_batches(path, names, delimiter, lambda *told: complaints.append(told), quoted=quoted)
    return [row for batch in batches for row in batch.to_pylist()], complaints


def test_rows_of_csv_know_the_line_on_which_they_begin(tmp_path):
    """Values with line breaks and blank lines count; a byte order mark does not."""
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffid,text\n1,"two\nlines"\n\n2,"said ""so"""\n'.encode())
    rows, complaints = read_csv(path)
    assert rows == [{"line": 2, "id": "1", "text": "two\nlines"}, {"line": 5, "id": "2", "text": 'said "so"'}]
    assert complaints == []


def test_rows_that_cannot_be_read_are_told_by_line_and_left_out(tmp_path):
    """Too few values, too many, a broken quotation, bytes that are no UTF-8, an open quotation at the end."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,text\n1,a\n2\n3,b,c\n4,"d"e\n5,\xff\xfe\n6,f\n7,"open\n')
    rows, complaints = read_csv(path)
    assert [(row["line"], row["id"]) for row in rows] == [(2, "1"), (7, "6")]
    assert sorted(line for line, _ in complaints) == [3, 4, 5, 6, 8]
    told = dict(complaints)
    assert told[3] == "expected 2 values, found 1"
    assert told[4] == "expected 2 values, found 3"
    assert "unreadable row" in told[5]
    assert told[6] == "expected UTF-8, found other bytes"


def test_unquoted_text_takes_quotation_marks_as_they_are(tmp_path):
    """As RecBole's files have them."""
    (tmp_path / "a.inter").write_text('id\ttext\n1\tthe "best" one\n2\t"open\n')
    rows, complaints = read_csv(tmp_path / "a.inter", "\t", quoted=False)
    assert [row["text"] for row in rows] == ['the "best" one', '"open']
    assert complaints == []


def test_a_batch_does_not_end_the_counting(tmp_path, monkeypatch):
    """Many batches count lines as one does."""
    monkeypatch.setattr(records, "BATCH_ROWS", 2)
    (tmp_path / "a.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(5)))
    rows, _ = read_csv(tmp_path / "a.csv")
    assert [(row["line"], row["id"]) for row in rows] == [(n + 2, str(n)) for n in range(5)]


@pytest.mark.parametrize("header", ["", "id,id\n"])
def test_a_header_names_every_column_once(tmp_path, header):
    """Neither an empty file nor a name that comes twice."""
    (tmp_path / "a.csv").write_text(header)
    with pytest.raises(DatasetError, match="names of all columns, each once"):
        read_csv(tmp_path / "a.csv")


def test_json_lines_that_are_no_objects_are_told_by_line(tmp_path):
    """Broken JSON, a list, half a surrogate pair; blank lines are passed over but counted; compression is seen."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "1"}\n\n{"id": "2"\n[3]\n{"id": "\\ud800"}\n{"id": "4", "more": 1}\n{}\n'))
    complaints: list[tuple[int, str]] = []
    schema = pa.schema([("id", pa.string())])
    pick = lambda record: {"id": record.get("id")}  # noqa: E731
    batches = json_batches(path, pick, schema, lambda *told: complaints.append(told))
    rows = [row for batch in batches for row in batch.to_pylist()]
    assert rows == [{"id": "1", "line": 1}, {"id": "4", "line": 6}, {"id": None, "line": 7}]
    assert [line for line, _ in complaints] == [3, 4, 5]
    assert complaints[1][1] == "expected a JSON object, found '[3]'"


def test_a_file_that_ends_too_early_is_an_error_of_the_file(tmp_path):
    """A download that broke off is not half a data set."""
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"id\n" + b"1\n" * 10_000)[:-12])
    with pytest.raises(DatasetError, match=r"a\.csv\.gz: expected a file that can be read to its end"):
        read_csv(path)


def test_rows_of_parquet_are_numbered(tmp_path):
    """Only the wanted columns are read; what is no Parquet file is named."""
    path = write_parquet(tmp_path / "a.parquet", id=[7, 8], other=["x", "y"])
    rows = [row for batch in parquet_batches(path, ["id"]) for row in batch.to_pylist()]
    assert rows == [{"id": 7, "line": 1}, {"id": 8, "line": 2}]
    path.write_text("no")
    with pytest.raises(DatasetError, match="a readable Parquet file"):
        list(parquet_batches(path, ["id"]))
    with pytest.raises(DatasetError, match="expected a file"):
        list(parquet_batches(tmp_path / "b.parquet", ["id"]))


def test_json_values_as_text():
    """Numbers as they are written, lists as JSON; a list of texts without its empty ones."""
    assert [as_text(value) for value in (None, "a", 4.5, 7, True, [1])] == [None, "a", "4.5", "7", "true", "[1]"]
    assert as_texts(["a", "", None, 3]) == ["a", "3"]
    assert as_texts("a") == ["a"]
    assert as_texts(None) == []
