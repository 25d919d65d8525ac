"""Do the parts of an artifact fit each other? Asked before publishing and again after loading."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from model_store.artifact import Contents
from model_store.errors import ArtifactIncompatible
from model_store.language_model_spec import LanguageModelSpec
from model_store.types import NUM_CODES, NUM_MICRO

Fact = tuple[str, object, object]
"""What, expected, found."""


def check_contents(parts: Contents, language_model: LanguageModelSpec) -> None:
    """Counts, shapes, dtypes and code ranges agree, else ArtifactIncompatible names the first that does not."""
    for facts in (_counts(parts), _embeddings(parts), _codebooks(parts), _ranges(parts)):
        for what, expected, found in facts:
            if expected != found:
                raise ArtifactIncompatible(what, expected, found)
    if parts.soft_tokens.hidden_size != language_model.hidden_size:
        what = f"hidden size of the soft tokens for {language_model.name}"
        raise ArtifactIncompatible(what, language_model.hidden_size, parts.soft_tokens.hidden_size)


def check_finite(parts: Contents) -> None:
    """Every vector and codeword is finite, else ArtifactIncompatible. Reads them all: asked before publishing only."""
    e, t = parts.embeddings, parts.tokenizer
    vectors = {"user vectors": e.users, "item vectors": e.items, "item text vectors": e.item_texts}
    vectors |= {"fold-in map": e.fold_in_map, "user codebook": t.user.macro.codebook}
    vectors |= {"item codebook": t.item.macro.codebook, "item micro codebooks": t.item.micro.codebooks}
    vectors |= {"user micro codebooks": t.user.micro.codebooks}
    soft = {f"soft tokens, {name}": array for name, array in parts.soft_tokens.to_tensors().items()}
    vectors |= {name: np.asarray(array, np.float32) for name, array in soft.items()}
    tables = {"user decode table": t.user.decode_table, "item decode table": t.item.decode_table}
    vectors |= {what: table for what, table in tables.items() if table is not None}
    for what, array in vectors.items():
        if not all(np.isfinite(row).all() for row in _blocks(array)):
            raise ArtifactIncompatible(what, "finite numbers", "a number that is not finite")


def _counts(parts: Contents) -> Iterator[Fact]:
    users, items, c, e = len(parts.user_ids), len(parts.catalog), parts.catalog, parts.embeddings
    yield "users with vectors", users, len(e.users)
    yield "users with histories", users, len(parts.histories)
    yield "user codes", (users, NUM_CODES), parts.user_codes.shape
    yield "items with vectors", items, len(e.items)
    yield "items with text vectors", items, len(e.item_texts)
    yield "items with degrees", (items,), e.item_degree.shape
    yield "item codes", (items, NUM_CODES), parts.item_codes.shape
    yield "item titles, texts and categories", (items,) * 3, (len(c.titles), len(c.texts), len(c.categories.rows))
    yield "items with popularity", (items,), c.popularity.shape


def _embeddings(parts: Contents) -> Iterator[Fact]:
    e = parts.embeddings
    yield "dimensions of user, item and text vectors", (2, 2, 2), (e.users.ndim, e.items.ndim, e.item_texts.ndim)
    yield "width of user vectors", e.dim_graph, e.users.shape[1]
    yield "fold-in map", (e.dim_graph, e.dim_graph), e.fold_in_map.shape
    for name in ("users", "items", "item_texts", "fold_in_map"):
        yield f"dtype of {name}", np.dtype(np.float32), getattr(e, name).dtype


def _codebooks(parts: Contents) -> Iterator[Fact]:
    size, dim, soft = parts.soft_tokens.codebook_size, parts.embeddings.dim_joint, parts.soft_tokens
    yield "codes that soft tokens are read from", (size, size), tuple(s.inner.shape[1] for s in (soft.user, soft.item))
    yield "width of the vectors by which soft tokens choose words", dim, soft.dim_joint
    for name, side in (("user", parts.tokenizer.user), ("item", parts.tokenizer.item)):
        yield f"{name} codebook", (size, dim), side.macro.codebook.shape
        yield f"{name} micro codebooks", (NUM_MICRO, size, dim), side.micro.codebooks.shape
        arrays = [side.macro.codebook, side.micro.codebooks]
        for weights, shape in ((side.macro.weights, (dim,)), (side.micro.weights, (NUM_MICRO, dim))):
            if weights is not None:
                yield f"{name} level weights", shape, weights.shape
                arrays.append(weights)
        if side.decode_table is not None:
            yield f"{name} decode table", (NUM_CODES, size, dim), side.decode_table.shape
            arrays.append(side.decode_table)
        yield f"dtype of {name} codebooks", {np.dtype(np.float32)}, {array.dtype for array in arrays}
    yield "codes in the vocabulary, by level", {size}, set(parts.vocabulary.sizes())


def _ranges(parts: Contents) -> Iterator[Fact]:
    size, items = parts.soft_tokens.codebook_size, len(parts.catalog)
    for name, codes in (("user", parts.user_codes), ("item", parts.item_codes)):
        yield f"dtype of {name} codes", np.dtype(np.uint16), codes.dtype
        yield f"{name} codes below {size}", True, int(codes.max(initial=0)) < size
    yield f"history entries below {items}", True, _within(parts.histories.indices, items)
    names = parts.catalog.categories.names
    yield f"category entries below {len(names)}", True, _within(parts.catalog.categories.rows.indices, len(names))


def _within(rows: NDArray[np.int32], count: int) -> bool:
    return not len(rows) or (int(rows.min()) >= 0 and int(rows.max()) < count)


def _blocks(array: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    return (array[start : start + 65_536] for start in range(0, len(array), 65_536))
