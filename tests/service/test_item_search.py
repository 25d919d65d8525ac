"""Requests that arrive together are searched together, and each gets its own answer."""

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from service.item_search import ItemSearch
from service.types import Candidates
from tests.fakes import FakeRetriever

NUM = 20
EYE = np.eye(NUM, dtype=np.float32)


class CountingRetriever(FakeRetriever):
    """Remembers the sizes of its batches; `fault` makes it fail."""

    def __init__(self, items: NDArray[np.float32]) -> None:
        super().__init__(items)
        self.batches: list[int] = []
        self.fault: RuntimeError | None = None

    def retrieve_many(self, vectors, ks, exclude_rows, allowed=None) -> list[Candidates]:
        if self.fault is not None:
            raise self.fault
        self.batches.append(len(ks))
        return super().retrieve_many(vectors, ks, exclude_rows, allowed)


@pytest.fixture
def retriever() -> CountingRetriever:
    return CountingRetriever(EYE)


@pytest.fixture
def search(retriever) -> ItemSearch:
    return ItemSearch(retriever, NUM)


def _nearest(search: ItemSearch, row: int, k: int, allowed: NDArray[np.bool_] | None = None):
    """What user `row` gets, who likes item `row` best and has had the next one."""
    return search.nearest(EYE[row], k, np.array([(row + 1) % NUM]), allowed)


async def test_requests_of_one_moment_share_a_search_and_keep_their_own_answers(search, retriever):
    """Twenty users at once, each with another k: one batch, and nobody gets another's items."""
    found = await asyncio.gather(*(_nearest(search, row, 1 + row % 3) for row in range(NUM)))
    assert retriever.batches == [NUM]
    for row, candidates in enumerate(found):
        assert candidates.rows[0] == row
        assert len(candidates.rows) == 1 + row % 3
        assert (row + 1) % NUM not in candidates.rows


async def test_later_requests_are_another_search(search, retriever):
    """A batch is closed once its search has begun."""
    await _nearest(search, 0, 1)
    await _nearest(search, 1, 1)
    assert retriever.batches == [1, 1]


async def test_a_client_that_leaves_takes_nobody_with_it(search):
    """The others of its batch are answered."""
    leaving, staying = (asyncio.create_task(_nearest(search, row, 1)) for row in (3, 4))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).rows.tolist() == [4]
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_failing_search_fails_all_that_wait_for_it_and_no_later_one(search, retriever):
    """Nobody hangs, and the next request is served."""
    retriever.fault = RuntimeError("broken index")
    found = await asyncio.gather(*(_nearest(search, row, 1) for row in range(3)), return_exceptions=True)
    assert [type(fault) for fault in found] == [RuntimeError] * 3
    retriever.fault = None
    assert (await _nearest(search, 5, 1)).rows.tolist() == [5]


async def test_filtered_requests_are_searched_alone(search, retriever):
    """Their neighbours have other filters, or none."""
    only_three = np.arange(NUM) == 3
    found = await asyncio.gather(_nearest(search, 0, 2, only_three), _nearest(search, 1, 1), _nearest(search, 2, 1))
    assert [candidates.rows.tolist() for candidates in found] == [[3], [1], [2]]
    assert sorted(retriever.batches) == [1, 2]
