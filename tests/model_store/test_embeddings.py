import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.embeddings import NodeEmbeddings, closest_items, joint_cosines

NUM_ITEMS = 9
rng = np.random.default_rng(0)
EMBEDDINGS = NodeEmbeddings(
    users=rng.normal(size=(3, 4)).astype(np.float32),
    items=rng.normal(size=(NUM_ITEMS, 4)).astype(np.float32),
    item_texts=rng.normal(size=(NUM_ITEMS, 2)).astype(np.float32),
    item_degree=np.array([0, 1, 2, 3, 4, 5, 6, 7, 100]),
    fold_in_map=rng.normal(size=(4, 4)).astype(np.float32),
)
histories = st.lists(st.integers(0, NUM_ITEMS - 1), min_size=1, max_size=20)


@given(histories, st.data())
def test_fold_in_is_the_normalised_propagation_of_the_paper(rows, data):
    """The vectorised sum equals the formula written out item by item in double precision."""
    weights = data.draw(st.none() | st.lists(st.floats(0, 2), min_size=len(rows), max_size=len(rows)))
    p = np.zeros(4)
    for row, weight in zip(rows, weights or [1.0] * len(rows), strict=True):
        degree = max(int(EMBEDDINGS.item_degree[row]), 1)
        p += weight * EMBEDDINGS.items[row].astype(float) / (len(rows) * degree) ** 0.5
    expected = p @ EMBEDDINGS.fold_in_map.astype(float)
    np.testing.assert_allclose(EMBEDDINGS.fold_in(rows, weights), expected, rtol=1e-4, atol=1e-5)


def test_fold_in_of_a_training_user_is_that_users_propagated_vector():
    """With the identity as map, folding in every training history is one step of the normalised adjacency matrix."""
    adjacency = np.array([[1, 1, 0], [0, 1, 1], [0, 1, 0]], np.float32)
    items = rng.normal(size=(3, 4)).astype(np.float32)
    degree = adjacency.sum(0).astype(np.int64)
    e = NodeEmbeddings(items, items, np.zeros((3, 0), np.float32), degree, np.eye(4, dtype=np.float32))
    normalised = adjacency / np.sqrt(adjacency.sum(1, keepdims=True) * adjacency.sum(0, keepdims=True))
    folded = np.stack([e.fold_in(np.flatnonzero(row)) for row in adjacency])
    np.testing.assert_allclose(folded, normalised @ items, rtol=1e-5, atol=1e-6)


@given(histories)
def test_the_order_of_a_history_does_not_matter(rows):
    """An unweighted history is a multiset."""
    np.testing.assert_allclose(EMBEDDINGS.joint_history(rows), EMBEDDINGS.joint_history(sorted(rows)), atol=1e-5)


def test_the_text_of_a_history_points_where_its_items_texts_do_on_the_whole():
    """Weights 3 and 1: the direction of three times one text plus the other, as long as the longest item text."""
    text = EMBEDDINGS.user_texts_of([2, 5], [3, 1])
    total = 3 * EMBEDDINGS.item_texts[2] + EMBEDDINGS.item_texts[5]
    longest = max(np.linalg.norm(vector) for vector in EMBEDDINGS.item_texts)
    np.testing.assert_allclose(text, longest * total / np.linalg.norm(total), rtol=1e-5)


def test_a_long_history_has_as_long_a_text_vector_as_a_short_one():
    """A mean would shrink with every item, and leave long histories to the graph alone."""
    lengths = [np.linalg.norm(EMBEDDINGS.user_texts_of(rows)) for rows in ([1], [1, 2], [0, 1, 2, 3])]
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-5)


def test_a_joint_vector_is_graph_then_text():
    """Tokens see both parts, in this order, for items and histories alike; of a history only where it points to."""
    np.testing.assert_array_equal(EMBEDDINGS.joint_item(3), [*EMBEDDINGS.items[3], *EMBEDDINGS.item_texts[3]])
    folded = EMBEDDINGS.fold_in([1, 2])
    expected = [*folded / np.linalg.norm(folded), *EMBEDDINGS.user_texts_of([1, 2])]
    np.testing.assert_allclose(EMBEDDINGS.joint_history([1, 2]), expected, rtol=1e-6)
    assert (EMBEDDINGS.dim_graph, EMBEDDINGS.dim_text, EMBEDDINGS.dim_joint) == (4, 2, 6)


@pytest.mark.parametrize("weights", [None, []])
def test_an_empty_history_is_the_zero_vector(weights):
    """No division by zero, and float32 like every other vector."""
    vector = EMBEDDINGS.joint_history([], weights)
    np.testing.assert_array_equal(vector, np.zeros(6))
    assert vector.dtype == np.float32


def test_weights_that_are_all_zero_are_the_zero_vector():
    """A history that has faded away entirely says nothing."""
    np.testing.assert_array_equal(EMBEDDINGS.joint_history([1, 2], [0, 0]), np.zeros(6))


def test_each_item_needs_its_weight():
    """A shorter list of weights is a mistake, not a broadcast."""
    with pytest.raises(ValueError, match="1 weights for 2 items"):
        EMBEDDINGS.fold_in([1, 2], [1.0])


def joint_space(*joint: list[float]) -> NodeEmbeddings:
    """Items of these joint vectors: two graph dimensions, then text."""
    vectors = np.array(joint, np.float32)
    items, texts = np.ascontiguousarray(vectors[:, :2]), np.ascontiguousarray(vectors[:, 2:])
    return NodeEmbeddings(items, items, texts, np.ones(len(items), np.int64), np.eye(2, dtype=np.float32))


def test_cosines_equal_those_of_the_joint_vectors():
    """An independent formula: normalise the concatenated vectors and multiply; a zero vector has cosine 0."""
    joint = rng.normal(size=(20, 5)).astype(np.float32)
    joint[7] = 0
    embeddings = joint_space(*joint.tolist())
    unit = joint / np.maximum(np.linalg.norm(joint, axis=1, keepdims=True), 1e-9)
    rows = np.array([3, 7, 11, 0])
    np.testing.assert_allclose(joint_cosines(embeddings, rows, 5), unit[rows] @ unit[5], atol=1e-6)
    assert joint_cosines(embeddings, rows, 7).tolist() == [0, 0, 0, 0]


def test_the_closest_items_come_best_first_each_once():
    """Of a history with a repetition and the asked item in it, the two closest, with their cosines."""
    embeddings = joint_space([1, 0, 0], [1, 0, 2], [1, 0, 1], [1, 0, 0.5])
    closest = closest_items(embeddings, np.array([1, 2, 0, 3, 3]), 0, 2)
    assert closest.rows.tolist() == [3, 2]
    np.testing.assert_allclose(closest.cosines, [1 / 1.25**0.5, 1 / 2**0.5], rtol=1e-6)


def test_items_that_point_elsewhere_are_not_close():
    """Opposite and orthogonal items are left out, although they are the only past there is."""
    embeddings = joint_space([1, 0], [-1, 0], [0, 1])
    np.testing.assert_allclose(joint_cosines(embeddings, np.array([1, 2]), 0), [-1, 0])
    assert closest_items(embeddings, np.array([1, 2]), 0, 3).rows.tolist() == []
    assert closest_items(embeddings, np.zeros(0, np.int64), 0, 3).rows.tolist() == []
