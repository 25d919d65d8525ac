"""The frozen LLM in training: how likely it finds a text after a prompt with soft tokens, and the gradient to those.

Prompts begin alike (the instructions and the style, half of a prompt with tokens only): that is read once for many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model_store.prompt import EncodedPrompt

IGNORED = -100


@dataclass(frozen=True, eq=False)
class PromptedText:
    """A prompt and the text that should follow. Shapes: prompt.token_ids (seq,), target_ids (num_target,), with eos."""

    prompt: EncodedPrompt
    target_ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.prompt.token_ids) + len(self.target_ids)


@dataclass(frozen=True, eq=False)
class Beginning:
    """What several prompts begin with, as the LLM has read it: the keys and values of every layer.

    Shapes: (1, kv_heads, length, head_dim) each, layer after layer. `read` leads back to the style; `kept` are the same
    numbers cut off from it, so that the gradients of many batches are added up before they go there, once.
    """

    length: int
    read: tuple[Tensor, ...]
    kept: tuple[Tensor, ...]

    @classmethod
    def of(cls, length: int, read: Sequence[Tensor]) -> Beginning:
        """The beginning with these keys and values."""
        kept = tuple(tensor.detach().requires_grad_(tensor.requires_grad) for tensor in read)
        return cls(length, tuple(read), kept)

    def before(self, count: int) -> Any:
        """The cache that so many texts go on from."""
        from transformers.cache_utils import DynamicCache

        cache = DynamicCache()
        for layer, (keys, values) in enumerate(zip(self.kept[::2], self.kept[1::2], strict=True)):
            cache.update(keys.expand(count, -1, -1, -1), values.expand(count, -1, -1, -1), layer)
        return cache

    def backward(self) -> None:
        """Hands the gradients that reached it on to what it was made of."""
        if self.kept and self.kept[0].grad is not None:
            torch.autograd.backward(self.read, [tensor.grad for tensor in self.kept])


NOTHING_BEGUN = Beginning(0, (), ())


class FrozenLanguageModel:
    """A Hugging Face causal LM whose weights never change: gradients go through it to its input embeddings only."""

    def __init__(self, model: Any, *, embedding_scale: float = 1.0) -> None:
        self._model = model.eval().requires_grad_(False)
        self._table = model.get_input_embeddings().weight
        self._scale = embedding_scale

    @classmethod
    def open(cls, folder: Path, *, dtype: torch.dtype, embedding_scale: float) -> FrozenLanguageModel:
        """The model of a Hugging Face folder, on the GPU where there is one."""
        from transformers import AutoModelForCausalLM  # seconds: only where a stage is really made
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # loading takes no time, and the run shows its own

        device = "cuda" if torch.cuda.is_available() else "cpu"
        # On CPUs torch's fused attention takes longer than plain products, most of all backwards
        attention = "sdpa" if device == "cuda" else "eager"
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, attn_implementation=attention
        )
        return cls(model.to(device), embedding_scale=embedding_scale)

    def begin(self, texts: Sequence[PromptedText], soft: dict[str, Tensor]) -> Beginning:
        """What all of these texts begin with, read with the style of the first row of `soft`."""
        length = common_length([text.prompt for text in texts])
        if not length:
            return NOTHING_BEGUN
        first = [PromptedText(part_of(texts[0].prompt, 0, length), texts[0].target_ids[:0])]
        ids = torch.from_numpy(first[0].prompt.token_ids[None]).to(self._table.device)
        embeds = self.place(self.embed(ids), first, {slot: tensor[:1] for slot, tensor in soft.items()})
        layers = self._model.model(inputs_embeds=embeds, use_cache=True).past_key_values.layers
        return Beginning.of(length, [tensor for layer in layers for tensor in (layer.keys, layer.values)])

    def nll(self, texts: Sequence[PromptedText], soft: dict[str, Tensor], begun: Beginning | None = None) -> Tensor:
        """Negative log-likelihood per target token, nats. Shapes: soft[slot] (batch, length, hidden) -> (batch,).

        `begun` is what they all begin with, read before with a style that is the same for all.
        """
        begun = begun or NOTHING_BEGUN
        ends = [replace(text, prompt=part_of(text.prompt, begun.length, len(text.prompt.token_ids))) for text in texts]
        token_ids, labels = padded(ends)
        ids = torch.from_numpy(token_ids).to(self._table.device)
        embeds = self.place(self.embed(ids), ends, soft)
        # No attention mask: padding stands on the right, where a causal model never looks from a real position.
        hidden = self._model.model(inputs_embeds=embeds, past_key_values=begun.before(len(texts)), use_cache=True)[0]
        wanted = torch.from_numpy(labels).to(ids.device)[:, 1:]
        chosen = wanted != IGNORED  # logits of a large vocabulary: only where a target stands
        logits = self._model.lm_head(hidden[:, :-1][chosen]).float()
        losses = nn.functional.cross_entropy(logits, wanted[chosen], reduction="none")
        row = torch.nonzero(chosen)[:, 0]
        total = torch.zeros(len(texts), device=ids.device).index_add(0, row, losses)
        return total / chosen.sum(dim=1)

    @torch.no_grad()
    def written(
        self, texts: Sequence[PromptedText], soft: dict[str, Tensor], *, max_tokens: int, end: Sequence[int]
    ) -> list[list[int]]:
        """Token ids that the LLM itself goes on with after each prompt, likeliest first choice (greedy), ends left out.

        Shapes: soft[slot] (batch, length, hidden). Targets of the texts are not looked at.
        """
        prompts = [PromptedText(text.prompt, text.target_ids[:0]) for text in texts]
        token_ids, _ = padded(prompts)
        embeds = self.place(self.embed(torch.from_numpy(token_ids).to(self._table.device)), prompts, soft)
        lengths = [len(text) for text in prompts]
        longest = token_ids.shape[1]
        # Generation goes on at the right end: padding moves to the left, and there a mask must hide it.
        embeds = torch.stack([row.roll(longest - n, dims=0) for row, n in zip(embeds, lengths, strict=True)])
        mask = torch.tensor([[0] * (longest - n) + [1] * n for n in lengths], device=embeds.device)
        found = self._model.generate(
            inputs_embeds=embeds, attention_mask=mask, max_new_tokens=max_tokens, do_sample=False,
            eos_token_id=list(end), pad_token_id=end[0],
        )  # fmt: skip
        return [_until(row, frozenset(end)) for row in found.tolist()]

    def next_token_logprobs(
        self, prompts: Sequence[EncodedPrompt], soft: dict[str, Tensor], token_ids: Sequence[int]
    ) -> Tensor:
        """Log-probability of each of these tokens right after each prompt. Shapes: -> (batch, len(token_ids))."""
        texts = [PromptedText(prompt, np.zeros(0, np.int64)) for prompt in prompts]
        ids = torch.from_numpy(padded(texts)[0]).to(self._table.device)
        hidden = self._model.model(inputs_embeds=self.place(self.embed(ids), texts, soft), use_cache=False)[0]
        last = torch.tensor([len(text) - 1 for text in texts], device=ids.device)
        logits: Tensor = self._model.lm_head(hidden[torch.arange(len(texts), device=ids.device), last]).float()
        return logits.log_softmax(dim=-1)[:, list(token_ids)]

    def embed(self, token_ids: Tensor) -> Tensor:
        """Input embeddings as the first layer sees them, in the model's dtype. Shapes: (...) -> (..., hidden)."""
        embeds: Tensor = self._table[token_ids] * self._scale
        return embeds

    @staticmethod
    def place(embeds: Tensor, texts: Sequence[PromptedText], soft: dict[str, Tensor]) -> Tensor:
        """The embeddings with soft tokens at the prompts' slots. Shapes: embeds (batch, seq, hidden)."""
        for slot in texts[0].prompt.slots:
            where = [text.prompt.slots[slot] for text in texts]
            positions = torch.tensor([list(range(each.start, each.stop)) for each in where], device=embeds.device)
            rows = torch.arange(len(texts), device=embeds.device)[:, None].expand_as(positions)
            embeds = embeds.index_put((rows, positions), soft[slot].to(embeds.device, embeds.dtype))
        return embeds


