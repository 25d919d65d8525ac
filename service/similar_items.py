"""Items that are close to an item, by what the tokenizer sees of them: graph and text together."""

import asyncio
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model_store.catalog import Catalog
from model_store.embeddings import NodeEmbeddings
from model_store.types import ItemId
from service.rows import item_row
from service.types import Neighbours, SimilarItem

_BLOCKING_ITEMS = 50_000
"""Up to so many items (about 2 ms) the search runs on the event loop."""


class SimilarItems:
    """The nearest items by cosine in the joint space; every item is looked at, in one pass over the vectors."""

    def __init__(self, version: str, catalog: Catalog, embeddings: NodeEmbeddings) -> None:
        self._version = version
        self._catalog = catalog
        self._embeddings = embeddings

    async def of(self, item_id: ItemId, k: int) -> Neighbours:
        """The k closest items, closest first, those that point away left out. Raises UnknownItem."""
        row = item_row(self._catalog.ids, item_id)
        if len(self._catalog) > _BLOCKING_ITEMS:
            return await asyncio.to_thread(self._closest, row, k)
        return self._closest(row, k)

    def _closest(self, row: int, k: int) -> Neighbours:
        e = self._embeddings
        cosines = (e.items @ e.items[row] + e.item_texts @ e.item_texts[row]) * self._scales * self._scales[row]
        cosines[row] = -np.inf
        k = min(k, len(cosines) - 1)
        best = np.argpartition(-cosines, k)[:k] if k else np.empty(0, np.int64)
        best = best[np.lexsort((best, -cosines[best]))]
        best = best[cosines[best] > 0]
        item = self._catalog.item(row)
        near = zip(best.tolist(), cosines[best].tolist(), strict=True)
        return Neighbours(
            item_id=item.item_id,
            title=item.title,
            items=tuple(
                SimilarItem(self._catalog.ids.to_id(other), self._catalog.titles[other], round(cosine, 4))
                for other, cosine in near
            ),
            model_version=self._version,
        )

    @cached_property
    def _scales(self) -> NDArray[np.float32]:
        """One over the length of every joint vector, (num_items,); 0 for a zero vector."""
        e = self._embeddings
        squares = np.einsum("nd,nd->n", e.items, e.items) + np.einsum("nd,nd->n", e.item_texts, e.item_texts)
        lengths = np.sqrt(squares)
        scales: NDArray[np.float32] = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return scales
