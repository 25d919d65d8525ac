"""What a data set must have before anything is trained on it."""

import pytest

from tests.training.toy_data import table
from training.data.build import Tables, build_dataset
from training.data.errors import DatasetError


def test_a_dataset_has_an_interaction() -> None:
    """None at all is named as what it is."""
    with pytest.raises(DatasetError, match="at least one interaction"):
        build_dataset("none", Tables(table("log", user_id=[], item_id=[])))


def test_a_catalogue_of_other_ids_is_refused() -> None:
    """Items that share no id with the interactions teach nothing."""
    with pytest.raises(DatasetError, match="items, column 'item_id': expected ids that also stand"):
        build_dataset("two", Tables(table("log", user_id=[1], item_id=[1]), table("items", item_id=[2], title=["x"])))


def test_an_explanation_without_a_text_is_named() -> None:
    """Row and column of the blank one."""
    texts = table("why", user_id=[1, 1], item_id=[1, 2], text=["because", " "])

    with pytest.raises(DatasetError, match="why, row 2, column 'text': expected a text"):
        build_dataset("blank", Tables(table("log", user_id=[1], item_id=[1]), explanations=texts))


def test_a_user_and_an_item_known_from_an_explanation_only_have_rows() -> None:
    """Zero-shot rows: met by nobody, explained to somebody."""
    texts = table("why", user_id=[9], item_id=[8], text=["because"], item_profile=["a profile"])

    dataset = build_dataset("new", Tables(table("log", user_id=[1], item_id=[1]), explanations=texts))

    assert (dataset.num_users, dataset.num_items) == (2, 2)
    assert dataset.explanations is not None
    assert dataset.explanations.extra == {"item_profile": ("a profile",)}
    assert (dataset.explanations.users.tolist(), dataset.explanations.items.tolist()) == ([1], [1])
