"""Preparing data: split without leaks, explanations whether or not there are any, a key of all that."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.graphs import NUM_USERS, checkerboard, write_checkerboard
from training.config import ConfigError, DataConfig, RunConfig
from training.data import DatasetError
from training.prepare import prepare

CONFIG = RunConfig(name="checkerboard", data=DataConfig(reader="tabular"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_checkerboard(tmp_path / "data")


def test_preparing_takes_held_out_explanation_pairs_out_of_the_graph(data):
    """The data's explanations are of test pairs: all test pairs stay test, no training pair is evaluated."""
    prepared = prepare(CONFIG, data)
    assert prepared.split.train.num_pairs == checkerboard().train.num_pairs
    assert prepared.split.test.num_pairs == NUM_USERS
    assert prepared.supervision is None


def test_data_without_explanations_gets_some(data):
    """Where the data has none they are written, and their positions fill the split's three roles."""
    (data / "explanations.parquet").unlink()
    prepared = prepare(CONFIG, data)
    assert prepared.supervision is not None
    assert prepared.dataset.explanations is prepared.supervision.explanations
    positions = [
        *prepared.split.train_explanations,
        *prepared.split.valid_explanations,
        *prepared.split.test_explanations,
    ]
    assert sorted(positions) == list(range(len(prepared.supervision.targets)))


def test_explanations_of_held_out_items_only_are_refused(data):
    """Nothing could train the projector: the message says what to add or to change."""
    config = replace(CONFIG, split=replace(CONFIG.split, test_item_share=1.0))
    with pytest.raises(DatasetError, match="at least one explanation of an item that is not held out: add rows"):
        prepare(config, data)


def test_data_of_which_no_explanation_can_be_made_is_refused(data):
    """No explanations, and nobody likes anything that could train."""
    (data / "explanations.parquet").unlink()
    config = replace(CONFIG, split=replace(CONFIG.split, test_item_share=1.0))
    with pytest.raises(DatasetError, match="add a table of explanations"):
        prepare(config, data)


def test_changed_data_or_split_has_another_key(data):
    """The key stands on the data's content and on the split, not on file names."""
    keys = {prepare(CONFIG, data).key}
    keys.add(prepare(replace(CONFIG, split=replace(CONFIG.split, seed=1)), data).key)
    renamed = data.rename(data.with_name("data2"))
    assert prepare(CONFIG, renamed).key in keys
    (data.with_name("data2") / "explanations.parquet").unlink()
    keys.add(prepare(CONFIG, renamed).key)
    assert len(keys) == 3


def test_a_reader_that_needs_a_folder_says_so(tmp_path):
    """No folder, or one that is not there, is a config error that names it."""
    with pytest.raises(ConfigError, match="needs a folder"):
        prepare(CONFIG, None)
    with pytest.raises(ConfigError, match="nowhere: no such data folder"):
        prepare(CONFIG, tmp_path / "nowhere")
