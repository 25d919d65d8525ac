"""Every form: what becomes of its fields."""

from pathlib import Path

import pytest

from tests.training.data.imports import forms
from training.data import Dataset, read_dataset
from training.data.dataset import digest
from training.data.errors import DatasetError, MappingError
from training.data.imports import ColumnMap, Form, ImportConfig, SplitBy, import_dataset
from training.data.split import SplitConfig, split


def imported(form: Form, source: Path, **options) -> Dataset:
    """The data set that an import leaves, read back."""
    target = source.parent / "made"
    import_dataset(source, target, ImportConfig(form, **options))
    return read_dataset(target)


def triples(dataset: Dataset) -> set[tuple[int, int, int | None]]:
    """User and item numbers and the rating of every interaction."""
    log = dataset.interactions
    ratings = [None] * len(log) if log.ratings is None else log.ratings.tolist()
    pairs = zip(log.users.tolist(), log.items.tolist(), ratings, strict=True)
    return {(number(dataset.user_ids.to_id(u)), number(dataset.item_ids.to_id(i)), rating) for u, i, rating in pairs}


def number(outside_id: int | str) -> int:
    """Of an id such as "c07" or 7."""
    return int(str(outside_id).lstrip("Acsub"))


ALL = {(e.user, e.item, e.rating) for e in forms.events()}

SHOP = ColumnMap.of_flags(
    columns=[
        "interactions.user_id=customer",
        "interactions.item_id=sku",
        "interactions.rating=stars",
        "interactions.timestamp=ordered_at",
        "items.item_id=sku",
        "items.title=name",
        "items.text=blurb",
        "items.text=packing",
        "items.categories=tags",
    ],
    files=["interactions=orders-*.csv", "items=products.csv"],
    facts=["maker=maker"],
    list_separator=";",
)


def test_columns_and_files_of_any_name_can_be_mapped(tmp_path):
    """Two files make one table, two columns one text; a column becomes facts, and the categories facts beside it."""
    dataset = imported(Form.TABULAR, forms.write_shop(tmp_path / "shop"), mapping=SHOP)
    assert triples(dataset) == ALL
    item = dataset.items[3]
    assert (item.item_id, item.title, item.text) == ("s03", "Thing 3", "A blue thing. In a box.")
    assert item.categories == ("things", "blue")
    assert dataset.items.facts[3] == ("category: things", "category: blue", "maker: Maker 0")
    assert dataset.interactions.timestamps is not None
    assert dataset.interactions.timestamps.min() == forms.BEGIN


def test_a_table_under_its_canonical_names_needs_no_flags(tmp_path):
    """Compressed CSV, texts with line breaks, integer ids: nothing is said, everything is found."""
    dataset = imported(Form.TABULAR, forms.write_plain(tmp_path / "plain"))
    assert triples(dataset) == ALL
    assert dataset.items[1].text == "A red thing.\nIt is new."
    assert dataset.explanations is not None
    assert len(dataset.explanations) == len(ALL) * 11 // 12


def test_parquet_in_parts_is_one_table(tmp_path):
    """A pattern stands for all files of a table; ids are the integers that they are."""
    mapping = ColumnMap.of_flags(files=["interactions=events/*.parquet"])
    dataset = imported(Form.TABULAR, forms.write_warehouse(tmp_path / "warehouse"), mapping=mapping)
    assert triples(dataset) == {(user, item, None) for user, item, _ in ALL}
    assert dataset.items[2].categories == ("things", "blue")


def test_atomic_files_of_recbole(tmp_path):
    """Types leave the header, spaces part lists, quotation marks are characters like others."""
    titles = ["items.title=movie_title", "items.categories=class"]
    mapping = ColumnMap.of_flags(titles, facts=["year=release_year"], groups=["age=age"])
    dataset = imported(Form.RECBOLE, forms.write_recbole(tmp_path / "ml-100k"), mapping=mapping)
    assert triples(dataset) == ALL
    assert dataset.items[2].title == 'The "Thing" 2'
    assert dataset.items.facts[2] == ("category: blue", "category: Drama", "year: 1982")
    assert dataset.user_groups is not None
    assert dataset.user_groups[dataset.user_ids.to_row(3)] == ("age: 23",)


