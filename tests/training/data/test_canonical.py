"""The canonical folder: whole or not at all, and the same whichever way it is written."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.toy_data import cinema, dataset_of, table, write_parquet
from training.data.build import Tables, build_dataset
from training.data.canonical import read_dataset, write_dataset
from training.data.dataset import Dataset, digest
from training.data.errors import DatasetError


@pytest.fixture
def whole() -> Dataset:
    """A data set with everything that one can have."""
    return build_dataset(
        "whole",
        Tables(
            interactions=table(
                "interactions",
                user_id=["b", "a"],
                item_id=[7, 3],
                rating=[4.0, 2.5],
                timestamp=[100, 50],
                split=["train", "test"],
            ),
            items=table(
                "items",
                item_id=[3, 7, 9],
                title=["Three", None, "Nine"],
                text=["a text", None, ""],
                categories=[["x", "y"], [], ["z"]],
                facts=[["genre: x"], [], []],
            ),
            users=table("users", user_id=["a"], text=["likes x"], groups=[["gender: F"]]),
            explanations=table("explanations", user_id=["a"], item_id=[3], text=["because"], title=[None]),
        ),
        terms="Be kind.\n",
    )


def test_what_is_written_is_read_again(whole: Dataset, tmp_path: Path) -> None:
    """Every value survives the round trip, terms and name included."""
    write_dataset(whole, tmp_path / "data")
    again = read_dataset(tmp_path / "data")

    assert digest(again) == digest(whole)
    assert (again.name, again.terms) == ("whole", "Be kind.\n")
    assert (tmp_path / "data" / "TERMS.txt").read_text() == "Be kind.\n"


def test_ids_become_rows_in_ascending_order(whole: Dataset) -> None:
    """The row of an id does not depend on where a file mentions it first."""
    assert [whole.user_ids.to_id(row) for row in range(2)] == ["a", "b"]
    np.testing.assert_array_equal(whole.interactions.users, [1, 0])
    np.testing.assert_array_equal(whole.interactions.items, [1, 0])
    assert whole.interactions.splits is not None
    np.testing.assert_array_equal(whole.interactions.splits, [0, 2])


def test_items_are_told_by_row(whole: Dataset) -> None:
    """Titles that are missing say the id; an item that nobody met is in the catalogue too."""
    assert [item.title for item in whole.items] == ["Three", "item 7", "Nine"]
    assert whole.items[0].categories == ("x", "y")
    assert whole.items.facts[0] == ("genre: x",)


def test_users_without_a_row_have_no_text(whole: Dataset) -> None:
    """User b stands in the interactions only."""
    assert whole.user_texts is not None
    assert list(whole.user_texts) == ["likes x", ""]
    assert whole.user_groups == (("gender: F",), ())


def test_an_item_without_any_table_has_a_placeholder_title() -> None:
    """Interactions alone are a data set."""
    assert dataset_of([(1, 5), (1, 6)]).items[1].title == "item 6"


def test_equal_data_has_an_equal_digest_and_other_data_another() -> None:
    """The digest sees single values."""
    pairs = [(1, 1), (1, 2), (2, 1)]
    same, other = dataset_of(pairs, ratings=[5, 4, 3]), dataset_of(pairs, ratings=[5, 4, 4])

    assert digest(same) == digest(dataset_of(pairs, ratings=[5, 4, 3]))
    assert len({digest(same), digest(other), digest(dataset_of(pairs))}) == 3


def test_writing_replaces_a_dataset_but_nothing_else(whole: Dataset, tmp_path: Path) -> None:
    """A second writing wins; somebody's other folder is refused and left as it was."""
    write_dataset(whole, tmp_path / "data")
    write_dataset(cinema(), tmp_path / "data")
    assert read_dataset(tmp_path / "data").name == "toy"
    assert not (tmp_path / "data" / "users.parquet").exists()

    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("one")
    with pytest.raises(DatasetError, match="thesis"):
        write_dataset(whole, tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "thesis"]


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ('{"name": "x", "format_version": 99}', "format_version.*expected 1, found 99"),
        ('{"format_version": 1}', "JSON with name"),
        ("[", "JSON with name"),
    ],
)
def test_another_format_is_refused(whole: Dataset, tmp_path: Path, about: str, expected: str) -> None:
    """A folder of a later version, or one whose about file is damaged."""
    write_dataset(whole, tmp_path / "data")
    (tmp_path / "data" / "dataset.json").write_text(about)

    with pytest.raises(DatasetError, match=expected):
        read_dataset(tmp_path / "data")


def test_a_folder_without_its_about_file_is_refused(tmp_path: Path) -> None:
    """Some folder of Parquet files is not a canonical data set yet."""
    write_parquet(tmp_path / "interactions.parquet", user_id=[1], item_id=[2])

    with pytest.raises(DatasetError, match=r"dataset\.json"):
        read_dataset(tmp_path)