def part_of(prompt: EncodedPrompt, start: int, stop: int) -> EncodedPrompt:
    """These positions of a prompt, and the slots that lie among them."""
    inside = {slot: span for slot, span in prompt.slots.items() if start <= span.start and span.stop <= stop}
    slots = {slot: slice(span.start - start, span.stop - start) for slot, span in inside.items()}
    return EncodedPrompt(prompt.token_ids[start:stop], slots)


def common_length(prompts: Sequence[EncodedPrompt]) -> int:
    """Positions that all prompts begin with: the same text, and no slot but the style's. Never a whole prompt."""
    own = [span.start for prompt in prompts for slot, span in prompt.slots.items() if slot != "style"]
    shortest = min([len(prompt.token_ids) - 1 for prompt in prompts] + own)
    first = prompts[0]
    same = np.logical_and.reduce([prompt.token_ids[:shortest] == first.token_ids[:shortest] for prompt in prompts])
    length = shortest if same.all() else int(same.argmin())
    return min([length] + [span.start for span in first.slots.values() if span.stop > length])


def _until(ids: list[int], end: frozenset[int]) -> list[int]:
    return ids[: next((at for at, token_id in enumerate(ids) if token_id in end), len(ids))]


def padded(texts: Sequence[PromptedText]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and labels, (batch, longest): padded on the right, labels IGNORED except on targets."""
    longest = max(len(text) for text in texts)
    token_ids = np.zeros((len(texts), longest), np.int64)
    labels = np.full((len(texts), longest), IGNORED, np.int64)
    for row, text in enumerate(texts):
        begin = len(text.prompt.token_ids)
        token_ids[row, :begin] = text.prompt.token_ids
        token_ids[row, begin : len(text)] = labels[row, begin : len(text)] = text.target_ids
    return token_ids, labels
