"""The data card: figures that follow from the data's making."""

import json
from pathlib import Path

import pytest

from tests.training.data.imports import forms
from tests.training.toy_data import write_parquet
from training.data.imports import DataCard, Form, ImportConfig, import_dataset
from training.data.split import SplitConfig

EVERY_ITEM_TESTS = SplitConfig(test_item_share=1.0, valid_item_share=0.0)
NO_ITEM_TESTS = SplitConfig(test_item_share=0.0, valid_item_share=0.0)


def card_of(source: Path, split: SplitConfig = NO_ITEM_TESTS) -> DataCard:
    return import_dataset(source, source.parent / "made", ImportConfig(Form.TABULAR, split=split))


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """Three users; pair (1, 7) is in two parts, (2, 8) is held out before training, one text stands in its item's."""
    folder = tmp_path / "leaky"
    write_parquet(
        folder / "interactions.parquet",
        user_id=[1, 1, 2, 2, 3],
        item_id=[7, 7, 8, 7, 9],
        rating=[5.0, 4.0, 5.0, 5.0, 1.0],
        timestamp=[0, 10, 5, 86_400, 86_400],
        split=["train", "test", "test", "train", "train"],
    )
    write_parquet(
        folder / "items.parquet",
        item_id=[7, 8],
        title=["Seven", None],
        text=["It is red and round, so you like it.", ""],
        categories=[["a"], []],
    )
    write_parquet(
        folder / "explanations.parquet", user_id=[1, 2, 2], item_id=[7, 8, 7], text=["It is red", "Blue", "It is red"]
    )
    return folder


def test_what_there_is_is_counted(leaky):
    """Users, items, pairs, shares, dates: each as the tables above have it."""
    figures = card_of(leaky).figures
    assert figures["counts"] == {
        "users": 3, "items": 3, "interactions": 5, "repeated_pairs": 1, "sparsity_share": pytest.approx(1 - 4 / 9),
    }  # fmt: skip
    assert figures["ratings"] == {"lowest": 1.0, "mean": 4.0, "highest": 5.0, "liked_share": 0.8}
    assert figures["times"] == {"first": "1970-01-01", "last": "1970-01-02"}
    assert figures["split"] == {"train": 3, "valid": 0, "test": 2}
    texts = figures["items and texts"]
    shares = [texts[f"items_with_{what}_share"] for what in ("title", "text", "categories", "facts")]
    assert shares == [0.5, 0.5, 0.5, 0]
    assert texts["interactions_with_listed_item_share"] == 0.8
    explained = figures["explanations"]
    assert (explained["explanations"], explained["explained_pairs"], explained["users_explained"]) == (3, 3, 2)
    assert explained["interaction_pairs_explained_share"] == 0.75
    assert explained["of_train_items"] == 3


def test_leaks_are_counted_and_said(leaky):
    """With every item on the test side, explained training pairs are leaks too."""
    card = card_of(leaky, EVERY_ITEM_TESTS)
    assert card.figures["leaks"] == {
        "pairs_in_several_parts": 1,
        "users_held_out_before_their_last_training": 1,
        "held_out_explained_pairs_in_training": 2,
        "held_out_explanations_repeated_in_training": 0,
        "explanations_within_their_item_text": 2,
    }
    notes = " ".join(card.notes)
    assert "2 pairs whose explanation is held out stand among the training interactions" in notes
    assert "No explanation is of an item on the training side" in notes


def test_activity_is_told_in_quantiles(tmp_path):
    """Every user of the shop has 12 interactions, every item 10."""
    quantiles = card_of(forms.write_plain(tmp_path / "plain")).quantiles
    assert set(quantiles["interactions of a user"].values()) == {12.0}
    assert set(quantiles["interactions of an item"].values()) == {10.0}
    assert quantiles["words of an item's text"]["max"] == 6


def test_a_split_of_ours_has_no_leak(tmp_path):
    """By time: no pair in two parts, and nobody is held out before a training interaction."""
    leaks = card_of(forms.write_plain(tmp_path / "plain")).figures["leaks"]
    assert (leaks["pairs_in_several_parts"], leaks["users_held_out_before_their_last_training"]) == (0, 0)


def test_the_card_is_saved_beside_the_tables(leaky):
    """JSON holds what is printed; Markdown is one table a section."""
    card = card_of(leaky)
    saved = json.loads((leaky.parent / "made" / "data_card.json").read_text())
    assert DataCard(saved["name"], saved["figures"], saved["quantiles"], tuple(saved["notes"]), ()) == card
    markdown = (leaky.parent / "made" / "data_card.md").read_text()
    assert markdown.startswith("# Data card: made\n")
    assert "| liked | 80.00% |" in markdown
    assert "## leaks" in markdown


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ({"categories": [["a"]]}, "writes them from likes and from the items' facts (0.0% of items have some)"),
        ({"title": ["One"]}, "Neither explanations nor facts nor categories"),
    ],
)
def test_what_explanations_can_be_made_of_is_said(tmp_path, items, said):
    """Before a run finds out."""
    write_parquet(tmp_path / "shop" / "interactions.parquet", user_id=["a"], item_id=["x"])
    write_parquet(tmp_path / "shop" / "items.parquet", item_id=["x"], **items)
    assert any(said in note for note in card_of(tmp_path / "shop").notes)
