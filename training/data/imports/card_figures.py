"""The figures of a data card, counted in the Parquet files of a canonical folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from model_store.id_map import IdMap
from training.data.dataset import SPLITS
from training.data.imports.database import Database, quote, text_literal
from training.data.imports.mapping import TABLES
from training.data.imports.records import parquet_schema
from training.data.imports.statements import SQL_TYPES
from training.data.split import SplitConfig, item_roles

LEVELS: Final = {
    "min": 0.0,
    "10 %": 0.1,
    "25 %": 0.25,
    "median": 0.5,
    "75 %": 0.75,
    "90 %": 0.9,
    "99 %": 0.99,
    "max": 1.0,
}
WORDS: Final = r"len(regexp_split_to_array(trim({}), '\s+'))"

COUNTS: Final = """
WITH users AS (SELECT user_id FROM card.interactions UNION SELECT user_id FROM card.users
               UNION SELECT user_id FROM card.explanations),
     items AS (SELECT item_id FROM card.interactions UNION SELECT item_id FROM card.items
               UNION SELECT item_id FROM card.explanations),
     pairs AS (SELECT DISTINCT user_id, item_id FROM card.interactions),
     counted AS (SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM items) AS items,
                        (SELECT count(*) FROM card.interactions) AS interactions, (SELECT count(*) FROM pairs) AS pairs)
SELECT users, items, interactions, interactions - pairs AS repeated_pairs,
       1 - pairs / (users::DOUBLE * items) AS sparsity_share
FROM counted
"""
RATINGS: Final = """
SELECT min(rating)::DOUBLE AS lowest, avg(rating) AS mean, max(rating)::DOUBLE AS highest,
       avg((rating >= {min_rating})::INTEGER) AS liked_share
FROM card.interactions
"""
TIMES: Final = """
SELECT make_timestamp(min(timestamp) * 1000000)::DATE::VARCHAR AS first,
       make_timestamp(max(timestamp) * 1000000)::DATE::VARCHAR AS last
FROM card.interactions
"""
PARTS: Final = "SELECT " + ", ".join(f"count(*) FILTER (split = '{part}') AS {part}" for part in SPLITS)
TEXTS: Final = f"""
SELECT count(*) AS items_listed,
       (SELECT avg((item_id IN (SELECT item_id FROM card.items))::INTEGER) FROM card.interactions)
         AS interactions_with_listed_item_share,
       avg((title <> '' AND title IS NOT NULL)::INTEGER) AS items_with_title_share,
       avg((text <> '' AND text IS NOT NULL)::INTEGER) AS items_with_text_share,
       avg((len(categories) > 0 AND categories IS NOT NULL)::INTEGER) AS items_with_categories_share,
       avg((len(facts) > 0 AND facts IS NOT NULL)::INTEGER) AS items_with_facts_share,
       median({WORDS.format("text")}) FILTER (text <> '') AS median_words_of_a_text,
       (SELECT count(*) FROM card.users WHERE text <> '') AS users_with_text
FROM card.items
"""
EXPLANATIONS: Final = f"""
WITH pairs AS (SELECT DISTINCT user_id, item_id FROM card.explanations)
SELECT count(*) AS explanations, (SELECT count(*) FROM pairs) AS explained_pairs,
       (SELECT count(*) FROM pairs SEMI JOIN card.interactions USING (user_id, item_id))
         / nullif((SELECT count(*) FROM (SELECT DISTINCT user_id, item_id FROM card.interactions)), 0)
         AS interaction_pairs_explained_share,
       count(DISTINCT user_id) AS users_explained, count(DISTINCT item_id) AS items_explained,
       median({WORDS.format("text")}) AS median_words,
       count(DISTINCT text) / nullif(count(*), 0) AS distinct_texts_share,
       count(*) FILTER (role = 0) AS of_train_items, count(*) FILTER (role = 1) AS of_valid_items,
       count(*) FILTER (role = 2) AS of_test_items
FROM card.explanations JOIN card.roles USING (item_id)
"""
LEAKS: Final = """
WITH held_out AS (SELECT DISTINCT user_id, item_id FROM card.explanations JOIN card.roles USING (item_id)
                  WHERE role > 0),
     pairs AS (SELECT user_id, item_id, min(timestamp) AS first, count(DISTINCT split) AS parts,
                      coalesce(bool_or(split = 'train'), true) AS trains
               FROM card.interactions WHERE rating IS NULL OR rating >= {min_rating} GROUP BY user_id, item_id),
     users AS (SELECT max(first) FILTER (trains) AS last_training, min(first) FILTER (NOT trains) AS first_held_out
               FROM pairs GROUP BY user_id)
