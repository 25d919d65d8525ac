"""A published version of any size whose contents are drawn: for speed and memory, not for quality."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import (
    NUM_CODES,
    ArtifactParts,
    BehaviorTokenizer,
    Catalog,
    CodeMeaning,
    Histories,
    IdMap,
    Item,
    MacroQuantizer,
    MicroQuantizer,
    ModelStore,
    NodeEmbeddings,
    SideTokenizer,
    Vocabulary,
    default_template,
)
from tests.artifacts import CHAT, random_soft_tokens, tiny_language_model
from training.config import ExportConfig
from training.export import build_index

Vectors = NDArray[np.float32]

NUM_STYLE = 48
NUM_SOFT = 24
_WORDS_PER_CODE = 6
_NUM_WORDS = 2_000
_NUM_TASTES = 200
_ITEMS_PER_TASTE = 5
_CATEGORIES = ("Food", "Bars", "Coffee", "Shops", "Music", "Parks", "Books", "Games")


@dataclass(frozen=True)
class Size:
    """How large a made version is; the defaults are XRec's Yelp extract as `beat-train run` publishes it."""

    users: int = 15_962
    items: int = 14_085
    interactions_per_user: int = 20
    dim_graph: int = 320
    dim_text: int = 256
    codebook_size: int = 512


def publish_made_version(root: Path, size: Size, *, seed: int = 0) -> str:
    """Publish a made version with a tiny random LLM as `latest`. Returns its name."""
    store, downloaded = ModelStore(root), root.with_name(f"{root.name}-llm")
    spec = tiny_language_model(downloaded)
    store.add_language_model(downloaded, spec)
    random = np.random.default_rng(seed)
    users, items = made_interactions(size, random)
    degree = np.bincount(items, minlength=size.items)
    embeddings = _embeddings(size, degree, random)
    tokenizer = BehaviorTokenizer(_side(size, random), _side(size, random), embeddings)
    item_ids = IdMap.from_ids(np.arange(size.items), kind="item")
    slots = {"num_style": NUM_STYLE, "num_soft": NUM_SOFT}
    codes = {"codebook_size": size.codebook_size, "dim_joint": size.dim_graph + size.dim_text}
    parts = ArtifactParts(
        dataset="made",
        config={"made": vars(size), "seed": seed},
        metrics={},
        language_model=spec,
        prompt_template=default_template(CHAT, style_length=NUM_STYLE, num_soft=NUM_SOFT).to_json(),
        user_ids=IdMap.from_ids(np.arange(size.users), kind="user"),
        catalog=Catalog.from_items(item_ids, [_item(row) for row in range(size.items)], degree),
        histories=Histories.from_pairs(users, items, size.users),
        embeddings=embeddings,
        tokenizer=tokenizer,
        user_codes=random.integers(size.codebook_size, size=(size.users, NUM_CODES)).astype(np.uint16),
        item_codes=random.integers(size.codebook_size, size=(size.items, NUM_CODES)).astype(np.uint16),
        soft_tokens=random_soft_tokens(seed, **slots, **codes, num_words=4096, width=256),
        vocabulary=_vocabulary(size, random),
        index_bytes=build_index(embeddings.items, ExportConfig(), queries=embeddings.users),
    )
    return store.publish(parts)


def made_interactions(size: Size, random: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct pairs of user and item rows, popular items more often: two parallel arrays."""
    users = np.repeat(np.arange(size.users), size.interactions_per_user)
    items = (random.random(len(users)) ** 2 * size.items).astype(np.int64)
    pairs = np.unique(users * size.items + items)
    return pairs // size.items, pairs % size.items


def made_vectors(num: int, dim: int, random: np.random.Generator) -> Vectors:
    """Vectors that gather around tastes, in ever less important dimensions, some longer than others. (num, dim)."""
    tastes = random.standard_normal((_NUM_TASTES, dim), np.float32)
    vectors: Vectors = random.standard_normal((num, dim), np.float32)
    vectors += 3 * tastes[np.arange(num) % _NUM_TASTES]
    vectors *= (1 + np.arange(dim, dtype=np.float32)) ** -0.3
    vectors *= random.lognormal(0, 0.4, (num, 1)).astype(np.float32)
    return vectors


def made_users(items: Vectors, num: int, random: np.random.Generator) -> Vectors:
    """For each user the mean of a few items of two tastes, as one step of propagation makes it. (num, dim)."""
    users = np.zeros((num, items.shape[1]), np.float32)
    for taste in random.integers(_NUM_TASTES, size=(2, num)):
        for _ in range(_ITEMS_PER_TASTE):
            users += items[taste + _NUM_TASTES * random.integers(len(items) // _NUM_TASTES, size=num)]
    users /= 2 * _ITEMS_PER_TASTE
    return users


def _embeddings(size: Size, degree: NDArray[np.int64], random: np.random.Generator) -> NodeEmbeddings:
    items = made_vectors(size.items, size.dim_graph, random)
    return NodeEmbeddings(
        users=made_users(items, size.users, random),
        items=items,
        item_texts=_normal(random, (size.items, size.dim_text)),
        item_degree=degree,
        fold_in_map=np.eye(size.dim_graph, dtype=np.float32),
    )


def _side(size: Size, random: np.random.Generator) -> SideTokenizer:
    dim = size.dim_graph + size.dim_text
    macro, micro = _normal(random, (size.codebook_size, dim)), _normal(random, (NUM_CODES - 1, size.codebook_size, dim))
    return SideTokenizer(MacroQuantizer(macro), MicroQuantizer(micro))


def _vocabulary(size: Size, random: np.random.Generator) -> Vocabulary:
    drawn = random.integers(_NUM_WORDS, size=(2, NUM_CODES, size.codebook_size, _WORDS_PER_CODE)).tolist()
    sides = [
        tuple(tuple(CodeMeaning(tuple(f"word{word}" for word in words)) for words in level) for level in side)
        for side in drawn
    ]
    return Vocabulary(*sides)


def _item(row: int) -> Item:
    categories = tuple(_CATEGORIES[(row + step) % len(_CATEGORIES)] for step in (0, 3))
    return Item(row, f"Quiet Place {row:07d}", f"Guests of number {row} like long evenings.", categories)


def _normal(random: np.random.Generator, shape: tuple[int, ...]) -> Vectors:
    drawn: Vectors = 0.1 * random.standard_normal(shape, np.float32)
    return drawn
