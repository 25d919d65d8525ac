"""The paper's tokenizer: on toy colours its macro codes are the colours, and it learns what is said of pairs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from model_store.embeddings import unit_rows
from training.config import ConfigError, StraightThroughConfig, TokenizerConfig
from training.data import Pairs
from training.semantic_texts import NUM_SLOTS, NodePhrases, SemanticTexts
from training.train_straight_through import Losses, train_straight_through

NUM_NODES, DIM = 60, 10
TOLD = StraightThroughConfig(dim=8, epochs=2, batch_size=512)
CONFIG = TokenizerConfig(method="straight_through", codebook_size=4, straight_through=TOLD)
COLOUR = np.arange(NUM_NODES) % 2
PAIRS = Pairs(*np.nonzero(COLOUR[:, None] == COLOUR[None]))
KINDS = 4


@pytest.fixture
def nodes() -> np.ndarray:
    """Two colours, opposite in every dimension, and a little noise."""
    x = np.where(COLOUR[:, None] == 0, 1.0, -1.0) + 0.05 * np.random.default_rng(0).normal(size=(NUM_NODES, DIM))
    return unit_rows(x.astype(np.float32))


def texts(num_explanations: int = 200) -> SemanticTexts:
    """Every node is of one of four kinds (row % 4); an explanation of a random pair tells both, phrases the node's."""
    generator = torch.Generator().manual_seed(0)
    users, items = torch.randint(NUM_NODES, (2, num_explanations), generator=generator)
    eye = torch.eye(2 * KINDS)
    sentences = normalize(eye[users % KINDS] + eye[KINDS + items % KINDS])
    terms = torch.full((NUM_NODES, NUM_SLOTS), -1)
    terms[:, 0] = torch.arange(NUM_NODES) % KINDS
    phrases = NodePhrases(terms, eye)
    return SemanticTexts(users, items, sentences, phrases, phrases)


def kinds() -> np.ndarray:
    """Vectors of nodes of four kinds."""
    x = np.tile(np.eye(KINDS)[np.arange(NUM_NODES) % KINDS], 5)[:, :DIM]
    return unit_rows((x + 0.05 * np.random.default_rng(0).normal(size=x.shape)).astype(np.float32))


@pytest.mark.parametrize("start", ["kmeans", "uniform"])
def test_no_code_is_shared_by_two_colours(nodes, start):
    """Opposite vectors map to opposite sides, whatever is learned; the same seed gives the same codes."""
    config = replace(CONFIG, straight_through=replace(TOLD, start=start))
    found = train_straight_through(nodes, nodes, PAIRS, texts(), config, 0)
    again = train_straight_through(nodes, nodes, PAIRS, texts(), config, 0)
    np.testing.assert_array_equal(found.user, again.user)
    assert found.item.shape == (NUM_NODES, 6)
    assert found.item.dtype == np.uint16
    if start == "kmeans":
        assert not set(found.user[COLOUR == 0, 0]) & set(found.user[COLOUR == 1, 0])


def losses_of(told: StraightThroughConfig, said: SemanticTexts) -> list[Losses]:
    """Of every epoch, on nodes of four kinds."""
    heard: list[Losses] = []
    config = replace(CONFIG, straight_through=told)
    train_straight_through(kinds(), kinds(), PAIRS, said, config, 0, on_epoch=heard.append)
    return heard


def test_explanations_teach_only_beside_their_own_pairs():
    """InfoNCE falls far where each sentence stands beside its user and item, and less where users are shuffled."""
    told = replace(TOLD, epochs=40, learning_rate=0.02, macro_supervision=1.0)
    right = texts()
    shuffled = replace(right, users=right.users[torch.randperm(200, generator=torch.Generator().manual_seed(1))])
    beside_own, beside_others = (losses_of(told, said)[-1]["macro"] for said in (right, shuffled))
    assert beside_own < beside_others - 0.5


def test_phrases_teach_micro_codes():
    """The error of hidden phrases falls where they follow from the node."""
    losses = losses_of(replace(TOLD, epochs=25, learning_rate=0.02), texts())
    assert losses[-1]["micro"] < 0.5 * losses[0]["micro"]


@pytest.mark.parametrize(("macro", "micro"), [(0, 0), (0.2, 0), (0, 1.0)])
def test_losses_of_no_weight_are_left_out(macro, micro):
    """Each is there by its name only if the config asks for it; without explanations there is no macro loss."""
    told = replace(TOLD, macro_supervision=macro, micro_supervision=micro)
    expected = ["edges", "pull", "apart"] + ["macro"] * bool(macro) + ["micro"] * bool(micro)
    assert [list(losses) for losses in losses_of(told, texts())] == [expected] * TOLD.epochs
    assert "macro" not in losses_of(told, texts(0))[0]


def test_too_few_nodes_are_refused(nodes):
    """As by the other method."""
    with pytest.raises(ConfigError, match="lower codebook_size"):
        train_straight_through(nodes[:3], nodes, PAIRS, texts(), CONFIG, 0)
