"""Orders that trade some relevance for variety."""

import numpy as np
from numpy.typing import NDArray

from model_store.embeddings import unit_rows


def maximal_marginal_relevance(
    vectors: NDArray[np.float32], relevance: NDArray[np.float32], weight: float, count: int
) -> NDArray[np.int64]:
    """Places of `count` candidates, each the best by (1 - weight) relevance - weight (closest cosine to those before).

    Carbonell and Goldstein, SIGIR 1998. Relevance is brought to 0..1 first, so that it weighs as much as a cosine
    whatever the model's scale. Weight 0 keeps the order of relevance.
    Shapes: vectors (n, dim), relevance (n,) -> (min(count, n),).
    """
    spread = float(np.ptp(relevance)) if len(relevance) else 0.0
    gain = (relevance - relevance.min()) * ((1 - weight) / spread) if spread > 0 else np.zeros(len(relevance))
    directions = unit_rows(vectors)  # (n, dim)
    closest = np.full(len(relevance), -np.inf, np.float32)  # cosine to the nearest chosen one
    chosen = np.empty(min(count, len(relevance)), np.int64)
    for place in range(len(chosen)):
        best = int(np.argmax(gain - weight * closest if place else gain))
        chosen[place] = best
        gain[best] = -np.inf
        np.maximum(closest, directions @ directions[best], out=closest)
    return chosen
