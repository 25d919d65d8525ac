"""What service and training agree on: ids, vectors, quantizers, soft tokens, prompts, the artifact's files."""

from model_store.artifact import Artifact, ArtifactParts
from model_store.behavior_tokenizer import BehaviorTokenizer, SideTokenizer
from model_store.catalog import Catalog, Categories, Histories, RowLists
from model_store.embeddings import NodeEmbeddings
from model_store.errors import ArtifactCorrupt, ArtifactIncompatible, ArtifactNotFound, ModelStoreError, UnknownId
from model_store.id_map import IdMap
from model_store.language_model_spec import ChatMarkup, LanguageModelSpec
from model_store.manifest import FORMAT_VERSION, Manifest
from model_store.prompt import EncodedPrompt, PromptEncoder, PromptTemplate, embed_prompt, neutralise
from model_store.quantizer import MacroQuantizer, MicroQuantizer
from model_store.soft_tokens import SideReader, SoftTokens, WordKeys
from model_store.store import LATEST, ModelStore
from model_store.string_table import StringTable
from model_store.templates import default_template, example_template
from model_store.token_embeddings import TokenEmbeddings
from model_store.types import (
    NUM_CODES,
    NUM_MICRO,
    BehaviorTokens,
    EmbedsPart,
    Item,
    ItemId,
    Prompt,
    Side,
    Slot,
    TextPart,
    UserId,
)
from model_store.vocabulary import CodeMeaning, Vocabulary

__all__ = [
    "FORMAT_VERSION",
    "LATEST",
    "NUM_CODES",
    "NUM_MICRO",
    "Artifact",
    "ArtifactCorrupt",
    "ArtifactIncompatible",
    "ArtifactNotFound",
    "ArtifactParts",
    "BehaviorTokenizer",
    "BehaviorTokens",
    "Catalog",
    "Categories",
    "ChatMarkup",
    "CodeMeaning",
    "EmbedsPart",
    "EncodedPrompt",
    "Histories",
    "IdMap",
    "Item",
    "ItemId",
    "LanguageModelSpec",
    "MacroQuantizer",
    "Manifest",
    "MicroQuantizer",
    "ModelStore",
    "ModelStoreError",
    "NodeEmbeddings",
    "Prompt",
    "PromptEncoder",
    "PromptTemplate",
    "RowLists",
    "Side",
    "SideReader",
    "SideTokenizer",
    "Slot",
    "SoftTokens",
    "StringTable",
    "TextPart",
    "TokenEmbeddings",
    "UnknownId",
    "UserId",
    "Vocabulary",
    "WordKeys",
    "default_template",
    "embed_prompt",
    "example_template",
    "neutralise",
]
