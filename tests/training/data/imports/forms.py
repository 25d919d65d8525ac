"""One small shop in every form that can be imported: whatever the form, the same interactions come out of it.

20 users, 24 items; user u has item i if u + i is even: 12 items a user, 10 users an item.
"""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.training.toy_data import write_parquet

NUM_USERS, NUM_ITEMS = 20, 24
BEGIN = 1_600_000_000
COLOURS = ("red", "blue")

SMALL = """\
[vectors]
dim_per_level = 2
[tokenizer]
codebook_size = 8
[projector]
language_model = "llm"
max_steps = 1
num_style = 2
width = 4
[evaluation]
bootstrap_samples = 5
max_rows = 4
min_codebook_usage = 0.0
"""
"""A training of seconds, for a config that says no more than where its data are."""


class Event(NamedTuple):
    """One interaction, in numbers."""

    user: int
    item: int
    rating: int
    timestamp: int


def events() -> Iterator[Event]:
    """Ratings of 5 but one 2 a user; every user's times rise with the items, in an order of their own."""
    for user in range(NUM_USERS):
        for place in range(NUM_ITEMS // 2):
            item = (user + 2 * ((place + user) % (NUM_ITEMS // 2))) % NUM_ITEMS
            yield Event(user, item, 2 if place == 1 else 5, BEGIN + 86_400 * place + user)


def colour(item: int) -> str:
    return COLOURS[item // 2 % 2]


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Text lines, compressed if the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def write_json(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    write_lines(path, [json.dumps(record) for record in records])


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_plain(folder: Path) -> Path:
    """CSV under the canonical names, one file compressed, with integer ids."""
    log = [f"{e.user},{e.item},{e.rating},{e.timestamp}" for e in events()]
    write_lines(folder / "interactions.csv.gz", ["user_id,item_id,rating,timestamp", *log])
    items = [[i, f"Thing {i}", f"A {colour(i)} thing.\nIt is new.", f"things|{colour(i)}"] for i in range(NUM_ITEMS)]
    write_csv(folder / "items.csv", ["item_id", "title", "text", "categories"], items)
    people = [[u, f"User {u}.", f"team: {u % 2}"] for u in range(NUM_USERS)]
    write_csv(folder / "users.csv", ["user_id", "text", "groups"], people)
    explained = [[e.user, e.item, f"User {e.user} likes what item {e.item} is."] for e in events() if e.rating == 5]
    write_csv(folder / "explanations.csv", ["user_id", "item_id", "text"], explained)
    return folder


def write_shop(folder: Path) -> Path:
    """CSV under names of its own: two files of orders, semicolons in lists, times as text."""
    half = NUM_USERS // 2
    for number, users in enumerate((range(half), range(half, NUM_USERS))):
        rows = [
            [f"c{e.user:02d}", f"s{e.item:02d}", e.rating, f"2020-09-{13 + (e.timestamp - BEGIN) // 86_400} 12:26:40"]
            for e in events()
            if e.user in users
        ]
        write_csv(folder / f"orders-{number}.csv", ["customer", "sku", "stars", "ordered_at"], rows)
    products = [
        [f"s{i:02d}", f"Thing {i}", f"A {colour(i)} thing.", "In a box.", f"things;{colour(i)}", f"Maker {i % 3}"]
        for i in range(NUM_ITEMS)
    ]
    write_csv(folder / "products.csv", ["sku", "name", "blurb", "packing", "tags", "maker"], products)
    return folder


def write_warehouse(folder: Path) -> Path:
    """Parquet: events in parts, typed ids, real times."""
    (folder / "events").mkdir(parents=True)
    for part in range(2):
        mine = [e for e in events() if e.user % 2 == part]
        write_parquet(
            folder / "events" / f"part-{part}.parquet",
            user_id=[e.user for e in mine],
            item_id=[e.item for e in mine],
            timestamp=[e.timestamp for e in mine],
        )
    write_parquet(
        folder / "items.parquet",
        item_id=list(range(NUM_ITEMS)),
        title=[f"Thing {i}" for i in range(NUM_ITEMS)],
        categories=[["things", colour(i)] for i in range(NUM_ITEMS)],
    )
    return folder


def write_recbole(folder: Path) -> Path:
    """Atomic files as ML-100K has them, quotation marks included."""
    log = [f"{e.user}\t{e.item}\t{e.rating}\t{e.timestamp}" for e in events()]
    write_lines(folder / "ml-100k.inter", ["user_id:token\titem_id:token\trating:float\ttimestamp:float", *log])
    people = [f"{u}\t{20 + u}" for u in range(NUM_USERS)]
    write_lines(folder / "ml-100k.user", ["user_id:token\tage:token", *people])
    items = [f'{i}\tThe "Thing" {i}\t{1980 + i}\t{colour(i)} Drama' for i in range(NUM_ITEMS)]
    header = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"
    write_lines(folder / "ml-100k.item", [header, *items])
    return folder


def write_amazon(folder: Path) -> Path:
    """Reviews and items of Amazon Reviews 2023, compressed, with fields that nothing needs."""
    reviews = [
        {
            "rating": float(e.rating),
            "title": "Fine",
            "text": "It is what it is.",
            "asin": f"V{e.item:09d}",
            "parent_asin": f"{e.item:010d}",
            "user_id": f"A{e.user:027d}",
            "timestamp": e.timestamp * 1000,
            "verified_purchase": True,
        }
        for e in events()
    ]
    write_json(folder / "All_Beauty.jsonl.gz", reviews)
    sold = [
        {
            "main_category": "All Beauty",
            "title": f"Thing {i}",
            "features": ["In a box."],
            "description": [f"A {colour(i)} thing."],
            "store": f"Maker {i % 3}",
            "categories": ["Things", colour(i)] if i % 4 else [],
            "details": {"Colour": colour(i)},
            "parent_asin": f"{i:010d}",
        }
        for i in range(NUM_ITEMS)
    ]
    write_json(folder / "meta_All_Beauty.jsonl.gz", sold)
    return folder


def write_yelp(folder: Path) -> Path:
    """Reviews and businesses of the Yelp Open Dataset, beside a file that nothing needs."""
    reviews = [
        {
            "review_id": f"r{number}",
            "user_id": f"u{e.user:02d}",
            "business_id": f"b{e.item:02d}",
            "stars": e.rating,
            "text": "Nice.",
            "date": f"2020-09-{13 + (e.timestamp - BEGIN) // 86_400} 12:26:40",
        }
        for number, e in enumerate(events())
    ]
    write_json(folder / "yelp_academic_dataset_review.json", reviews)
    businesses = [
        {
            "business_id": f"b{i:02d}",
            "name": f"Place {i}",
            "city": "Tampa" if i % 3 else None,
            "state": "FL",
            "categories": f"Food, {colour(i).title()} Food" if i else None,
        }
        for i in range(NUM_ITEMS)
    ]
    write_json(folder / "yelp_academic_dataset_business.json", businesses)
    write_json(folder / "yelp_academic_dataset_tip.json", [{"text": "Go there."}])
    return folder


def parts() -> dict[str, list[Event]]:
    """A split as XRec has one: of every user the first item is valid and the last is test."""
    found: dict[str, list[Event]] = {"train": [], "valid": [], "test": []}
    for e in events():
        place = (e.timestamp - BEGIN) // 86_400
        found["valid" if place == 0 else "test" if place == NUM_ITEMS // 2 - 1 else "train"].append(e)
    return found


def explanation_rows() -> list[dict[str, Any]]:
    """Explanations of two items a user, in XRec's own names."""
    return [
        {
            "uid": e.user,
            "iid": e.item,
            "title": f"Thing {e.item}",
            "user_summary": f"User {e.user} likes things.",
            "item_summary": f"A {colour(e.item)} thing.",
            "explanation": f"The user {e.user} would enjoy thing {e.item}.",
        }
        for e in events()
        if (e.timestamp - BEGIN) // 86_400 in (2, 5)
    ]


def write_xrec(folder: Path) -> Path:
    """XRec's data folder: three CSV files of pairs, data.json, and a pickle that must not be opened."""
    for name, part in (("trn", "train"), ("val", "valid"), ("tst", "test")):
        write_csv(folder / f"total_{name}.csv", ["user", "item"], [[e.user, e.item] for e in parts()[part]])
    write_json(folder / "data.json", explanation_rows())
    (folder / "trn.pkl").write_bytes(b"cos\nabort\n(tR.")  # ends the process of whoever loads it
    return folder


def write_xrec_parquet(folder: Path) -> Path:
    """The same in the Parquet form."""
    folder.mkdir(parents=True)
    log = [(e.user, e.item, part) for part, mine in parts().items() for e in mine]
    users, items, splits = zip(*log, strict=True)
    write_parquet(folder / "interactions.parquet", user_id=users, item_id=items, split=splits)
    names = {"uid": "user_id", "iid": "item_id", "user_summary": "user_profile", "item_summary": "item_profile"}
    rows = explanation_rows()
    columns = {names.get(name, name): [row[name] for row in rows] for name in rows[0]}
    write_parquet(folder / "explanations.parquet", **columns)
    return folder
