"""What service and training agree on: ids, vectors, quantizers, soft tokens, prompts, the artifact's files."""

from model_store.behavior_tokenizer import BehaviorTokenizer, SideTokenizer
from model_store.embeddings import NodeEmbeddings
from model_store.errors import ArtifactCorrupt, ArtifactIncompatible, ArtifactNotFound, ModelStoreError, UnknownId
from model_store.id_map import IdMap
from model_store.quantizer import MacroQuantizer, MicroQuantizer
from model_store.soft_tokens import SoftTokenTable
from model_store.string_table import StringTable
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

__all__ = [
    "NUM_CODES",
    "NUM_MICRO",
    "ArtifactCorrupt",
    "ArtifactIncompatible",
    "ArtifactNotFound",
    "BehaviorTokenizer",
    "BehaviorTokens",
    "EmbedsPart",
    "IdMap",
    "Item",
    "ItemId",
    "MacroQuantizer",
    "MicroQuantizer",
    "ModelStoreError",
    "NodeEmbeddings",
    "Prompt",
    "Side",
    "SideTokenizer",
    "Slot",
    "SoftTokenTable",
    "StringTable",
    "TextPart",
    "UnknownId",
    "UserId",
]
