import json
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from model_store.errors import ArtifactCorrupt
from model_store.tensor_file import load_tensors, save_tensors

dtypes = st.sampled_from(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"])
arrays = dtypes.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))


@given(tensors=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), arrays, max_size=5))
def test_tensors_survive_the_file_and_the_safetensors_library_reads_the_same(tmp_path_factory, tensors):
    """Every dtype and shape, empty ones and scalars too; the reference implementation is the judge of the format."""
    tensors.pop("__metadata__", None)
    path = tmp_path_factory.mktemp("t") / "x.safetensors"
    save_tensors(path, tensors, {"made": "here"})
    for found in (load_tensors(path), safetensors.numpy.load_file(path)):
        assert found.keys() == tensors.keys()
        for name, array in tensors.items():
            assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
            np.testing.assert_array_equal(found[name], array)


def test_files_of_the_safetensors_library_are_read(tmp_path):
    """LLM weights come from elsewhere."""
    tensors: dict[str, NDArray[Any]] = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.arange(3, dtype=np.uint8),
    }
    safetensors.numpy.save_file(tensors, tmp_path / "x.safetensors", {"format": "pt"})
    found = load_tensors(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(found["a"], tensors["a"])
    np.testing.assert_array_equal(found["b"], tensors["b"])


def test_the_same_tensors_give_the_same_bytes_whatever_their_order_in_memory(tmp_path):
    """Versions are named by content: neither dictionary order nor strides may show."""
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(3, dtype=np.int64)
    save_tensors(tmp_path / "1", {"a": a, "b": b})
    save_tensors(tmp_path / "2", {"b": b.astype(">i8"), "a": np.asfortranarray(a)})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_loaded_tensors_are_read_only_aligned_views(tmp_path):
    """Nothing is copied, nothing can be changed, and every element starts where its dtype wants it."""
    save_tensors(tmp_path / "x", {"odd": np.arange(3, dtype=np.uint8), "wide": np.arange(3, dtype=np.float64)})
    for array in load_tensors(tmp_path / "x").values():
        assert not array.flags.owndata
        assert array.flags.aligned
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_dtype_the_format_does_not_have_is_refused(tmp_path):
    """Python objects would be pickles."""
    with pytest.raises(TypeError, match="no safetensors dtype"):
        save_tensors(tmp_path / "x", {"a": np.array([object()])})


def _file(header: object, data: bytes = b"\0" * 8) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        (2**62).to_bytes(8, "little") + b"{}",
        (2**64 - 1).to_bytes(8, "little") + b"{}",
        _file(b"not json"),
        _file(b"\xff\xfe"),
        _file([1, 2]),
        _file({"a": 3}),
        _file({"a": {**ENTRY, "dtype": "F33"}}),
        _file({"a": {**ENTRY, "shape": [3]}}),
        _file({"a": {**ENTRY, "data_offsets": [0, 9]}}),
        _file({"a": {**ENTRY, "data_offsets": [8, 0]}}),
        _file({"a": {**ENTRY, "data_offsets": [-8, 8]}}),
        _file({"a": {**ENTRY, "data_offsets": [0, 7]}}),
        _file({"a": {**ENTRY, "more": 1}}),
        _file({"a": {"dtype": "F32"}}),
    ],
)
def test_what_is_no_safetensors_file_is_corrupt_and_named(tmp_path, data):
    """Short files, absurd lengths, broken headers and offsets outside the file: one error, with the file's name."""
    (tmp_path / "codes.safetensors").write_bytes(data)
    with pytest.raises(ArtifactCorrupt, match=r"codes\.safetensors"):
        load_tensors(tmp_path / "codes.safetensors")


def test_a_missing_file_is_corrupt_and_named(tmp_path):
    """An artifact without one of its files is a damaged artifact."""
    with pytest.raises(ArtifactCorrupt, match=r"codes\.safetensors"):
        load_tensors(tmp_path / "codes.safetensors")
