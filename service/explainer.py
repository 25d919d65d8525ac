"""The use case behind POST /explain."""

import numpy as np
from numpy.typing import NDArray

from model_store.catalog import Catalog
from model_store.errors import UnknownId
from model_store.prompt import PromptEncoder, PromptTemplate, embed_prompt
from model_store.soft_tokens import SoftTokenTable
from model_store.token_embeddings import TokenEmbeddings
from model_store.types import Item, ItemId, Slot, UserId
from service import grounding
from service.engine import Engine
from service.errors import UnknownItem
from service.evidence import EvidenceSelector
from service.telemetry import Telemetry
from service.types import Evidence, Explanation, Generation, Source, Usage
from service.users import Users


class PromptMaker:
    """From an item and its evidence to the embeddings that the language model reads."""

    def __init__(
        self,
        template: PromptTemplate,
        encoder: PromptEncoder,
        token_embeddings: TokenEmbeddings,
        soft_tokens: SoftTokenTable,
    ) -> None:
        self._template = template
        self._encoder = encoder
        self._token_embeddings = token_embeddings
        self._soft_tokens = soft_tokens

    def embeds(self, item: Item, evidence: Evidence) -> NDArray[np.float32]:
        """The prompt, (seq, hidden_size) float32, finite."""
        titles = [past.title for past in evidence.past_items]
        prompt = self._template.render(title=item.title, text=item.about, history=titles)
        soft: dict[Slot, NDArray[np.float32]] = {
            "style": self._soft_tokens.style,
            "user": self._soft_tokens.lookup("user", evidence.user.tokens),
            "item": self._soft_tokens.lookup("item", evidence.item.tokens),
        }
        return embed_prompt(self._encoder.encode(prompt), self._token_embeddings, soft)


class Explainer:
    """Says why an item suits a user: evidence first, then words for it.

    Without `prompts` and `engine` (a service told to run without a language model) the words come from a template.
    """

    def __init__(
        self,
        *,
        version: str,
        users: Users,
        catalog: Catalog,
        evidence: EvidenceSelector,
        prompts: PromptMaker | None,
        engine: Engine | None,
        max_tokens: int,
        telemetry: Telemetry,
    ) -> None:
        self._version = version
        self._users = users
        self._catalog = catalog
        self._evidence = evidence
        self._prompts = prompts
        self._engine = engine
        self._max_tokens = max_tokens
        self._telemetry = telemetry

    async def explain(
        self, user_id: UserId, item_id: ItemId, *, max_tokens: int | None = None, temperature: float = 0.0
    ) -> Explanation:
        """One explanation. Raises UnknownUser, UnknownItem, and what LanguageModel.generate raises."""
        timings_ms: dict[str, float] = {}
        with self._telemetry.stage("total", timings_ms):
            user_row, item_row = self._users.row(user_id), self._item_row(item_id)
            item = self._catalog.item(item_row)
            with self._telemetry.stage("tokens", timings_ms):
                tokens = await self._users.tokens(user_row)
            with self._telemetry.stage("evidence", timings_ms):
                evidence = self._evidence.select(tokens, user_row, item_row)
            generation = await self._generate(item, evidence, max_tokens or self._max_tokens, temperature, timings_ms)
        return self._explanation(self._users.id(user_row), item, evidence, generation, timings_ms)

    def _item_row(self, item_id: ItemId) -> int:
        try:
            return self._catalog.ids.to_row(item_id)
        except UnknownId as error:
            raise UnknownItem(item_id) from error

    async def _generate(
        self, item: Item, evidence: Evidence, max_tokens: int, temperature: float, timings_ms: dict[str, float]
    ) -> Generation | None:
        if self._prompts is None or self._engine is None:
            return None
        with self._telemetry.stage("prompt", timings_ms):
            prompt_embeds = self._prompts.embeds(item, evidence)
        with self._telemetry.stage("decode", timings_ms):
            return await self._engine.generate(prompt_embeds, max_tokens=max_tokens, temperature=temperature)

    def _explanation(
        self,
        user_id: UserId,
        item: Item,
        evidence: Evidence,
        generation: Generation | None,
        timings_ms: dict[str, float],
    ) -> Explanation:
        verdict = grounding.Verdict(None, None) if generation is None else grounding.check(generation)
        if verdict.reason is not None:
            self._telemetry.count_rejection(verdict.reason)
        source: Source = "template" if verdict.text is None else "llm"
        self._telemetry.count_explanation(source)
        return Explanation(
            user_id=user_id,
            item_id=item.item_id,
            title=item.title,
            text=verdict.text or grounding.template(item.title, evidence),
            source=source,
            evidence=evidence,
            model_version=self._version,
            usage=Usage(generation.prompt_tokens, generation.completion_tokens) if generation else Usage(),
            finish_reason=generation.finish_reason if generation else "stop",
            timings_ms=timings_ms,
        )
