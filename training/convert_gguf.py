"""A GGUF file made into a plain Hugging Face folder, and proof that both say the same.

GGUF is what a Python package index can carry of a small LLM (quantised, one file); training, transformers and vLLM want
safetensors. transformers reads GGUF but refuses to save what it read, because the config still calls it quantised.
"""

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedModel

PROBE: Final = "Because you liked adventures, you will enjoy"
PROBE_TOKENS: Final = 8


class ConversionMismatch(RuntimeError):
    """The converted model does not answer as its source does."""


def convert_gguf(gguf: Path, target: Path) -> None:
    """Write config, tokenizer with chat template, and weights in bfloat16 into the folder `target`.

    Raises ConversionMismatch unless every weight, read back from disk, and a greedy answer equal the source's.
    """
    with redirect_stderr(io.StringIO()):  # bars that have no switch; the caller shows one of its own
        _convert(gguf, target)


def _convert(gguf: Path, target: Path) -> None:
    source = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    ).eval()
    config = type(source.config).from_dict(_dense_config(source))
    dense = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    dense.load_state_dict(source.state_dict())
    dense.generation_config = source.generation_config
    dense.save_pretrained(target)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.save_pretrained(target)
    probe = tokenizer(PROBE, return_tensors="pt")["input_ids"]
    check_same(source, AutoModelForCausalLM.from_pretrained(target, dtype=torch.bfloat16).eval(), probe)


def _dense_config(model: PreTrainedModel) -> dict[str, object]:
    config: dict[str, object] = model.config.to_dict()
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        config.pop(key, None)
    return config


def check_same(source: PreTrainedModel, converted: PreTrainedModel, probe: Tensor) -> None:
    """Returns when every weight and a greedy answer to `probe` (1, seq) are equal; else raises ConversionMismatch."""
    found = converted.state_dict()
    for name, weight in source.state_dict().items():
        if not torch.equal(weight, found[name]):
            raise ConversionMismatch(f"{name} differs between the GGUF file and the converted folder")
    expected, answer = _greedy(source, probe), _greedy(converted, probe)
    if answer != expected:
        raise ConversionMismatch(f"greedy answers differ: {expected} and {answer}")


def _greedy(model: Any, probe: Tensor) -> list[int]:
    mask = torch.ones_like(probe)
    answer = model.generate(inputs=probe, attention_mask=mask, max_new_tokens=PROBE_TOKENS, do_sample=False)
    token_ids: list[int] = torch.as_tensor(answer)[0].tolist()
    return token_ids
