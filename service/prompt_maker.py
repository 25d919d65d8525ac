"""From what is known to what the language model reads."""

import numpy as np
from numpy.typing import NDArray

from model_store.artifact import Artifact
from model_store.prompt import PromptEncoder, PromptTemplate, embed_prompt
from model_store.soft_tokens import SoftTokens
from model_store.token_embeddings import TokenEmbeddings
from model_store.types import EmbedsPart, Item, Prompt, Slot
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

    @classmethod
    def of(cls, artifact: Artifact) -> "PromptMaker":
        """The maker of a version's own prompts."""
        folder, spec = artifact.language_model_path, artifact.manifest.language_model
        template = PromptTemplate.from_json(artifact.manifest.prompt_template)
        table = TokenEmbeddings.open(folder, scale=spec.embedding_scale)
        return cls(template, PromptEncoder.open(folder), table, artifact.soft_tokens)

    def asking(self, template: PromptTemplate) -> "PromptMaker":
        """The maker of other prompts, from the same tokenizer and tables."""
        return PromptMaker(template, self.encoder, self._token_embeddings, self._soft_tokens)

    @property
    def beginning(self) -> NDArray[np.float32]:
        """What the prompts of all users and items begin with, (length, hidden_size): up to the first slot of a pair."""
        parts = self._template.render().parts
        own = [at for at, part in enumerate(parts) if isinstance(part, EmbedsPart) and part.slot != "style"]
        prompt = Prompt(parts[: min(own, default=0)])
        return embed_prompt(self.encoder.encode(prompt), self._token_embeddings, {"style": self._soft_tokens.style})

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
