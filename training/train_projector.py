"""Projector training: soft tokens that make the frozen LLM find the reference explanations likely."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_store.errors import ArtifactCorrupt
from model_store.quantizer import Codes
from model_store.tensor_file import load_tensors, save_tensors
from training.config import ProjectorConfig
from training.data import Explanations, Rows
from training.frozen_language_model import Beginning, FrozenLanguageModel, PromptedText
from training.projector import Projector, alignment_loss
from training.prompted import AS_SERVED, TITLED, TOKENS_ONLY, Prompts, Shown

log = logging.getLogger(__name__)

CHECKPOINT = "projector.safetensors"
GRADIENT_NORM = 1.0
LARGEST_BUCKET = 2
"""Texts that the LLM reads at once in training."""


@dataclass(frozen=True, eq=False)
class Step:
    """One optimiser step: its number from 1, the mean NLL per token and the alignment loss of its batch."""

    number: int
    nll: float
    alignment: float


@dataclass(frozen=True, eq=False)
class CodedPairs:
    """Codes of the pairs that explanations are about. Shapes: user_codes (num_users, 6), item_codes (num_items, 6)."""

    explanations: Explanations
    user_codes: Codes
    item_codes: Codes

    def at(self, positions: Sequence[int] | Rows) -> tuple[Tensor, Tensor]:
        """User and item codes of the explanations at these positions, each (n, 6) int64."""
        rows = np.asarray(positions, np.int64)
        users, items = self.explanations.users[rows], self.explanations.items[rows]
        return tuple(  # type: ignore[return-value]
            torch.from_numpy(codes[chosen].astype(np.int64))
            for codes, chosen in ((self.user_codes, users), (self.item_codes, items))
        )


def train_projector(
    projector: Projector,
    model: FrozenLanguageModel,
    prompts: Prompts,
    pairs: CodedPairs,
    positions: Rows,
    config: ProjectorConfig,
    seed: int,
    *,
    checkpoints: Path,
    on_step: Callable[[Step], None] = lambda step: None,
) -> list[Step]:
    """Train in place on the explanations at `positions`; resumes from `checkpoints` where an earlier run was cut off.

    What a prompt shows beside the tokens is drawn anew each time (`drawn`).
    """
    optimizer = torch.optim.AdamW(_groups(projector, config), weight_decay=0.0, betas=(0.9, 0.98))
    steps = _resume(projector, optimizer, checkpoints / CHECKPOINT)
    order = batches(len(positions), config, seed)
    for number in range(len(steps) + 1, config.max_steps + 1):
        chosen = positions[order[number - 1]]
        rng = np.random.default_rng([seed, number])
        texts = [prompts.showing(int(position), drawn(rng, config)) for position in chosen]
        for group in optimizer.param_groups:
            group["lr"] = group["top"] * rate(number, config)
        optimizer.zero_grad(set_to_none=True)
        begun = model.begin(texts, {"style": projector.style_tokens(1)})
        losses = [
            _learn(projector, model, [texts[row] for row in rows], pairs.at(chosen[rows]), config, len(texts), begun)
            for rows in buckets([len(text) for text in texts])
        ]
        begun.backward()
        torch.nn.utils.clip_grad_norm_(projector.parameters(), GRADIENT_NORM)
        optimizer.step()
        steps.append(Step(number, *map(float, np.sum(losses, axis=0))))
        on_step(steps[-1])
        if number % config.checkpoint_steps == 0:
            _save(projector, optimizer, steps, checkpoints / CHECKPOINT)
    return steps


def drawn(rng: np.random.Generator, config: ProjectorConfig) -> Shown:
    """What a prompt shows: nothing but tokens, the title, or all that is served.

    Beside a title the LLM would learn to read the title and leave the tokens alone, and beside a text the title.
    """
    dropped = rng.random(2) < (config.title_dropout, config.text_dropout)
    return TOKENS_ONLY if dropped[0] else TITLED if dropped[1] else AS_SERVED


def rate(number: int, config: ProjectorConfig) -> float:
    """Share of the top learning rate at a step: linear warm-up, then a cosine to zero."""
    warm_up = max(1, config.max_steps // 20)
    along = min(1.0, max(0.0, (number - warm_up) / max(1, config.max_steps - warm_up)))
    return min(1.0, number / warm_up) * 0.5 * (1 + float(np.cos(np.pi * along)))


def batches(count: int, config: ProjectorConfig, seed: int) -> list[NDArray[np.int64]]:
    """Indices into the training rows for every step, passes in a new order each. Shapes: (batch_size,) each."""
    rng, wanted = np.random.default_rng(seed), config.max_steps * config.batch_size
    passes = [rng.permutation(count) for _ in range(-(-wanted // count))]
    return list(np.concatenate(passes)[:wanted].reshape(config.max_steps, config.batch_size))


def _groups(projector: Projector, config: ProjectorConfig) -> list[dict[str, object]]:
    """Parameters with their top rates: the style's own may go faster than weights that all codes share."""
    shared = [p for name, p in projector.named_parameters() if name != "style"]
    rates = (([projector.style], config.style_learning_rate), (shared, config.learning_rate))
    return [{"params": params, "lr": top, "top": top} for params, top in rates]


