"""What is said of an arm's texts: closeness to the references, whose item they speak of, and how much they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.intervals import Values, bootstrap
from training.sentence_encoder import EncodedTexts, SentenceEncoder
from training.sentence_metrics import Vectors, bertscore_f1, identification, row_cosines
from training.text_metrics import bleu, distinct, num_words, rouge_l, unique_share

AMONG = (10, 100)
"""Items among which a text's own is looked for."""


@dataclass(frozen=True, eq=False)
class TextJudge:
    """The yardstick of all arms. Shapes: references n long; profiles (pool, dim), own (n,) columns of the pool."""

    encoder: SentenceEncoder
    references: Sequence[str]
    encoded: EncodedTexts
    profiles: Vectors
    own: NDArray[np.int64]
    samples: int
    seed: int

    @classmethod
    def of(
        cls,
        encoder: SentenceEncoder,
        references: Sequence[str],
        profiles: Sequence[str],
        own: NDArray[np.int64],
        samples: int,
        seed: int,
    ) -> TextJudge:
        """The judge of texts that speak of the items `own` (n,), positions in `profiles` (texts of the pool)."""
        encoded = encoder.encode(references)
        return cls(encoder, references, encoded, encoder.encode(profiles).vectors, own, samples, seed)

    def per_row(self, texts: Sequence[str], rows: NDArray[np.int64]) -> dict[str, Values]:
        """Figures of each text, (len(rows),) each; `rows` are the references that the texts stand beside."""
        found = self.encoder.encode(texts)
        similarities = found.vectors @ self.profiles.T
        pairs = zip(found.tokens, (self.encoded.tokens[row] for row in rows), strict=True)
        return {
            "bertscore": np.array([bertscore_f1(text, reference) for text, reference in pairs]),
            "cosine": row_cosines(found.vectors, self.encoded.vectors[rows]),
            "rouge_l": rouge_l(texts, [self.references[row] for row in rows]),
            **{
                f"identified_among_{among}": identification(similarities, self.own[rows], among)
                for among in AMONG
                if len(self.profiles) >= among
            },
            "words": num_words(texts),
        }

    def figures(self, texts: Sequence[str], rows: NDArray[np.int64], values: Mapping[str, Values]) -> dict[str, Any]:
        """Figures of all texts of an arm together; what has a value for each row has an interval."""
        references = [self.references[row] for row in rows]
        return {
            "rows": len(texts),
            **{name: bootstrap(each, self.samples, self.seed).to_json() for name, each in values.items()},
            "bleu": bleu(texts, references),
            "bleu_1": bleu(texts, references, order=1),
            "distinct_1": distinct(texts, 1),
            "distinct_2": distinct(texts, 2),
            "unique": unique_share(texts),
        }

    def most_typical(self) -> str:
        """The reference that is closest to all others: the sentence which, told of every pair, scores best."""
        vectors = self.encoded.vectors
        return self.references[int((vectors @ vectors.sum(axis=0)).argmax())]


def judged_texts(judge: TextJudge, arms: Mapping[str, Sequence[str | None]], ours: str) -> dict[str, Any]:
    """`arms`: figures of each; `against`: the arm `ours` (which has all texts) minus each other, row by row.

    A peer may have written of some rows only: it is judged, and compared, on those.
    """
    rows = {name: np.array([at for at, text in enumerate(texts) if text is not None]) for name, texts in arms.items()}
    there = {name: [text for text in texts if text is not None] for name, texts in arms.items()}
    per_row = {name: judge.per_row(texts, rows[name]) for name, texts in there.items()}
    return {
        "arms": {name: judge.figures(there[name], rows[name], values) for name, values in per_row.items()},
        "against": {
            name: {
                figure: bootstrap(per_row[ours][figure][rows[name]] - each, judge.samples, judge.seed).to_json()
                for figure, each in values.items()
            }
            for name, values in per_row.items()
            if name != ours
        },
    }
