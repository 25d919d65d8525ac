"""What can be said of texts by counting words: plain functions of texts and references.

None of these sees whether a text speaks of its own user and item: one sentence for all pairs scores nearly as high as
a trained model. They stand beside the margins and never in their place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WORD = re.compile(r"\w+(?:'\w+)?")


def words_of(text: str) -> list[str]:
    """The text's words, in lower case."""
    return WORD.findall(text.lower())


def rouge_l(texts: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """ROUGE-L F1 (Lin, 2004) of each text against its reference, without stemming, (n,)."""
    from rouge_score.rouge_scorer import RougeScorer  # nltk: a second that other commands do not pay

    scorer = RougeScorer(["rougeL"])
    pairs = zip(texts, references, strict=True)
    return np.array([scorer.score(reference, text)["rougeL"].fmeasure for text, reference in pairs], np.float64)


def bleu(texts: Sequence[str], references: Sequence[str], *, order: int = 4) -> float:
    """Corpus BLEU up to n-grams of `order` with sacrebleu's own tokenisation, as a share of 1."""
    from sacrebleu.metrics.bleu import BLEU

    scored = BLEU(lowercase=True, max_ngram_order=order, force=True).corpus_score(list(texts), [list(references)])
    return float(scored.score) / 100


def distinct(texts: Sequence[str], n: int) -> float:
    """Different n-grams as a share of all n-grams of the texts together (Li et al., 2016); 0 without any."""
    grams = [tuple(words[start : start + n]) for words in map(words_of, texts) for start in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def unique_share(texts: Sequence[str]) -> float:
    """Different texts as a share of all: 1 where no two pairs are told the same."""
    return len({text.strip() for text in texts}) / len(texts)


def num_words(texts: Sequence[str]) -> NDArray[np.float64]:
    """Words of each text, (n,)."""
    return np.array([len(words_of(text)) for text in texts], np.float64)
