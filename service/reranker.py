"""What the frozen LLM thinks of candidates, read from the probability of its first answer token."""

import asyncio

import numpy as np
from numpy.typing import NDArray

from model_store.catalog import Catalog
from model_store.rerank_prompt import answer_ids
from service.engine import Engine
from service.errors import ServiceError
from service.evidence import EvidenceSelector
from service.prompt_maker import PromptMaker
from service.recommendation import Ranking
from service.types import Candidates, Fallback, Subject

_DECIMALS = 4
"""Of log-odds. Logits of a bfloat16 model are eighths or coarser, so there are ties, and they keep the retrieved order:
what is left of them after the softmax's rounding must not decide."""


class Reranker:
    """Asks the LLM of each of the best candidates whether this user would enjoy it, Yes or No.

    Zero-shot recommendation (arXiv:2512.15614): user and item stand in the prompt as their behaviour tokens. Prompts
    are those that training's figures are made from (`model_store.rerank_prompt`, `training.rerank`).
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        evidence: EvidenceSelector,
        prompts: PromptMaker,
        engine: Engine,
        max_items: int,
    ) -> None:
        """`prompts` are those of `rerank_template`."""
        self.max_items = max_items
        """Candidates that are judged at most: the best as retrieved."""
        self._catalog = catalog
        self._evidence = evidence
        self._prompts = prompts
        self._answer_ids = answer_ids(prompts.encoder)
        self._engine = engine

    async def rerank(self, subject: Subject, candidates: Candidates, *, deadline_s: float) -> Ranking:
        """The best candidates in the LLM's order, then the others; all as retrieved where it does not judge in time."""
        judged = candidates.rows[: self.max_items].tolist()
        if not judged:
            return Ranking(candidates)
        try:
            async with asyncio.timeout(deadline_s):
                llm_scores = await self._judged(subject, judged)
        except TimeoutError:
            why = f"the language model did not judge within {round(1e3 * deadline_s)} ms"
            return Ranking(candidates, fallback=Fallback("no_rerank", why))
        except ServiceError as error:
            return Ranking(candidates, fallback=Fallback("no_rerank", str(error)))
        best = np.argsort(-llm_scores, kind="stable")
        order = np.concatenate([best, np.arange(len(judged), len(candidates.rows))])
        reranked = Candidates(candidates.rows[order], candidates.scores[order])
        return Ranking(reranked, dict(zip(judged, llm_scores.tolist(), strict=True)))

    async def _judged(self, subject: Subject, item_rows: list[int]) -> NDArray[np.float32]:
        """log P(Yes) - log P(No) of each item, from one call. Shapes: (n,) -> (n,)."""
        self._engine.refuse_unless_open(len(item_rows))  # before prompts are made for nobody
        prompts = await asyncio.to_thread(lambda: [self._prompt(subject, row) for row in item_rows])
        logprobs = await self._engine.first_token_logprobs(prompts, self._answer_ids)  # (n, 2)
        log_odds: NDArray[np.float32] = (logprobs[:, 0] - logprobs[:, 1]).round(_DECIMALS)
        return log_odds

    def _prompt(self, subject: Subject, item_row: int) -> NDArray[np.float32]:
        evidence = self._evidence.select(subject.tokens, subject.history, item_row)
        return self._prompts.embeds(self._catalog.item(item_row), evidence)