def test_benchmark_files_of_recbole_bring_their_split(tmp_path):
    """NAME.train.inter and its like: the file is the part."""
    for part, mine in forms.parts().items():
        rows = [f"{e.user}\t{e.item}" for e in mine]
        forms.write_lines(tmp_path / "bench" / f"shop.{part}.inter", ["user_id:token\titem_id:token", *rows])
    dataset = imported(Form.RECBOLE, tmp_path / "bench")
    parted = split(dataset, SplitConfig())
    assert [part.num_pairs for part in (parted.train, parted.valid, parted.test)] == [200, 20, 20]


def test_reviews_and_items_of_amazon(tmp_path):
    """parent_asin is the item, with its zeros; milliseconds become seconds; store and categories become facts."""
    dataset = imported(Form.AMAZON, forms.write_amazon(tmp_path / "amazon"))
    assert triples(dataset) == ALL
    item = dataset.items[3]
    assert (item.item_id, item.title, item.text) == ("0000000003", "Thing 3", "A blue thing. In a box.")
    assert dataset.items.facts[3] == ("category: Things", "category: blue", "brand: Maker 0")
    assert dataset.items[0].categories == ("All Beauty",)
    assert dataset.interactions.timestamps is not None
    assert dataset.interactions.timestamps.min() == forms.BEGIN


def test_reviews_and_businesses_of_yelp(tmp_path):
    """A business's text is made of categories and place, as far as they are known."""
    dataset = imported(Form.YELP, forms.write_yelp(tmp_path / "yelp"))
    assert triples(dataset) == ALL
    assert [dataset.items[row].text for row in (0, 1, 3)] == [
        "FL.",
        "Food, Red Food in Tampa, FL.",
        "Food, Blue Food in FL.",
    ]
    assert dataset.items.facts[1] == ("category: Food", "category: Red Food", "city: Tampa")


def test_both_forms_of_xrec_are_one_data_set(tmp_path):
    """CSV with JSON, and Parquet: equal in everything; the pickle beside them is not opened."""
    original = imported(Form.XREC, forms.write_xrec(tmp_path / "original"))
    parquet = imported(Form.XREC, forms.write_xrec_parquet(tmp_path / "parquet"))
    assert digest(original) == digest(parquet)
    assert original.explanations is not None
    assert set(original.explanations.extra) == {"title", "user_profile", "item_profile"}
    assert original.items[original.explanations.items[0]].text.startswith("A ")
    assert "XRec" in original.terms


def test_pickles_alone_are_no_data(tmp_path):
    """Who has only pickles is told so."""
    (tmp_path / "xrec").mkdir()
    (tmp_path / "xrec" / "trn.pkl").write_bytes(b"")
    with pytest.raises(DatasetError, match="pickles only"):
        imported(Form.XREC, tmp_path / "xrec")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (Form.TABULAR, "a file interactions"),
        (Form.RECBOLE, r"a file ending in \.inter"),
        (Form.AMAZON, "reviews: a file"),
        (Form.YELP, "one file yelp_academic_dataset_review.json"),
        (Form.XREC, "data.json"),
    ],
)
def test_a_folder_without_the_form_s_files_is_named(tmp_path, form, said):
    """Each form says what it looks for."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=said):
        imported(form, tmp_path / "empty")


def test_known_columns_cannot_be_mapped(tmp_path):
    """A flag that would have no effect is refused."""
    with pytest.raises(MappingError, match="cannot be mapped"):
        imported(Form.YELP, forms.write_yelp(tmp_path / "yelp"), mapping=SHOP)


def test_a_split_can_take_the_place_of_the_data_s_own(tmp_path):
    """XRec's data has a split and no times: at random it can be split anew, by time it cannot."""
    source = forms.write_xrec_parquet(tmp_path / "xrec")
    kept, anew = (imported(Form.XREC, source, split_by=by).interactions.splits for by in (SplitBy.AUTO, SplitBy.RANDOM))
    assert kept is not None
    assert anew is not None
    assert (kept != anew).any()
    assert imported(Form.XREC, source, split_by=SplitBy.NONE).interactions.splits is None
    with pytest.raises(MappingError, match="no times"):
        imported(Form.XREC, source, split_by=SplitBy.TIME)
