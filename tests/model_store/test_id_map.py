import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.errors import UnknownId
from model_store.id_map import IdMap
from model_store.string_table import StringTable
from model_store.tensor_file import load_tensors, save_tensors

int64 = st.integers(-(2**63), 2**63 - 1)
ids = st.lists(st.text(), unique=True) | st.lists(int64, unique=True)


@given(ids)
def test_ids_and_rows_are_each_others_inverse(ids):
    """The i-th id has row i and row i has the i-th id: unicode, empty strings, negative integers."""
    id_map = IdMap.from_ids(ids)
    assert [id_map.to_row(outside_id) for outside_id in ids] == list(range(len(ids)))
    assert [id_map.to_id(row) for row in range(len(id_map))] == ids
    assert id_map.to_rows(reversed(ids)).tolist() == list(reversed(range(len(ids))))


@given(ids)
def test_a_map_survives_its_tensors(ids):
    """A map read back answers as the one written, its ids of their own type."""
    id_map = IdMap.from_tensors(IdMap.from_ids(ids).to_tensors("users"), "users")
    assert [id_map.to_id(row) for row in range(len(id_map))] == ids
    assert [id_map.to_row(outside_id) for outside_id in ids] == list(range(len(ids)))


@given(ids, st.text() | int64)
def test_an_id_is_found_exactly_if_it_is_there(ids, wanted):
    """Membership agrees with the list of ids, where 42 and "42" count as one id."""
    id_map = IdMap.from_ids(ids)
    there = str(wanted) in [str(outside_id) for outside_id in ids]
    assert (wanted in id_map) == there
    if not there:
        with pytest.raises(UnknownId):
            id_map.to_row(wanted)


@pytest.mark.parametrize(("ids", "asked"), [([7, 42, -3], "42"), (["7", "42", "-3"], 42), ([7, -3], "-3")])
def test_the_other_type_finds_the_id_and_the_data_sets_own_type_comes_back(ids, asked):
    """JSON clients mix 42 and "42"; answers always carry the id as the data set has it."""
    id_map = IdMap.from_ids(ids)
    found = id_map.to_id(id_map.to_row(asked))
    assert str(found) == str(asked)
    assert type(found) is type(ids[0])


@pytest.mark.parametrize(
    "asked", ["042", "+42", " 42", "4_2", "٤٢", "42.0", "--42", "-", "", "9" * 5000, 2**63, -(2**63) - 1, "\ud800"]
)
def test_what_only_resembles_an_integer_id_is_unknown(asked):
    """Only how an integer is written finds it; endless digits and broken Unicode are unknown too, not a crash."""
    with pytest.raises(UnknownId) as caught:
        IdMap.from_ids([42, 0], kind="item").to_row(asked)
    assert (caught.value.kind, caught.value.outside_id) == ("item", asked)


@pytest.mark.parametrize("asked", [True, False, None, 1.0, b"1", "\ud800"])
def test_a_bool_or_another_type_is_no_id(asked):
    """True is not the id 1, neither among integers nor as the string "True"."""
    assert asked not in IdMap.from_ids([0, 1])
    assert asked not in IdMap.from_ids(["0", "1", "True", "False", "None", "1.0"])


@pytest.mark.parametrize("ids", [[1, "2"], ["1", 2], [True, False], [0, True], [1.5], [None]])
def test_ids_of_mixed_or_other_types_are_refused(ids):
    """A data set's ids are all int or all str."""
    with pytest.raises(TypeError, match="user ids must be all int or all str"):
        IdMap.from_ids(ids, kind="user")


@pytest.mark.parametrize("ids", [[1, 2, 1], ["a", "a"]])
def test_repeated_ids_are_refused(ids):
    """Two rows cannot share an id."""
    with pytest.raises(ValueError, match="repeated item ids"):
        IdMap.from_ids(ids, kind="item")


def test_integers_beyond_64_bits_are_refused():
    """They could not be stored."""
    with pytest.raises(ValueError, match="64 bits"):
        IdMap.from_ids([2**63])


def test_numpy_ids_are_taken_and_given_back_as_plain_integers():
    """Readers hand over columns; JSON needs plain integers."""
    id_map = IdMap.from_ids(np.array([5, -5], np.int32))
    assert id_map.to_rows(np.array([-5, 5])).tolist() == [1, 0]
    assert type(id_map.to_id(1)) is int


def test_colliding_hashes_still_find_the_right_row():
    """A key that two strings share is walked to the end: the string itself decides."""
    key = IdMap.from_ids(["b"]).keys[0]
    id_map = IdMap("id", StringTable.from_strings(["a", "b"]), np.array([key, key]), np.array([0, 1]))
    assert id_map.to_row("b") == 1


@pytest.mark.parametrize("row", [-1, 3])
def test_a_row_outside_the_map_is_an_index_error(row):
    """Rows are 0 to len - 1."""
    with pytest.raises(IndexError, match="3 item ids"):
        IdMap.from_ids([1, 2, 3], kind="item").to_id(row)


def test_tensors_of_different_lengths_are_refused():
    """Three ids with two keys are no map."""
    tensors = IdMap.from_ids([1, 2, 3]).to_tensors("users")
    with pytest.raises(ValueError, match="3 ids, 2 keys"):
        IdMap.from_tensors({**tensors, "users.keys": tensors["users.keys"][:2]}, "users")


def test_a_mapped_map_of_many_ids_answers_from_the_file(tmp_path):
    """A map read from disk holds views of the file, not copies, and finds first, last and absent ids."""
    id_map = IdMap.from_ids(f"item {n}" for n in range(20_000))
    save_tensors(tmp_path / "ids.safetensors", id_map.to_tensors("items"))
    found = IdMap.from_tensors(load_tensors(tmp_path / "ids.safetensors"), "items")
    assert not found.keys.flags.owndata
    assert (found.to_row("item 0"), found.to_row("item 19999")) == (0, 19_999)
    assert "item 20000" not in found
