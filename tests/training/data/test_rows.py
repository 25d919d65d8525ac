"""Rows of any file, against a model's ids."""

from pathlib import Path

from model_store.id_map import IdMap
from tests.training.toy_data import write_parquet
from training.data.rows import read_rows


def test_known_rows_are_taken_and_strangers_named(tmp_path: Path) -> None:
    """A row whose user or item the model has never met is left out, with its number and the id."""
    path = write_parquet(
        tmp_path / "hidden.parquet",
        user_id=[7, 8, 99],
        item_id=["b", "z", "y"],
        explanation=["one", "two", "three"],
        rexrec_prediction=["p", "q", None],
    )

    rows = read_rows(path, IdMap.from_ids([7, 8], kind="user"), IdMap.from_ids(["a", "b"], kind="item"))

    assert rows.explanations.texts == ("one",)
    assert (rows.explanations.users.tolist(), rows.explanations.items.tolist()) == ([0], [1])
    assert rows.explanations.extra == {"rexrec_prediction": ("p",)}
    assert rows.strangers == ((2, "item", "z"), (3, "user", 99), (3, "item", "y"))


def test_csv_rows_find_integer_ids(tmp_path: Path) -> None:
    """CSV writes 7 as text; the id map knows it all the same."""
    path = tmp_path / "rows.csv"
    path.write_text("user_id,item_id,text\n7,3,because\n")

    rows = read_rows(path, IdMap.from_ids([7], kind="user"), IdMap.from_ids([3], kind="item"))

    assert len(rows.explanations) == 1
    assert rows.strangers == ()
