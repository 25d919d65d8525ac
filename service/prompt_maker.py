"""From what is known to what the language model reads."""

import numpy as np
from numpy.typing import NDArray

from model_store.prompt import PromptEncoder, PromptTemplate, embed_prompt
from model_store.soft_tokens import SoftTokens
from model_store.token_embeddings import TokenEmbeddings
from model_store.types import Item, Slot
from service.explanation import Evidence


class PromptMaker:
    """From an item and its evidence to the embeddings that the language model reads."""

    def __init__(
        self,
        template: PromptTemplate,
        encoder: PromptEncoder,
        token_embeddings: TokenEmbeddings,
        soft_tokens: SoftTokens,
    ) -> None:
        self._template = template
        self.encoder = encoder
        """The LLM's own tokenizer, as prompts use it."""
        self._token_embeddings = token_embeddings
        self._soft_tokens = soft_tokens

    def asking(self, template: PromptTemplate) -> "PromptMaker":
        """The maker of other prompts, from the same tokenizer and tables."""
        return PromptMaker(template, self.encoder, self._token_embeddings, self._soft_tokens)

    def embeds(self, item: Item, evidence: Evidence) -> NDArray[np.float32]:
        """The prompt, (seq, hidden_size) float32, finite."""
        titles = [past.title for past in evidence.past_items]
        prompt = self._template.render(title=item.title, text=item.about, history=titles)
        soft: dict[Slot, NDArray[np.float32]] = {
            "style": self._soft_tokens.style,
            "user": self._soft_tokens.of("user", evidence.user.tokens),
            "item": self._soft_tokens.of("item", evidence.item.tokens),
        }
        return embed_prompt(self.encoder.encode(prompt), self._token_embeddings, soft)
