"""Amazon Reviews 2023: reviews (CATEGORY.jsonl.gz) and what is sold (meta_CATEGORY.jsonl.gz), of one category or more.

An item is a parent_asin: what differs in colour or size only is one item. Source: Hou et al., "Bridging Language and
Items for Retrieval and Recommendation" (arXiv:2403.03952), https://amazon-reviews-2023.github.io.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from training.data.errors import DatasetError
from training.data.imports.json_source import json_source
from training.data.imports.records import as_text, as_texts
from training.data.imports.source import Sources

META: Final = "meta_"
ENDINGS: Final = (".jsonl", ".jsonl.gz")
TERMS: Final = """\
Amazon Reviews 2023, collected by McAuley Lab (UC San Diego): https://amazon-reviews-2023.github.io
  For its terms ask there. Please cite Hou, Li, He, Yan, Chen and McAuley, "Bridging Language and Items for Retrieval
  and Recommendation" (arXiv:2403.03952).
"""
REVIEW: Final = pa.schema([(name, pa.string()) for name in ("user_id", "item_id", "rating", "timestamp")])
ITEM: Final = pa.schema(
    [("item_id", pa.string()), ("title", pa.string()), ("text", pa.string())]
    + [(name, pa.list_(pa.string())) for name in ("categories", "brand")]
)


def amazon_sources(folder: Path) -> Sources:
    """The reviews and, where their files are there, the items of the folder."""
    files = sorted(file for file in folder.iterdir() if file.name.endswith(ENDINGS))
    reviews = [file for file in files if not file.name.startswith(META)]
    if not reviews:
        raise DatasetError(folder, None, None, "reviews: a file ending in .jsonl or .jsonl.gz, not called meta_*")
    log = [json_source("interactions", file, _review, REVIEW, time_unit="ms") for file in reviews]
    items = [
        json_source("items", file, _item, ITEM, statements=(("brand", "brand"),))
        for file in files
        if file not in reviews
    ]
    return Sources((*log, *items), TERMS)


def _review(record: Mapping[str, Any]) -> dict[str, str | None]:
    return {
        "user_id": as_text(record.get("user_id")),
        "item_id": as_text(record.get("parent_asin")),
        "rating": as_text(record.get("rating")),
        "timestamp": as_text(record.get("timestamp")),
    }


def _item(record: Mapping[str, Any]) -> dict[str, str | list[str] | None]:
    """The description goes first: prompts cut a text at its end, and features are often sizes and materials."""
    sentences = [*as_texts(record.get("description")), *as_texts(record.get("features"))]
    return {
        "item_id": as_text(record.get("parent_asin")),
        "title": as_text(record.get("title")),
        "text": " ".join(" ".join(sentences).split()),
        "categories": list(dict.fromkeys(as_texts(record.get("categories")) or as_texts(record.get("main_category")))),
        "brand": as_texts(record.get("store")),
    }
