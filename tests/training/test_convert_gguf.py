"""The proof that a converted model is its source; the conversion itself runs when the default LLM is first fetched."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.artifacts import tiny_language_model
from training.convert_gguf import ConversionMismatch, check_same

PROBE = torch.tensor([[65, 66, 67]])


def _model(folder):
    tiny_language_model(folder)
    return AutoModelForCausalLM.from_pretrained(folder).eval()


def test_a_model_is_itself(tmp_path):
    """Twice the same folder: no complaint."""
    check_same(_model(tmp_path), _model(tmp_path), PROBE)


def test_one_other_weight_is_a_mismatch_with_its_name(tmp_path):
    """A single value of a single tensor is enough, however small its effect."""
    source, converted = _model(tmp_path), _model(tmp_path)
    with torch.no_grad():
        converted.model.layers[0].mlp.down_proj.weight[3, 5] += 1e-6
    with pytest.raises(ConversionMismatch, match=r"down_proj\.weight"):
        check_same(source, converted, PROBE)


def test_another_reading_of_the_same_weights_is_a_mismatch(tmp_path):
    """Equal tensors under another config (here, of the rotary positions) answer differently, and that counts."""
    source, converted = _model(tmp_path), _model(tmp_path)
    converted.model.rotary_emb.inv_freq.mul_(7)
    probe = torch.randint(0, 256, (1, 64), generator=torch.Generator().manual_seed(0))
    with pytest.raises(ConversionMismatch, match="greedy"):
        check_same(source, converted, probe)
