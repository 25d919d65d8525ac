"""Zero-shot figures on the checkerboard, where a history tells the colour and so everything."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.graphs import NUM_USERS, write_checkerboard
from training.config import DataConfig, RunConfig, TokenizerConfig, VectorsConfig, ZeroShotConfig
from training.data import held_out_nodes
from training.prepare import Prepared, prepare
from training.train_lightgcn import train_lightgcn
from training.train_tokenizer import TrainedTokenizer, train_tokenizer
from training.zero_shot import zero_shot_items, zero_shot_users

CONFIG = RunConfig(
    data=DataConfig(reader="tabular"),
    vectors=VectorsConfig(dim_per_level=2),
    tokenizer=TokenizerConfig(codebook_size=8, text_dim=0),
    zero_shot=ZeroShotConfig(user_share=0.2, item_share=0.2),
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(CONFIG, write_checkerboard(Path(tmp_path_factory.mktemp("zero")) / "data"))


@pytest.fixture(scope="module")
def full(prepared: Prepared) -> TrainedTokenizer:
    data = prepared.dataset
    graph = train_lightgcn(prepared.split, data.num_users, data.num_items, CONFIG.vectors, 0).embeddings
    return train_tokenizer(graph, data, prepared.split, CONFIG.tokenizer, 0)


def test_unseen_users_find_their_colour(prepared, full):
    """From their histories alone they get what everybody gets; each figure is of the users it names."""
    figures = zero_shot_users(prepared.dataset, prepared.split, CONFIG, full)
    held_out = int(held_out_nodes(prepared.dataset.user_ids, 0.2, 0).sum())
    assert 0 < figures["held_out"] == held_out < NUM_USERS
    users = {arm: figures[arm]["test"]["tokens only"]["users"] for arm in ("zero_shot", "seen", "same_users_seen")}
    assert users == {"zero_shot": held_out, "seen": NUM_USERS - held_out, "same_users_seen": held_out}
    assert figures["zero_shot"]["test"]["tokens only"]["recall@10"] == 1
    assert figures["zero_shot"]["valid"]["vectors"]["recall@10"] == 1
    assert figures["zero_shot"]["test"]["popularity"]["recall@10"] < 1
    assert figures["kept"] == {"seen": 1, "same_users_seen": 1}


def test_their_edges_train_nothing(prepared, full):
    """Held-out users who like the other colour instead change no figure of the users who were trained on."""
    held_out = held_out_nodes(prepared.dataset.user_ids, 0.2, 0)
    train = prepared.split.train
    other = np.where(held_out[train.users], train.items ^ 1, train.items)
    changed = replace(prepared.split, train=train._replace(items=other))
    before = zero_shot_users(prepared.dataset, prepared.split, CONFIG, full)
    after = zero_shot_users(prepared.dataset, changed, CONFIG, full)
    assert after["seen"] == before["seen"]
    ours = [figures["zero_shot"]["test"]["vectors"]["ndcg@10"] for figures in (before, after)]
    assert ours[1] < ours[0] == 1  # they are told apart by what they like now


def test_items_without_like_texts_are_found_by_chance(prepared, full):
    """Texts here hold no word that tells items apart: all held-out items are without neighbours, and that is said."""
    figures = zero_shot_items(prepared.dataset, prepared.split, CONFIG, full)
    assert figures["without_like_items"] == figures["held_out"] > 0
    assert figures["trained"]["recall@10"] == 1


def test_nobody_held_out_is_no_figure(prepared, full):
    """A share so small that it holds nobody leaves nothing to report."""
    config = RunConfig(zero_shot=ZeroShotConfig(user_share=1e-9, item_share=1e-9))
    assert zero_shot_users(prepared.dataset, prepared.split, config, full) == {}
    assert zero_shot_items(prepared.dataset, prepared.split, config, full) == {}
