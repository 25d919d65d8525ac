"""Every complaint about a file names its place."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.training.toy_data import table, write_parquet, write_zip
from training.data.errors import DatasetError
from training.data.table import read_member, read_table


def test_csv_values_stay_text(tmp_path: Path) -> None:
    """No type is guessed: "007" is not 7; an empty value is a missing one; a value may hold commas and line ends."""
    path = tmp_path / "t.csv"
    path.write_text('\ufeffuser_id,text\n007,"a, b\nc"\n8,\n')

    found = read_table(path)

    assert found.ids("user_id").to_pylist() == ["007", "8"]
    assert found.texts("text") == ["a, b\nc", None]


@pytest.mark.parametrize(("line", "row"), [("1,2,3", 2), ("1", 2)])
def test_a_row_of_the_wrong_length_is_named(tmp_path: Path, line: str, row: int) -> None:
    """Too many or too few values: the row's number (the header not counted) and the row itself."""
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n1,2\n{line}\n3,4\n")

    with pytest.raises(DatasetError, match="expected 2 values") as caught:
        read_table(path)

    assert (caught.value.row, line in str(caught.value.found)) == (row, True)


@pytest.mark.parametrize(("name", "content"), [("t.csv", ""), ("t.parquet", ""), ("t.parquet", "PAR1 but not really")])
def test_an_unreadable_file_is_named(tmp_path: Path, name: str, content: str) -> None:
    """An empty or damaged file is a DatasetError, not a stack trace of the library."""
    (tmp_path / name).write_text(content)

    with pytest.raises(DatasetError, match=f"{name}.*readable"):
        read_table(tmp_path / name)


def test_a_missing_file_and_a_strange_ending_are_named(tmp_path: Path) -> None:
    """Both say what was expected."""
    with pytest.raises(DatasetError, match="expected a file"):
        read_table(tmp_path / "none.parquet")
    with pytest.raises(DatasetError, match=r"ending in \.parquet, \.csv, \.tsv"):
        read_table(tmp_path / "t.xlsx")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (["4", "good", "5"], "row 2, column 'rating': expected a number, found 'good'"),
        ([4.0, 5.0, float("nan")], "row 3, column 'rating': expected a finite number, found nan"),
        ([1.0, None], "row 2, column 'rating': expected a finite number, found 'nothing'"),
        ([[1.0]], "row 1, column 'rating': expected a number"),
    ],
)
def test_a_bad_number_is_named(values: list[object], complaint: str) -> None:
    """Text that is no number, NaN, nothing at all, another type: each with its row."""
    with pytest.raises(DatasetError, match=complaint):
        table("log.csv", rating=values).numbers("rating")


def test_a_bad_choice_is_named() -> None:
    """A split that is none of three names its row and the three."""
    with pytest.raises(DatasetError, match=r"row 2, column 'split': expected one of train, valid, test, found 'dev'"):
        table("log.csv", split=["train", "dev"]).choices("split", ("train", "valid", "test"))


@pytest.mark.parametrize(("values", "row"), [([1, None], 2), (["a", ""], 2), ([1.5, 2.5], 1)])
def test_a_bad_id_is_named(values: list[object], row: int) -> None:
    """An id is an integer or a text, and there."""
    with pytest.raises(DatasetError, match="id") as caught:
        table("log.csv", user_id=values).ids("user_id")

    assert caught.value.row == row


def test_a_missing_column_is_named_beside_those_there_are() -> None:
    """So that a misspelling is seen at once."""
    with pytest.raises(DatasetError, match=r"'user_id'.*found 'userid, item_id'"):
        table("log.csv", userid=[1], item_id=[2]).ids("user_id")


def test_times_become_seconds() -> None:
    """Numbers are seconds, rounded down; Arrow's times are converted whatever their unit."""
    moment = datetime(1997, 12, 4, 15, 55, 49, 700_000, tzinfo=UTC)
    seconds = [881_250_949]

    assert table("t", timestamp=[881_250_949.7]).seconds("timestamp") == seconds
    assert table("t", timestamp=pa.array([moment], pa.timestamp("us", "UTC"))).seconds("timestamp") == seconds
    assert table("t", other=[1]).seconds("timestamp") is None


def test_lists_come_from_lists_and_from_bars() -> None:
    """CSV has no lists, so there a "|" parts the values; a missing list is empty."""
    typed = table("t", facts=pa.array([["a", "b"], None], pa.list_(pa.string())))

    assert typed.lists("facts") == [("a", "b"), ()]
    assert table("t", facts=["a | b", None]).lists("facts") == [("a", "b"), ()]
    assert table("t", other=[1, 2]).lists("facts") == [(), ()]


def test_dictionary_columns_read_like_plain_ones(tmp_path: Path) -> None:
    """Writers such as pandas store repeated texts as dictionaries."""
    path = write_parquet(tmp_path / "t.parquet", split=pa.array(["train", "test", "train"]).dictionary_encode())

    codes = read_table(path).choices("split", ("train", "valid", "test"))

    np.testing.assert_array_equal(codes, [0, 2, 0])


def test_a_member_of_an_archive_is_read_or_named(tmp_path: Path) -> None:
    """A wheel's table, tab-separated ones without quoting; a member that is not there is named with its archive."""
    archive = write_zip(tmp_path / "a.whl", {"data/t.item": 'id\ttitle\n1\t"Heat\n'})

    assert read_member(archive, "data/t.item", delimiter="\t").texts("title") == ['"Heat']
    with pytest.raises(DatasetError, match=r"a\.whl!data/none"):
        read_member(archive, "data/none")
