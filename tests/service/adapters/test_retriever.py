"""One contract over every retriever; the answers follow from how the vectors were made."""

from collections.abc import Callable

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from service.adapters.retriever import ExactRetriever, FaissRetriever
from service.interfaces import Retriever
from tests.fakes import FakeRetriever

Items = NDArray[np.float32]
NOTHING = np.empty(0, np.int64)


def _hnsw(items: Items) -> FaissRetriever:
    index = faiss.IndexHNSWFlat(items.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.add(items)
    return FaissRetriever(items, faiss.serialize_index(index))


def _scan(items: Items) -> FaissRetriever:
    index = faiss.IndexPQFastScan(items.shape[1], items.shape[1], 4, faiss.METRIC_INNER_PRODUCT)
    index.train(items)
    index.add(items)
    return FaissRetriever(items, faiss.serialize_index(index))


RETRIEVERS: dict[str, Callable[[Items], Retriever]] = {
    "exact": ExactRetriever,
    "flat": FaissRetriever,
    "hnsw": _hnsw,
    "scan": _scan,
    "fake": FakeRetriever,
}


@pytest.fixture(params=RETRIEVERS)
def make(request: pytest.FixtureRequest) -> Callable[[Items], Retriever]:
    return RETRIEVERS[request.param]


@pytest.fixture
def ladder() -> Items:
    """Item r scores exactly r for the vector (1, 0), whatever its second coordinate."""
    return np.stack([np.arange(200, dtype=np.float32), np.tile([1, -1], 100).astype(np.float32)], axis=1)


EAST = np.array([1, 0], np.float32)


def test_the_best_come_first_with_their_inner_products(make, ladder):
    """The top of the ladder, and each score is the dot product."""
    found = make(ladder).retrieve(EAST, 3, NOTHING)
    assert found.rows.tolist() == [199, 198, 197]
    assert found.scores.tolist() == [199, 198, 197]
    assert (found.rows.dtype, found.scores.dtype) == (np.int64, np.float32)


def test_excluded_items_never_appear_and_their_places_are_filled(make, ladder):
    """Without the upper rungs (one of them named twice), the next ones come, still k of them."""
    found = make(ladder).retrieve(EAST, 3, np.array([199, 197, 199, 5]))
    assert found.rows.tolist() == [198, 196, 195]


def test_a_catalogue_that_runs_out_gives_what_it_has(make, ladder):
    """With all but two items excluded, both are found, and no row is made up."""
    found = make(ladder).retrieve(EAST, 10, np.arange(2, 200))
    assert found.rows.tolist() == [1, 0]


def test_nothing_is_left_when_all_is_excluded(make, ladder):
    """An empty answer, not an error."""
    found = make(ladder).retrieve(EAST, 10, np.arange(200))
    assert found.rows.tolist() == []
    assert found.scores.tolist() == []


def test_k_beyond_the_catalogue_gives_the_whole_catalogue(make, ladder):
    """Every item once, best first."""
    assert make(ladder).retrieve(EAST, 1000, NOTHING).rows.tolist() == list(range(199, -1, -1))


def test_many_at_once_answer_as_each_alone(make, ladder):
    """Whatever k and exclusions their neighbours in the batch have, up to more than the index filters by itself."""
    vectors = np.array([[1, 0], [-1, 0], [0.5, 100], [1, 0]], np.float32)
    ks = [3, 10, 1, 200]
    excluded = [np.array([199]), np.arange(150), NOTHING, np.tile(np.arange(100), 20)]
    retriever = make(ladder)
    together = retriever.retrieve_many(vectors, ks, excluded)
    for found, vector, k, exclude_rows in zip(together, vectors, ks, excluded, strict=True):
        alone = retriever.retrieve(vector, k, exclude_rows)
        assert found.rows.tolist() == alone.rows.tolist()
        np.testing.assert_allclose(found.scores, alone.scores, rtol=1e-5)


def test_many_exclusions_agree_with_exact_search():
    """Beyond the over-fetching limit the index filters by itself; the answer stays the exact one."""
    rng = np.random.default_rng(0)
    items = rng.normal(size=(3000, 8)).astype(np.float32)
    vector = rng.normal(size=8).astype(np.float32)
    seen = rng.permutation(3000)[:2000]
    exact = ExactRetriever(items).retrieve(vector, 20, seen)
    found = FaissRetriever(items).retrieve(vector, 20, seen)
    assert found.rows.tolist() == exact.rows.tolist()
    np.testing.assert_allclose(found.scores, exact.scores, rtol=1e-5)


def test_an_index_that_visits_too_little_still_fills_the_answer(ladder):
    """An inverted index that looks at one of four lists holds too few items for k: the exact answer is given."""
    quantizer = faiss.IndexFlatIP(2)
    index = faiss.IndexIVFFlat(quantizer, 2, 4, faiss.METRIC_INNER_PRODUCT)
    index.train(ladder)
    index.add(ladder)
    found = FaissRetriever(ladder, faiss.serialize_index(index)).retrieve(EAST, 190, np.array([199]))
    assert found.rows.tolist() == list(range(198, 8, -1))


def test_exact_search_is_numpy_sorting():
    """An independent formula: a stable sort of all scores."""
    rng = np.random.default_rng(1)
    items = rng.integers(-3, 4, size=(500, 4)).astype(np.float32)  # many ties
    vector = np.array([1, 2, -1, 3], np.float32)
    found = ExactRetriever(items).retrieve(vector, 50, NOTHING)
    assert found.rows.tolist() == np.argsort(-(items @ vector), kind="stable")[:50].tolist()


def test_an_index_over_other_vectors_is_refused(ladder):
    """An index with one item too few would shift every answer."""
    index = faiss.IndexFlatIP(2)
    index.add(ladder[:-1])
    with pytest.raises(ValueError, match="199"):
        FaissRetriever(ladder, faiss.serialize_index(index))


EVEN = np.arange(200) % 2 == 0


def test_only_allowed_items_appear(make, ladder):
    """Every second rung, without an excluded one; the places of all others are filled."""
    found = make(ladder).retrieve(EAST, 3, np.array([198, 197]), EVEN)
    assert found.rows.tolist() == [196, 194, 192]
    assert found.scores.tolist() == [196, 194, 192]


@pytest.mark.parametrize("allowed", [[3], [0, 7], []])
def test_the_few_allowed_items_are_found_wherever_they_rank(make, ladder, allowed):
    """One of two hundred, at the foot of the ladder; none of them; and never another in their place."""
    mask = np.zeros(200, np.bool_)
    mask[allowed] = True
    assert make(ladder).retrieve(EAST, 5, NOTHING, mask).rows.tolist() == sorted(allowed, reverse=True)


def test_what_is_allowed_at_the_wrong_end_is_still_found(make, ladder):
    """Half of the items pass, but the best half does not: fetching more than needed is not enough here."""
    assert make(ladder).retrieve(EAST, 2, NOTHING, np.arange(200) < 100).rows.tolist() == [99, 98]


def test_many_at_once_share_the_filter(make, ladder):
    """Each answers as it does alone."""
    vectors, ks = np.array([[1, 0], [-1, 0], [0.5, 100]], np.float32), [3, 5, 2]
    excluded = [NOTHING, np.array([0, 1]), np.arange(150)]
    retriever = make(ladder)
    found = retriever.retrieve_many(vectors, ks, excluded, EVEN)
    for place, candidates in enumerate(found):
        alone = retriever.retrieve(vectors[place], ks[place], excluded[place], EVEN)
        assert candidates.rows.tolist() == alone.rows.tolist()
