"""TokenEmbeddings: the input embeddings of a Hugging Face folder, exactly as the model itself has them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from model_store.errors import ArtifactCorrupt, ArtifactIncompatible
from model_store.token_embeddings import TokenEmbeddings

NAME = "model.embed_tokens.weight"
VOCAB, HIDDEN = 50, 8


def _folder(path: Path, weight: torch.Tensor, **config: object) -> Path:
    save_file({"model.norm.weight": torch.ones(HIDDEN), NAME: weight}, str(path / "model.safetensors"))
    (path / "config.json").write_text(json.dumps({"hidden_size": HIDDEN, "model_type": "llama", **config}))
    return path


def _weight(dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(VOCAB, HIDDEN, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_rows_are_those_of_torch_bit_by_bit(tmp_path, dtype):
    """Every stored dtype decodes to exactly torch's own float32 of it."""
    weight = _weight(dtype)
    ids = [3, 0, VOCAB - 1, 3]
    found = TokenEmbeddings.open(_folder(tmp_path, weight)).rows(ids)
    assert found.dtype == np.float32
    assert np.array_equal(found, weight[ids].float().numpy())


def test_a_sharded_model_is_read_through_its_index(tmp_path):
    """The matrix is found in whichever shard the index names."""
    weight = _weight(torch.bfloat16)
    save_file({"model.norm.weight": torch.ones(HIDDEN)}, str(tmp_path / "model-00001-of-00002.safetensors"))
    save_file({NAME: weight}, str(tmp_path / "model-00002-of-00002.safetensors"))
    index = {"model.norm.weight": "model-00001-of-00002.safetensors", NAME: "model-00002-of-00002.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": HIDDEN, "model_type": "llama"}))
    embeddings = TokenEmbeddings.open(tmp_path)
    assert (embeddings.vocab_size, embeddings.hidden_size) == (VOCAB, HIDDEN)
    assert np.array_equal(embeddings.rows(range(VOCAB)), weight.float().numpy())


def test_gemma_scales_by_the_root_of_its_width_and_llama_does_not(tmp_path):
    """sqrt(8) for Gemma, 1 for Llama; a scale that is given wins over the folder's."""
    weight = torch.ones(VOCAB, HIDDEN)
    _folder(tmp_path, weight, model_type="gemma3_text")
    assert TokenEmbeddings.open(tmp_path).rows([0])[0, 0] == pytest.approx(8**0.5)
    assert TokenEmbeddings.open(tmp_path, scale=1.0).rows([0])[0, 0] == 1.0
    _folder(tmp_path, weight)
    assert TokenEmbeddings.open(tmp_path).rows([0])[0, 0] == 1.0


def test_rms_is_the_root_mean_square_of_all_entries(tmp_path):
    """A matrix of threes, scaled by two, has rms six."""
    folder = _folder(tmp_path, torch.full((VOCAB, HIDDEN), 3.0))
    assert TokenEmbeddings.open(folder, scale=2.0).rms() == pytest.approx(6.0)


def test_an_id_beyond_the_vocabulary_is_our_mistake(tmp_path):
    """No id wraps around to another token's embedding."""
    embeddings = TokenEmbeddings.open(_folder(tmp_path, _weight(torch.float32)))
    for wrong in (-1, VOCAB):
        with pytest.raises(AssertionError):
            embeddings.rows([wrong])


def test_a_cut_file_is_corrupt(tmp_path):
    """A weight file cut short is refused when opened, not read as zeros."""
    path = _folder(tmp_path, _weight(torch.float32)) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactCorrupt):
        TokenEmbeddings.open(tmp_path)


def test_a_folder_without_weights_is_corrupt(tmp_path):
    """The error says that safetensors were expected."""
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": HIDDEN}))
    with pytest.raises(ArtifactCorrupt, match="safetensors"):
        TokenEmbeddings.open(tmp_path)


def test_weights_without_an_embedding_matrix_are_incompatible(tmp_path):
    """A model whose matrix is called otherwise is refused by name."""
    save_file({"head.weight": torch.ones(2, 2)}, str(tmp_path / "model.safetensors"))
    with pytest.raises(ArtifactIncompatible, match=r"embed_tokens\.weight"):
        TokenEmbeddings.open(tmp_path, scale=1.0)


def test_the_real_models_rows_are_finite_and_of_its_width(smollm2):
    """SmolLM2: 49,152 tokens of 576 values, rms as its spec says."""
    embeddings = TokenEmbeddings.open(smollm2.folder)
    assert (embeddings.vocab_size, embeddings.hidden_size) == (49_152, 576)
    assert embeddings.rms() == pytest.approx(smollm2.spec.embedding_rms)
    assert np.isfinite(embeddings.rows(range(0, 49_152, 97))).all()
