"""XRec's Parquet form, with and without its catalogue."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.training.toy_data import write_parquet
from training.data.dataset import Dataset
from training.data.errors import DatasetError
from training.data.xrec import read_xrec

SHARED = Path(__file__).parents[4] / "shared" / "data" / "xrec"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three items: one explained twice, one explained once, one never."""
    write_parquet(
        tmp_path / "interactions.parquet", user_id=[0, 0, 1], item_id=[10, 30, 20], split=["train", "valid", "test"]
    )
    write_parquet(
        tmp_path / "explanations.parquet",
        user_id=[0, 1, 1],
        item_id=[10, 10, 20],
        title=["Cafe Ten", "Cafe Ten", "Bar Twenty"],
        user_profile=["likes coffee", "likes beer", "likes beer"],
        item_profile=["coffee", "coffee", "beer"],
        explanation=["The user would enjoy Cafe Ten because of it.", "b", "c"],
        xrec_prediction=["p", None, "q"],
    )
    return tmp_path


def test_without_a_catalogue_explanations_tell_titles_and_profiles(folder: Path) -> None:
    """Items that no explanation names have a placeholder title and no text."""
    dataset = read_xrec(folder, name="toy")

    told = [(item.title, item.text) for item in dataset.items]
    assert told == [("Cafe Ten", "coffee"), ("Bar Twenty", "beer"), ("item 30", "")]


def test_titles_that_the_catalogue_lacks_come_from_explanations(folder: Path) -> None:
    """The catalogue's own title goes before; its texts stay."""
    write_parquet(
        folder / "items.parquet", item_id=[10, 20, 30], text=["t10", "t20", "t30"], title=["Ten itself", None, None]
    )

    told = [(item.title, item.text) for item in read_xrec(folder).items]

    assert told == [("Ten itself", "t10"), ("Bar Twenty", "t20"), ("item 30", "t30")]


def test_references_stay_as_they_are_and_other_columns_beside_them(folder: Path) -> None:
    """Evaluation needs the peers' texts; a missing one stays missing."""
    explanations = read_xrec(folder).explanations

    assert explanations is not None
    assert explanations.texts[0] == "The user would enjoy Cafe Ten because of it."
    assert set(explanations.extra) == {"title", "user_profile", "item_profile", "xrec_prediction"}
    assert explanations.extra["xrec_prediction"] == ("p", None, "q")


def test_a_file_without_references_is_named(folder: Path) -> None:
    """Neither `text` nor `explanation`."""
    write_parquet(folder / "explanations.parquet", user_id=[0], item_id=[10])

    with pytest.raises(DatasetError, match=r"explanations\.parquet, column 'text'"):
        read_xrec(folder)


def real(name: str) -> Dataset:
    """One of the shared data sets; skips the test, saying so, where they are not."""
    if not (SHARED / name).is_dir():
        pytest.skip(f"the shared data set ../shared/data/xrec/{name} is not here")
    return read_xrec(SHARED / name)


@pytest.mark.parametrize(
    ("name", "users", "items", "interactions", "titles"),
    [("yelp", 15_962, 14_085, 393_080, 2_473), ("google", 22_582, 16_557, 411_240, 2_531)],
)
def test_the_real_data_is_read_whole(name: str, users: int, items: int, interactions: int, titles: int) -> None:
    """Counts as its README gives them."""
    dataset = real(name)

    assert (dataset.num_users, dataset.num_items, len(dataset.interactions)) == (users, items, interactions)
    assert sum(not title.startswith("item ") for title in dataset.items.titles) == titles
    assert all(dataset.items.texts)
    assert dataset.explanations is not None
    assert len(dataset.explanations) == 2400


def test_the_real_data_can_do_without_its_catalogue(tmp_path: Path) -> None:
    """The same interactions and explanations, and texts for the explained items only."""
    whole = real("yelp")
    for file in ("interactions.parquet", "explanations.parquet"):
        shutil.copy(SHARED / "yelp" / file, tmp_path / file)

    bare = read_xrec(tmp_path)

    assert bare.explanations is not None
    assert whole.explanations is not None
    assert bare.explanations.texts == whole.explanations.texts
    explained = np.unique([bare.item_ids.to_id(row) for row in bare.explanations.items.tolist()])
    assert sum(bool(text) for text in bare.items.texts) == len(explained)
