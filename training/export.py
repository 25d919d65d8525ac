"""From what the stages made to a published version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from model_store.artifact import ArtifactParts
from model_store.behavior_tokenizer import BehaviorTokenizer, SideTokenizer
from model_store.catalog import Catalog, Histories
from model_store.embeddings import NodeEmbeddings, scan_depth
from model_store.language_model_spec import LanguageModelSpec
from model_store.prompt import PromptTemplate
from model_store.soft_tokens import SoftTokens
from model_store.store import ModelStore
from model_store.vocabulary import Vocabulary
from training.config import ExportConfig, RunConfig
from training.data import Dataset, Pairs

Vectors = NDArray[np.float32]
Codes = NDArray[np.uint16]

_SCAN_FROM = 5_000
"""Items from which a scan of codes pays: below, whole vectors are as fast."""
_SCAN_RECALL = 0.98
_SAMPLE = 200
"""Users whose searches say whether a scan is good enough."""
_BEST = 100


@dataclass(frozen=True, eq=False)
class Tokens:
    """What the tokenizer stage hands over. Shapes: user_codes (num_users, 6), item_codes (num_items, 6)."""

    user: SideTokenizer
    item: SideTokenizer
    user_codes: Codes
    item_codes: Codes
    vocabulary: Vocabulary


def build_index(items: Vectors, config: ExportConfig, *, queries: Vectors) -> NDArray[np.uint8]:
    """A serialised faiss index of the item vectors by inner product, (num_bytes,).

    Exact for few items; then 4-bit codes of two dimensions each (product quantisation, scanned in registers:
    arXiv:1812.09162), a sixteenth as large and several times as fast, unless they lose too many of the best for a
    sample of the queries; for many a graph (HNSW, arXiv:1603.09320), whose search time hardly grows.
    Shapes: items (num_items, dim), queries (n, dim), as the service will ask.
    """
    dim = items.shape[1]
    index: faiss.Index = faiss.IndexFlatIP(dim)
    index.add(np.ascontiguousarray(items, np.float32))
    if len(items) >= config.hnsw_from:
        index = faiss.IndexHNSWFlat(dim, config.hnsw_links, faiss.METRIC_INNER_PRODUCT)
        index.add(np.ascontiguousarray(items, np.float32))
    elif len(items) >= _SCAN_FROM and len(queries):
        scan = _scan_index(items)
        sample = queries[np.linspace(0, len(queries) - 1, _SAMPLE, dtype=np.int64)]
        index = scan if _recall(scan, index, sample) >= _SCAN_RECALL else index
    serialized: NDArray[np.uint8] = faiss.serialize_index(index)
    return serialized


def _scan_index(items: Vectors) -> faiss.Index:
    dim = items.shape[1]
    index = faiss.IndexPQFastScan(dim, dim // 2 if dim % 2 == 0 else dim, 4, faiss.METRIC_INNER_PRODUCT)
    index.train(np.ascontiguousarray(items, np.float32))
    index.add(np.ascontiguousarray(items, np.float32))
    return index


def _recall(scan: faiss.Index, exact: faiss.Index, queries: Vectors) -> float:
    """Share of exact search's best that are among what the service will fetch from the scan."""
    queries = np.ascontiguousarray(queries, np.float32)
    _, best = exact.search(queries, _BEST)
    _, fetched = scan.search(queries, min(scan_depth(_BEST), scan.ntotal))
    return float(np.mean([np.isin(rows, found).mean() for rows, found in zip(best, fetched, strict=True)]))


def catalog_of(dataset: Dataset, train: Pairs) -> Catalog:
    """Item texts and the number of training interactions of each."""
    popularity = np.bincount(train.items, minlength=dataset.num_items)
    return Catalog.from_items(dataset.item_ids, dataset.items, popularity)


def histories_of(dataset: Dataset, train: Pairs) -> Histories:
    """Each user's training items, oldest first where the data has times (an item met twice counts from its first)."""
    order = np.arange(train.num_pairs)
    times = dataset.interactions.timestamps
    if times is not None:
        log_keys = dataset.interactions.pairs.keys(dataset.num_items)
        by_key = np.lexsort((times, log_keys))
        first = by_key[np.searchsorted(log_keys[by_key], train.keys(dataset.num_items))]
        order = np.lexsort((train.items, times[first]))
    return Histories.from_pairs(train.users[order], train.items[order], dataset.num_users)


def artifact_parts(
    config: RunConfig,
    dataset: Dataset,
    train: Pairs,
    embeddings: NodeEmbeddings,
    tokens: Tokens,
    soft_tokens: SoftTokens,
    template: PromptTemplate,
    language_model: LanguageModelSpec,
    metrics: dict[str, Any],
) -> ArtifactParts:
    """Everything that a version is made of."""
    return ArtifactParts(
        user_ids=dataset.user_ids,
        catalog=catalog_of(dataset, train),
        histories=histories_of(dataset, train),
        embeddings=embeddings,
        tokenizer=BehaviorTokenizer(tokens.user, tokens.item, embeddings),
        user_codes=tokens.user_codes,
        item_codes=tokens.item_codes,
        soft_tokens=soft_tokens,
        vocabulary=tokens.vocabulary,
        index_bytes=build_index(embeddings.items, config.export, queries=embeddings.users),
        dataset=config.name,
        config=config.to_json(),
        metrics=metrics,
        language_model=language_model,
        prompt_template=template.to_json(),
    )


def publish(
    store: ModelStore, parts: ArtifactParts, language_model_folder: Path, extra_files: Mapping[str, bytes]
) -> str:
    """Put the LLM into the store and publish the parts beside it. Returns the version. ModelStoreError."""
    store.add_language_model(language_model_folder, parts.language_model)
    return store.publish(parts, extra_files=extra_files)