SELECT (SELECT count(*) FROM pairs WHERE parts > 1) AS pairs_in_several_parts,
       (SELECT CASE WHEN count(last_training) > 0 THEN count(*) FILTER (first_held_out < last_training) END FROM users)
         AS users_held_out_before_their_last_training,
       (SELECT count(*) FROM held_out SEMI JOIN (FROM pairs WHERE trains) USING (user_id, item_id))
         AS held_out_explained_pairs_in_training,
       (SELECT count(*) FROM card.explanations JOIN card.roles USING (item_id) WHERE role > 0 AND text IN
          (SELECT text FROM card.explanations JOIN card.roles USING (item_id) WHERE role = 0))
         AS held_out_explanations_repeated_in_training,
       (SELECT count(*) FROM card.explanations e JOIN card.items i USING (item_id) WHERE contains(i.text, e.text))
         AS explanations_within_their_item_text
"""


QUANTILES: Final = {
    "interactions of a user": "SELECT count(*) AS n FROM card.interactions GROUP BY user_id",
    "interactions of an item": "SELECT count(*) AS n FROM card.interactions GROUP BY item_id",
    "words of an item's text": f"SELECT {WORDS.format('text')} AS n FROM card.items WHERE text <> ''",
    "words of an explanation": f"SELECT {WORDS.format('text')} AS n FROM card.explanations",
}


def open_folder(folder: Path, database: Database, config: SplitConfig) -> None:
    """Make the schema `card`: each file of a canonical folder as a view with all columns, NULL where it has none.

    Its table `roles` says to which part each explained item belongs (training.data.split).
    """
    database.rows("CREATE SCHEMA card")
    log = parquet_schema(folder / "interactions.parquet")
    ids = {key: "BIGINT" if pa.types.is_integer(log.field(key).type) else "VARCHAR" for key in ("user_id", "item_id")}
    for table, kinds in TABLES.items():
        file = folder / f"{table}.parquet"
        there = parquet_schema(file).names if file.exists() else []
        types = {name: SQL_TYPES[kind] for name, kind in kinds.items()} | ids | {"split": "VARCHAR"}
        columns = [quote(name) if name in there else f"NULL::{types[name]} AS {quote(name)}" for name in kinds]
        rows = f"FROM read_parquet({text_literal(file)})" if there else "WHERE false"
        database.rows(f"CREATE VIEW card.{table} AS SELECT {', '.join(columns)} {rows}")
    explained = database.table("SELECT DISTINCT item_id FROM card.explanations").column("item_id")
    roles = item_roles(IdMap.from_ids(explained.to_pylist(), kind="item"), config)
    told = pa.table({"item_id": explained, "role": roles})
    database.rows("CREATE TABLE card.roles AS FROM told", told=told)


def section_figures(database: Database, config: SplitConfig) -> dict[str, dict[str, Any]]:
    """Section -> figure -> value of the opened folder; sections of which it has nothing are left out."""
    ratings = database.row(RATINGS.format(min_rating=config.min_rating))
    times, parts = database.row(TIMES), database.row(f"{PARTS} FROM card.interactions")
    explanations = database.row(EXPLANATIONS)
    sections = {
        "counts": database.row(COUNTS),
        "ratings": ratings if ratings["lowest"] is not None else {},
        "times": times if times["first"] else {},
        "split": parts if any(parts.values()) else {},
        "items and texts": database.row(TEXTS),
        "explanations": explanations if explanations["explanations"] else {},
        "leaks": database.row(LEAKS.format(min_rating=config.min_rating)),
    }
    return {name: figures for name, figures in sections.items() if figures}


def quantiles(database: Database) -> dict[str, dict[str, float]]:
    """What is counted -> quantile -> value, of the opened folder."""
    found = {}
    for name, counted in QUANTILES.items():
        ((values,),) = database.rows(f"SELECT quantile_cont(n, {[*LEVELS.values()]}) FROM ({counted})")
        if values is not None:
            found[name] = dict(zip(LEVELS, map(float, values), strict=True))
    return found
