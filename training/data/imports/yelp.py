"""Yelp Open Dataset: yelp_academic_dataset_business.json and _review.json, one JSON object a line.

A business has no description: its text is put together from its categories and its place. Source: the documentation at
https://business.yelp.com/data/resources/open-dataset.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from training.data.errors import DatasetError
from training.data.imports.json_source import json_source
from training.data.imports.records import as_text
from training.data.imports.source import Sources

TERMS: Final = """\
Yelp Open Dataset: https://business.yelp.com/data/resources/open-dataset
  Its use is bound to the Dataset User Agreement that came with the download (academic and educational purposes);
  read it before any other use.
"""
REVIEW: Final = pa.schema([(name, pa.string()) for name in ("user_id", "item_id", "rating", "timestamp")])
BUSINESS: Final = pa.schema(
    [("item_id", pa.string()), ("title", pa.string()), ("text", pa.string())]
    + [(name, pa.list_(pa.string())) for name in ("categories", "city")]
)


def yelp_sources(folder: Path) -> Sources:
    """Reviews and businesses of the folder; the other files (users, tips, check-ins, photos) are not needed."""
    reviews, businesses = _only_file(folder, "review"), _only_file(folder, "business")
    return Sources(
        (
            json_source("interactions", reviews, _review, REVIEW),
            json_source("items", businesses, _business, BUSINESS, statements=(("city", "city"),)),
        ),
        TERMS,
    )


def _only_file(folder: Path, what: str) -> Path:
    found = sorted(folder.glob(f"*_{what}.json*"))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DatasetError(folder, None, None, f"one file yelp_academic_dataset_{what}.json (or .json.gz)", names)
    return found[0]


def _review(record: Mapping[str, Any]) -> dict[str, str | None]:
    return {
        "user_id": as_text(record.get("user_id")),
        "item_id": as_text(record.get("business_id")),
        "rating": as_text(record.get("stars")),
        "timestamp": as_text(record.get("date")),
    }


def _business(record: Mapping[str, Any]) -> dict[str, str | list[str] | None]:
    listed = (part.strip() for part in (as_text(record.get("categories")) or "").split(","))
    categories = list(dict.fromkeys(part for part in listed if part))
    city, state = as_text(record.get("city")) or "", as_text(record.get("state")) or ""
    place = ", ".join(part for part in (city, state) if part)
    text = " in ".join(part for part in (", ".join(categories), place) if part)
    return {
        "item_id": as_text(record.get("business_id")),
        "title": as_text(record.get("name")),
        "text": f"{text}." if text else "",
        "categories": categories,
        "city": [city] if city else [],
    }
