"""The whole import: what it leaves, what it refuses, and that nothing is left half-written."""

import gzip
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.data.imports import forms
from tests.training.toy_data import write_parquet
from training.data import Dataset, read_dataset, read_tabular, split
from training.data.dataset import digest
from training.data.errors import DatasetError, MalformedRows
from training.data.imports import ColumnMap, Form, ImportConfig, SplitBy, import_dataset
from training.data.split import Split, SplitConfig

TABULAR = ImportConfig(Form.TABULAR, name="shop")
UNSPLIT = replace(TABULAR, split_by=SplitBy.NONE)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return forms.write_plain(tmp_path / "shop")


def made(source: Path, config: ImportConfig = TABULAR) -> Dataset:
    target = source.parent / "made"
    import_dataset(source, target, config)
    return read_dataset(target)


def write_log(folder: Path, *lines: str) -> Path:
    forms.write_lines(folder / "interactions.csv", lines)
    return folder


def assert_equal_splits(one: Split, other: Split) -> None:
    for name in ("train", "valid", "test", "removed", "disliked"):
        for column, expected in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(column, expected, err_msg=name)


def test_an_import_is_what_the_plain_reader_makes_of_the_same_files(tmp_path):
    """Everything a model could learn from is equal, down to the order of interactions."""
    folder = tmp_path / "shop"
    forms.write_plain(folder)
    log = (folder / "interactions.csv.gz").read_bytes()
    imported = made(folder, UNSPLIT)
    (folder / "interactions.csv").write_bytes(gzip.decompress(log))
    (folder / "interactions.csv.gz").unlink()
    assert digest(imported) == digest(read_tabular(folder))


@pytest.mark.parametrize("by", [SplitBy.TIME, SplitBy.RANDOM])
def test_an_imported_split_is_the_one_that_a_run_would_make(shop, by):
    """Split once when imported, or by every run with the same config: the same parts, the same dislikes."""
    config = SplitConfig(seed=3, valid_share=0.2, test_share=0.2)
    unsplit = made(shop, UNSPLIT)
    if by is SplitBy.RANDOM:
        unsplit = replace(unsplit, interactions=replace(unsplit.interactions, timestamps=None))
    imported = made(shop, replace(TABULAR, split_by=by, split=config))
    assert imported.interactions.splits is not None
    assert_equal_splits(split(imported, config), split(unsplit, config))


def test_a_k_core_leaves_nobody_with_fewer(tmp_path):
    """Stragglers go, from every table; who stays has k partners among those who stay."""
    folder = forms.write_plain(tmp_path / "shop")
    (folder / "interactions.csv.gz").unlink()
    log = [f"{e.user},{e.item}" for e in forms.events()] + ["99,0", "99,1", "0,77", "98,78"]
    write_log(folder, "user_id,item_id", *log)
    for name, line in (("items", "77,Stray,,"), ("users", "99,Stray,"), ("explanations", "0,77,Because.")):
        with (folder / f"{name}.csv").open("a") as file:
            file.write(f"{line}\n")
    dataset = made(folder, replace(TABULAR, k_core=5))
    users, items = (Counter(rows.tolist()) for rows in dataset.interactions.pairs)
    assert min(users.values()) >= 5
    assert min(items.values()) >= 5
    assert (dataset.num_users, dataset.num_items) == (forms.NUM_USERS, forms.NUM_ITEMS)
    assert dataset.explanations is not None
    assert "Because." not in dataset.explanations.texts


def test_a_core_that_is_empty_is_told(shop):
    """Nobody has 13 of 12 items."""
    with pytest.raises(DatasetError, match="users and items with 13 of each other"):
        made(shop, replace(TABULAR, k_core=13))


MALFORMED = (
    "user_id,item_id,rating,timestamp,split",
    "1,10,5,2020-01-01,train",
    ",10,5,2020-01-01,train",
    "1,,5,2020-01-01,train",
    "1,10,many,2020-01-01,train",
    "1,10,nan,2020-01-01,train",
    "1,10,5,yesterday,train",
    "1,10,5,2020-01-01,later",
    "1,10,5",
    "2,20,4,1577836800,valid",
)
TOLD = (
    "line 3: column 'user_id': expected an id, found nothing",
    "line 4: column 'item_id': expected an id, found nothing",
    "line 5: column 'rating': expected a finite number, found 'many'",
    "line 6: column 'rating': expected a finite number, found 'nan'",
    "line 7: column 'timestamp': expected a time, found 'yesterday'",
    "line 8: column 'split': expected one of train, valid, test, val, validation, found 'later'",
    "line 9: expected 5 values, found 3",
)


def test_malformed_rows_are_counted_and_listed_with_file_and_line(tmp_path):
    """Above the limit they fail the import, and each is named; nothing is left behind."""
    write_log(tmp_path / "shop", *MALFORMED)
    with pytest.raises(MalformedRows) as refused:
        made(tmp_path / "shop", replace(TABULAR, max_malformed=6))
    assert refused.value.count == 7
    assert list(refused.value.listed) == [f"interactions.csv, {told}" for told in TOLD]
    assert "7 malformed rows, 6 allowed (--max-malformed)" in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_malformed_rows_within_the_limit_are_left_out_and_told_on_the_card(tmp_path):
    """Times are read as numbers and as text; the two good rows are the data set."""
    write_log(tmp_path / "shop", *MALFORMED)
    card = import_dataset(tmp_path / "shop", tmp_path / "made", replace(TABULAR, max_malformed=7))
    assert card.figures["left out"]["malformed_rows"] == 7
    assert list(card.malformed) == [f"interactions.csv, {told}" for told in TOLD]
    log = read_dataset(tmp_path / "made").interactions
    assert log.timestamps is not None
    assert log.timestamps.tolist() == [1577836800, 1577836800]
    assert log.splits is not None
    assert log.splits.tolist() == [0, 1]


