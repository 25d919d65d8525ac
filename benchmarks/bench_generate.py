"""The language model in process, sixteen prompts at once and one alone, against plain `model.generate`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM

from benchmarks.figures import Figure, in_turn
from model_store import LATEST, ModelStore
from model_store.token_embeddings import TokenEmbeddings
from service.adapters.transformers_model import TransformersModel

Prompts = list[NDArray[np.float32]]

_TOKENS = 48
_AT_ONCE = 16
_PROMPT_LENGTH = 300
"""About what a prompt of the movie demo has."""


def bench_generate(store: Path, *, rounds: int) -> list[Figure]:
    """Prompts as long as real ones, of the embeddings of drawn token ids: speed does not depend on what is said."""
    artifact = ModelStore(store).load(LATEST)
    folder, spec = artifact.language_model_path, artifact.manifest.language_model
    plain: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, local_files_only=True)
    prompts = _prompts(folder, spec.vocab_size)
    with asyncio.Runner() as runner:
        ours = TransformersModel(folder, spec)
        try:
            at_once = in_turn(
                rounds,
                lambda: runner.run(_ours_per_s(ours, prompts)),
                lambda: _plain_per_s(plain, prompts[:2]),
            )
            alone = in_turn(
                rounds,
                lambda: runner.run(_ours_per_s(ours, prompts[:1])),
                lambda: _plain_per_s(plain, prompts[:1]),
            )
        finally:
            runner.run(ours.close())
    return [
        Figure("explain-inprocess", f"tokens/s of {_AT_ONCE} at once, of plain generate's", at_once.ratio, at_least=4),
        Figure("explain-inprocess", f"tokens/s of {_AT_ONCE} at once", float(np.median(at_once.ours))),
        Figure("explain-inprocess", "tokens/s of one alone, of plain generate's", alone.ratio, at_least=1.5),
        Figure("explain-inprocess", "tokens/s of one alone", float(np.median(alone.ours))),
    ]


def _prompts(folder: Path, vocab_size: int) -> Prompts:
    drawn = np.random.default_rng(0).integers(vocab_size, size=(_AT_ONCE, _PROMPT_LENGTH))
    table = TokenEmbeddings.open(folder)
    return [table.rows(ids.tolist()) for ids in drawn]


async def _ours_per_s(model: TransformersModel, prompts: Prompts) -> float:
    begun = time.perf_counter()
    answers = await asyncio.gather(*(model.generate(prompt, max_tokens=_TOKENS) for prompt in prompts))
    return sum(answer.completion_tokens for answer in answers) / (time.perf_counter() - begun)


@torch.inference_mode()
def _plain_per_s(model: Any, prompts: Prompts) -> float:
    """One prompt after the other, each to the end that the model itself chooses."""
    begun, written = time.perf_counter(), 0
    for prompt in prompts:
        embeds = torch.from_numpy(np.array(prompt))[None].to(model.dtype)
        mask = torch.ones(embeds.shape[:2], dtype=torch.long)
        written += model.generate(
            inputs_embeds=embeds, attention_mask=mask, max_new_tokens=_TOKENS, do_sample=False
        ).shape[1]
    return written / (time.perf_counter() - begun)
