"""Word-counting metrics on texts whose figures follow from their words."""

import pytest

from training.text_metrics import bleu, distinct, num_words, rouge_l, unique_share


def test_a_text_is_its_own_best():
    """Against itself every figure is 1, against a text without a common word 0."""
    texts = ["the film is dark and slow", "a bright short song"]
    assert rouge_l(texts, texts).tolist() == [1, 1]
    assert bleu(texts, texts) == pytest.approx(1)
    assert rouge_l(texts, texts[::-1]).tolist() == [0, 0]
    assert bleu(texts, texts[::-1], order=1) < 0.1


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence():
    """Four of five words in order, of a reference of six: precision .8, recall 4/6."""
    value = rouge_l(["the cat sat down there"], ["the big cat sat right there"])[0]
    assert value == pytest.approx(2 * 0.8 * (4 / 6) / (0.8 + 4 / 6))


def test_distinct_counts_different_n_grams():
    """Three different words of five, three different pairs of three; texts do not run into each other."""
    texts = ["so so good", "so bad"]
    assert distinct(texts, 1) == pytest.approx(3 / 5)
    assert distinct(texts, 2) == pytest.approx(3 / 3)
    assert distinct(["", "one"], 2) == 0


def test_one_sentence_for_all_is_hardly_unique():
    assert unique_share(["same", "same ", "same", "other"]) == 0.5


def test_words_are_counted_without_signs():
    assert num_words(["It's fine - really.", ""]).tolist() == [3, 0]
