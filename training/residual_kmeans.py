"""Levels of k-means, each over what those before it leave: quantizers of one side."""

from __future__ import annotations

from collections.abc import Callable

import faiss
import numpy as np
from numpy.typing import NDArray

from model_store.behavior_tokenizer import SideTokenizer
from model_store.embeddings import Vectors
from model_store.quantizer import Codes, MacroQuantizer, MicroQuantizer
from training.config import ConfigError, TokenizerConfig
from training.decode_table import code_means

Advance = Callable[[int], None]


def residual_kmeans(
    x: Vectors, weights: Vectors, config: TokenizerConfig, seed: int, on_level: Advance
) -> SideTokenizer:
    """Six levels of k-means, each over what is left by those before, as its weights show it.

    A codeword is the mean of its members' whole residuals, also in what its level does not look at: what text tells of
    the graph is taken along. Shapes: x (n, dim_joint), weights (6, dim_joint).
    """
    if len(x) < config.codebook_size:
        raise ConfigError(f"{len(x)} nodes cannot fill codebooks of {config.codebook_size}: lower codebook_size")
    codebooks, left = [], np.ascontiguousarray(x, np.float32)
    for level, seen in enumerate(weights):
        dims = np.flatnonzero(seen)
        centroids, codes = _kmeans(left[:, dims] * seen[dims], config, seed + level)
        codebook = code_means(left, codes, config.codebook_size)
        empty = np.bincount(codes, minlength=config.codebook_size) == 0
        codebook[np.ix_(empty, dims)] = centroids[empty] / seen[dims]  # a zero would draw nodes that are not its own
        codebooks.append(codebook)
        left = left - codebook[codes]
        on_level(1)
    macro, micro = MacroQuantizer(codebooks[0], weights[0]), MicroQuantizer(np.stack(codebooks[1:]), weights[1:])
    return SideTokenizer(macro, micro)


def _kmeans(x: Vectors, config: TokenizerConfig, seed: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Centroids (codebook_size, dim) and the nearest of them for each vector (n, dim)."""
    kmeans = faiss.Kmeans(
        x.shape[1],
        config.codebook_size,
        niter=config.kmeans_iterations,
        seed=seed,
        min_points_per_centroid=1,  # silences a warning; small data has few nodes a code
        max_points_per_centroid=len(x),
    )

    kmeans.train(x)
    return np.array(kmeans.centroids, np.float32), kmeans.assign(x)[1]


def of_codes(x: Vectors, codes: Codes, codebook_size: int) -> SideTokenizer:
    """Quantizers for codes that were learned elsewhere: each codeword is the mean of what its members have left.

    Strangers get the nearest of them, level after level; nodes that were trained on keep the codes that they have. A
    code of nobody stands far off.
    Shapes: x (n, dim_joint), codes (n, 6).
    """
    codebooks, left = [], np.ascontiguousarray(x, np.float32)
    reach = 4 * np.sqrt(np.einsum("nd,nd->n", left, left).max())
    for level in codes.T:
        codebook = code_means(left, level, codebook_size)
        left = left - codebook[level]
        codebook[np.bincount(level, minlength=codebook_size) == 0, 0] = reach
        codebooks.append(codebook)
    return SideTokenizer(MacroQuantizer(codebooks[0]), MicroQuantizer(np.stack(codebooks[1:])))
