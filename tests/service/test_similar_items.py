"""POST /items/{item_id}/similar, held against the cosines that evidence uses."""

import numpy as np
import pytest

from model_store.catalog import Catalog
from model_store.embeddings import NodeEmbeddings, joint_cosines
from model_store.id_map import IdMap
from model_store.types import Item
from service.errors import UnknownItem
from service.schemas.browse import SimilarResponse
from service.similar_items import SimilarItems
from tests.artifacts import ITEM_IDS, NUM_ITEMS, colour_of

NUM = 60


@pytest.fixture
def embeddings() -> NodeEmbeddings:
    """Random vectors; item 7 has none at all."""
    rng = np.random.default_rng(0)
    items, texts = rng.normal(size=(NUM, 5)).astype(np.float32), rng.normal(size=(NUM, 3)).astype(np.float32)
    items[7], texts[7] = 0, 0
    return NodeEmbeddings(items[:1], items, texts, np.ones(NUM, np.int64), np.eye(5, dtype=np.float32))


@pytest.fixture
def similar(embeddings) -> SimilarItems:
    ids = IdMap.from_ids(range(NUM), kind="item")
    catalog = Catalog.from_items(ids, [Item(row, f"Title {row}") for row in range(NUM)], np.ones(NUM, np.int64))
    return SimilarItems("v", catalog, embeddings)


async def test_neighbours_are_the_highest_joint_cosines(similar, embeddings):
    """Of every item, in order, without the item itself and those that point away."""
    for row in range(NUM):
        found = await similar.of(row, 10)
        others = np.array([other for other in range(NUM) if other != row])
        cosines = joint_cosines(embeddings, others, row)
        best = [
            (int(others[at]), float(cosines[at])) for at in np.argsort(-cosines, kind="stable")[:10] if cosines[at] > 0
        ]
        assert [item.item_id for item in found.items] == [other for other, _ in best]
        assert [item.similarity for item in found.items] == pytest.approx([cosine for _, cosine in best], abs=1e-4)


async def test_k_beyond_the_catalogue_gives_all_that_point_the_same_way(similar):
    """An item without a vector has no neighbours and is nobody's."""
    assert (await similar.of(7, 100)).items == ()
    assert 7 not in [item.item_id for item in (await similar.of(0, 100)).items]


async def test_an_unknown_item_is_our_own_error(similar):
    """With the id as it was asked."""
    with pytest.raises(UnknownItem):
        await similar.of("nothing", 3)


async def test_the_route_answers_the_documented_form(service):
    """The nearest of a red item are red; the id in the path is text and finds the integer."""
    answer = await service.client.post(f"/items/{ITEM_IDS[2]}/similar", json={"k": 3})
    assert SimilarResponse.model_validate(answer.json()).model_dump() == answer.json()
    body = answer.json()
    assert (body["item_id"], body["title"]) == (ITEM_IDS[2], "Red Tale 2")
    assert {colour_of(ITEM_IDS.index(item["item_id"])) for item in body["items"]} == {"red"}
    assert len(body["items"]) == 3
    assert len((await service.client.post(f"/items/{ITEM_IDS[2]}/similar", json={})).json()["items"]) < NUM_ITEMS
    assert (await service.client.post("/items/none/similar", json={})).status_code == 404
