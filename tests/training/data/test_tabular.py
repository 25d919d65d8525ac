"""Plain folders under the canonical names."""

from pathlib import Path

import pytest

from tests.training.toy_data import write_parquet
from training.data.dataset import digest
from training.data.errors import DatasetError
from training.data.tabular import read_tabular


def write_csv_folder(folder: Path) -> Path:
    """Three files, each of its own ending."""
    folder.mkdir()
    (folder / "interactions.csv").write_text("user_id,item_id,rating\n1,20,5\n2,10,3\n")
    (folder / "items.tsv").write_text("item_id\ttitle\tcategories\n10\tTen\ta|b\n20\tTwenty\t\n")
    (folder / "users.csv").write_text("user_id,text\n1,hello\n")
    return folder


def test_csv_and_parquet_of_the_same_data_are_the_same(tmp_path: Path) -> None:
    """Types come out equal although CSV has none."""
    typed = tmp_path / "typed"
    typed.mkdir()
    write_parquet(typed / "interactions.parquet", user_id=[1, 2], item_id=[20, 10], rating=[5.0, 3.0])
    write_parquet(typed / "items.parquet", item_id=[10, 20], title=["Ten", "Twenty"], categories=[["a", "b"], []])
    write_parquet(typed / "users.parquet", user_id=[1], text=["hello"])

    assert digest(read_tabular(write_csv_folder(tmp_path / "csv"))) == digest(read_tabular(typed))


def test_name_and_terms_come_with_the_folder(tmp_path: Path) -> None:
    """A TERMS.txt beside the files is taken over; without one the data set says that it knows none."""
    folder = write_csv_folder(tmp_path / "shop")
    assert "ask whoever" in read_tabular(folder).terms

    (folder / "TERMS.txt").write_text("Ours.")
    assert (read_tabular(folder).name, read_tabular(folder).terms) == ("shop", "Ours.")


def test_a_table_may_come_once(tmp_path: Path) -> None:
    """Which of items.csv and items.tsv is meant cannot be known."""
    folder = write_csv_folder(tmp_path / "shop")
    (folder / "items.csv").write_text("item_id,title\n10,Ten\n")

    with pytest.raises(DatasetError, match=r"one file of items, found 'also items\.csv'"):
        read_tabular(folder)


def test_interactions_must_be_there(tmp_path: Path) -> None:
    """The one file that a folder must have."""
    with pytest.raises(DatasetError, match="a file interactions"):
        read_tabular(tmp_path)


def test_a_bad_value_is_named_with_its_place(tmp_path: Path) -> None:
    """File, row, column, what was expected, what was found."""
    folder = write_csv_folder(tmp_path / "shop")
    (folder / "interactions.csv").write_text("user_id,item_id,rating\n1,20,5\n2,10,many\n")

    with pytest.raises(
        DatasetError, match=r"interactions\.csv, row 2, column 'rating': expected a number, found 'many'"
    ):
        read_tabular(folder)
