"""Workshop: what prompts and their soft tokens are made of, in training and evaluation alike."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from model_store.artifact import Artifact
from model_store.prompt import PromptEncoder, PromptTemplate
from model_store.templates import default_template
from model_store.token_embeddings import TokenEmbeddings
from training.config import ProjectorConfig
from training.data import Explanations
from training.export import histories_of
from training.fetch_language_model import FetchedLanguageModel
from training.frozen_language_model import FrozenLanguageModel
from training.prepare import Prepared
from training.prompted import Known, Prompts
from training.style import example_prompt
from training.train_projector import CodedPairs
from training.train_tokenizer import TrainedTokenizer


@dataclass(frozen=True, eq=False)
class Workshop:
    """What prompts and their soft tokens are made of. One for training and evaluation alike."""

    language_model: FetchedLanguageModel
    template: PromptTemplate
    prompts: Prompts
    pairs: CodedPairs

    @classmethod
    def of(
        cls, data: Prepared, tokenizer: TrainedTokenizer, fetched: FetchedLanguageModel, config: ProjectorConfig
    ) -> Workshop:
        """For training on the explanations of a data set (which it must have)."""
        assert data.dataset.explanations is not None
        encoder, chat = PromptEncoder.open(fetched.folder), fetched.spec.chat
        example = example_prompt(encoder, chat, config.num_style, config.num_soft)
        length = config.num_examples * len(example.token_ids)
        template = default_template(chat, style_length=length, num_soft=config.num_soft)
        pairs = CodedPairs(data.dataset.explanations, tokenizer.user_codes, tokenizer.item_codes)
        known = Known(
            data.dataset.items.__getitem__, histories_of(data.dataset, data.split.train), tokenizer.embeddings
        )
        return cls.over(known, pairs, fetched, template, config)

    @classmethod
    def of_artifact(cls, artifact: Artifact, explanations: Explanations, config: ProjectorConfig) -> Workshop:
        """For judging a published version on explanations in its rows."""
        fetched = FetchedLanguageModel(artifact.language_model_path, artifact.manifest.language_model)
        template = PromptTemplate.from_json(artifact.manifest.prompt_template)
        pairs = CodedPairs(explanations, artifact.user_codes, artifact.item_codes)
        known = Known(artifact.catalog.item, artifact.histories, artifact.embeddings)
        return cls.over(known, pairs, fetched, template, config)

    @classmethod
    def over(
        cls,
        known: Known,
        pairs: CodedPairs,
        fetched: FetchedLanguageModel,
        template: PromptTemplate,
        config: ProjectorConfig,
    ) -> Workshop:
        """Prompts about these pairs, from what is known of their users and items."""
        encoder, eos = PromptEncoder.open(fetched.folder), fetched.spec.eos_token_ids[0]
        prompts = Prompts(known, pairs.explanations, template, encoder, eos, config.max_target_tokens)
        return cls(fetched, template, prompts, pairs)

    def open_model(self, dtype: str) -> FrozenLanguageModel:
        """The frozen LLM, its weights loaded."""
        spec = self.language_model.spec
        torch_dtype: torch.dtype = getattr(torch, dtype)
        return FrozenLanguageModel.open(
            self.language_model.folder, dtype=torch_dtype, embedding_scale=spec.embedding_scale
        )

    def embeddings(self) -> TokenEmbeddings:
        """The LLM's own input embeddings."""
        return TokenEmbeddings.open(self.language_model.folder, scale=self.language_model.spec.embedding_scale)
