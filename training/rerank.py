"""LLM reranking: the frozen LLM is asked of each candidate whether the user would enjoy it, and Yes goes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.prompt import EncodedPrompt, PromptTemplate
from model_store.rerank_prompt import answer_ids
from training.data import Rows, Split
from training.frozen_language_model import FrozenLanguageModel
from training.metrics import ndcg_at_k, recall_at_k
from training.prompted import Prompts
from training.ranking import top_items
from training.token_source import TokenSource

NUM_CANDIDATES = 20
KS = (5, 10)
BATCH = 10
"""Prompts at a time."""


def rerank_figures(
    source: TokenSource,
    model: FrozenLanguageModel,
    prompts: Prompts,
    template: PromptTemplate,
    parts: Split,
    users: Rows,
    *,
    on_prompts: Callable[[int], None] = lambda count: None,
) -> dict[str, Any]:
    """How well 20 candidates are ordered for these users, by the vectors that found them and by the LLM's answer.

    `retrieved`, `reranked`: Recall and NDCG at 5 and 10 on test items; `random`: NDCG of a random order is what an
    answer that says nothing comes to, here the mean over 100 of them; `moved`: mean change of rank. `template` is
    `rerank_template`.
    """
    embeddings = prompts.known.embeddings
    candidates = top_items(embeddings.users[users], embeddings.items, parts, users, NUM_CANDIDATES)  # (n, 20)
    scores = np.stack(
        [
            _log_odds(source, model, replace(prompts, template=template), int(user), items, on_prompts)
            for user, items in zip(users, candidates, strict=True)
        ]
    )
    order = np.argsort(-scores, axis=1, kind="stable")
    relevant = [set(parts.test.items[parts.test.users == user].tolist()) for user in users]
    hits = np.array(
        [[item in wanted for item in row] for row, wanted in zip(candidates.tolist(), relevant, strict=True)]
    )
    num_relevant = np.array([len(wanted) for wanted in relevant])
    rng = np.random.default_rng(0)
    shuffles = [_figures(rng.permuted(hits, axis=1), num_relevant) for _ in range(100)]
    return {
        "users": len(users),
        "candidates": candidates.shape[1],
        "retrieved": _figures(hits, num_relevant),
        "reranked": _figures(np.take_along_axis(hits, order, axis=1), num_relevant),
        "random": {name: float(np.mean([figures[name] for figures in shuffles])) for name in shuffles[0]},
        "moved": float(np.abs(order.argsort(axis=1) - np.arange(candidates.shape[1])).mean()),
    }


def _log_odds(
    source: TokenSource,
    model: FrozenLanguageModel,
    prompts: Prompts,
    user: int,
    items: Rows,
    on_prompts: Callable[[int], None],
) -> NDArray[np.float64]:
    """log p(Yes) - log p(No) for each item, (len(items),)."""
    encoded = [_question(prompts, user, int(item)) for item in items]
    scores = []
    for start in range(0, len(items), BATCH):
        chosen = items[start : start + BATCH]
        soft = source.soft(np.full(len(chosen), user), chosen)
        yes, no = model.next_token_logprobs(encoded[start : start + BATCH], soft, answer_ids(prompts.encoder)).T
        scores.append((yes - no).double().cpu().numpy())
        on_prompts(len(chosen))
    return np.concatenate(scores)


def _question(prompts: Prompts, user: int, item: int) -> EncodedPrompt:
    shown = prompts.known.item_of(item)
    titles = prompts.past_titles(user, item)
    return prompts.encoder.encode(prompts.template.render(title=shown.title, text=shown.about, history=titles))


def _figures(hits: NDArray[np.bool_], num_relevant: NDArray[np.int64]) -> dict[str, float]:
    recall = {f"recall@{k}": float(recall_at_k(hits, num_relevant, k).mean()) for k in KS}
    return {**recall, **{f"ndcg@{k}": float(ndcg_at_k(hits, num_relevant, k).mean()) for k in KS}}