def test_an_item_that_comes_twice_is_malformed(tmp_path):
    """The first row is the item; the second is told of."""
    write_log(tmp_path / "shop", "user_id,item_id", "a,x")
    forms.write_lines(tmp_path / "shop" / "items.csv", ["item_id,title", "x,One", "y,Two", "x,Three"])
    with pytest.raises(MalformedRows, match=r"items\.csv, line 4: column 'item_id': expected every id once, found 'x'"):
        made(tmp_path / "shop")
    assert made(tmp_path / "shop", replace(TABULAR, max_malformed=1)).items[0].title == "One"


def test_a_blank_explanation_is_malformed(tmp_path):
    """As in the canonical form; in Parquet the row is told."""
    write_log(tmp_path / "shop", "user_id,item_id", "1,7")
    write_parquet(tmp_path / "shop" / "explanations.parquet", user_id=[1, 1], item_id=[7, 7], text=["because", " "])
    with pytest.raises(MalformedRows, match=r"explanations\.parquet, row 2: column 'text': expected a text"):
        made(tmp_path / "shop")


def test_what_is_interrupted_leaves_nothing(shop):
    """Ctrl-C while rows are read: no data set, no scratch."""

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(shop, shop.parent / "made", TABULAR, on_rows=interrupt)
    assert [path.name for path in shop.parent.iterdir()] == ["shop"]


def test_a_failed_import_leaves_the_former_data_set_as_it_was(shop):
    """The new one takes its place only when it is whole."""
    former = digest(made(shop))
    with pytest.raises(DatasetError):
        made(shop, replace(TABULAR, k_core=13))
    assert digest(read_dataset(shop.parent / "made")) == former


def test_somebody_s_folder_is_never_replaced(shop, tmp_path):
    """It is refused before anything is read."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match="an empty folder or a canonical dataset to replace"):
        made(shop)
    assert (tmp_path / "made" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"interactions.csv": ["user_id,item_id"]}, "at least one interaction"),
        ({"interactions.csv": ["user_id,item_id", "1,1"], "items.csv": ["item_id", "B1"]}, "also stand in the inter"),
        ({"interactions.csv": ["user_id,item_id", "1,1"], "interactions.tsv": ["user_id"]}, "one file of interactions"),
        ({"interactions.txt": ["user_id,item_id"]}, "ending in .csv, .tsv, .parquet"),
    ],
)
def test_tables_that_make_no_data_set_are_refused(tmp_path, tables, said):
    """No rows, a catalogue of other things, two files where one is meant, a file of another kind."""
    for name, lines in tables.items():
        forms.write_lines(tmp_path / "shop" / name, lines)
    with pytest.raises(DatasetError, match=said):
        made(tmp_path / "shop")


def test_columns_of_a_type_that_cannot_hold_them_are_named(tmp_path):
    """Parquet ids that are fractions are no ids, and integers in one file do not meet strings in another."""
    write_parquet(tmp_path / "a" / "interactions.parquet", user_id=[1.0], item_id=[1])
    with pytest.raises(DatasetError, match="column 'user_id': expected an id, found 'double'"):
        made(tmp_path / "a")
    write_parquet(tmp_path / "b" / "interactions.parquet", user_id=[1], item_id=[1])
    write_parquet(tmp_path / "b" / "items.parquet", item_id=["1"], title=["One"])
    with pytest.raises(DatasetError, match="string ids, as in the other files"):
        made(tmp_path / "b")


def test_files_of_one_table_have_the_same_columns(tmp_path):
    """Otherwise nobody knows what the others' ratings are."""
    forms.write_lines(tmp_path / "shop" / "log-1.csv", ["user_id,item_id,rating", "1,1,5"])
    forms.write_lines(tmp_path / "shop" / "log-2.csv", ["user_id,item_id", "1,2"])
    mapping = ColumnMap.of_flags(files=["interactions=log-*.csv"])
    with pytest.raises(DatasetError, match=r"log-2\.csv: expected the columns of the other files"):
        made(tmp_path / "shop", replace(TABULAR, mapping=mapping))


def test_what_is_larger_than_a_batch_keeps_its_order(tmp_path):
    """300,000 rows pass through many batches and row groups: users, items, times and parts stay in their rows."""
    count = 300_000
    users, items = np.arange(count) % 1_009, np.arange(count) % 3_001
    write_parquet(tmp_path / "a" / "interactions.parquet", user_id=users, item_id=items, timestamp=np.arange(count))
    log = made(tmp_path / "a").interactions
    np.testing.assert_array_equal(log.users, users)
    np.testing.assert_array_equal(log.items, items)
    np.testing.assert_array_equal(log.timestamps, np.arange(count))
    assert log.splits is not None
    assert log.splits[users == 0].tolist() == sorted(log.splits[users == 0].tolist())