def buckets(lengths: Sequence[int]) -> list[NDArray[np.int64]]:
    """Rows of a batch by length, in even parts of at most LARGEST_BUCKET: little padding, and memory for few."""
    by_length = np.argsort(lengths, kind="stable")
    return np.array_split(by_length, -(-len(lengths) // LARGEST_BUCKET))


def _learn(
    projector: Projector,
    model: FrozenLanguageModel,
    texts: list[PromptedText],
    codes: tuple[Tensor, Tensor],
    config: ProjectorConfig,
    batch_size: int,
    begun: Beginning,
) -> tuple[float, float]:
    """Adds to the gradients what these texts have in a batch of so many. Returns their shares of NLL and alignment."""
    soft = projector.soft_tokens(*codes)
    nll = model.nll(texts, soft, begun).sum() / batch_size
    alignment = _alignment(model, texts, soft) / batch_size if config.alignment_weight else torch.zeros(())
    (nll + config.alignment_weight * alignment).backward()  # type: ignore[no-untyped-call]
    return nll.item(), alignment.item()


def _alignment(model: FrozenLanguageModel, texts: list[PromptedText], soft: dict[str, Tensor]) -> Tensor:
    """Sum of the alignment losses, (): each pair's tokens against the words of its target."""
    tokens = torch.cat([soft["user"], soft["item"]], dim=1)
    words = (model.embed(torch.from_numpy(text.target_ids)).to(tokens.device) for text in texts)
    return torch.stack([alignment_loss(w, t) for w, t in zip(words, tokens, strict=True)]).sum()


def _save(projector: Projector, optimizer: torch.optim.Optimizer, steps: list[Step], path: Path) -> None:
    tensors = {f"weights.{name}": p.detach().numpy() for name, p in projector.named_parameters()}
    for name, p in projector.named_parameters():
        state = optimizer.state[p]
        tensors |= {f"{key}.{name}": state[key].numpy() for key in ("exp_avg", "exp_avg_sq")}
    tensors["steps"] = np.array([[step.number, step.nll, step.alignment] for step in steps])
    aside = path.with_suffix(".aside")
    save_tensors(aside, tensors)
    aside.replace(path)


def _resume(projector: Projector, optimizer: torch.optim.Optimizer, path: Path) -> list[Step]:
    """The steps that a checkpoint has behind it, its weights and Adam's moments put back; none without a sound one."""
    if not path.is_file():
        return []
    try:
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in load_tensors(path).items()}
    except ArtifactCorrupt as error:
        log.warning("the projector starts over: %s", error)
        return []
    steps = [Step(int(number), nll, alignment) for number, nll, alignment in tensors["steps"].tolist()]
    for name, p in projector.named_parameters():
        p.data.copy_(tensors[f"weights.{name}"])
        moments = {key: tensors[f"{key}.{name}"] for key in ("exp_avg", "exp_avg_sq")}
        optimizer.state[p] = {"step": torch.tensor(float(len(steps))), **moments}
    return steps
