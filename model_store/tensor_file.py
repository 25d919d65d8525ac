"""Tensors in a file, in the safetensors format, memory-mapped when read.

safetensors' own numpy calls hold every tensor twice while writing and copy it while reading; artifacts of a million
nodes are written straight from their arrays here and read as views of the file, page by page as they are needed.
Format: https://huggingface.co/docs/safetensors (8 bytes header length, JSON header, tensors without gaps).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.errors import ArtifactCorrupt

Tensors = dict[str, NDArray[Any]]

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}
_ALIGNMENT = 8
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit


def save_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None) -> None:
    """Write the tensors to a new file and force it to disk. The same tensors give the same bytes.

    TypeError for a dtype the format has no name for.
    """
    # Widest elements first keeps every tensor aligned without gaps, which the format forbids.
    arrays = {name: _contiguous(array) for name, array in tensors.items()}
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    with path.open("wb") as file:
        file.write(_header_bytes({name: arrays[name] for name in names}, metadata or {}))
        for name in names:
            file.write(arrays[name].reshape(-1).view(np.uint8).data)
        file.flush()
        os.fsync(file.fileno())


def load_tensors(path: Path) -> Tensors:
    """Every tensor of the file as a read-only view of the mapped file. ArtifactCorrupt where it is none."""
    size = path.stat().st_size if path.is_file() else 0
    if size < _ALIGNMENT:
        raise ArtifactCorrupt(path, "a safetensors file", f"{size} bytes")
    data = np.asarray(np.memmap(path, np.uint8, "r"))
    start = _ALIGNMENT + int(data[:_ALIGNMENT].view("<u8")[0])
    if start > min(size, _MAX_HEADER_BYTES):
        raise ArtifactCorrupt(path, f"a header within {size} bytes", f"a header of {start} bytes")
    try:
        header = json.loads(data[_ALIGNMENT:start].tobytes())
        header.pop("__metadata__", None)
        return {name: _view(data[start:], **entry) for name, entry in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactCorrupt(path, "a safetensors header", error) from error


def _contiguous(array: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(array)
    little = array.dtype.newbyteorder("<")
    if little not in _NAMES:
        raise TypeError(f"no safetensors dtype for {array.dtype}")
    return np.ascontiguousarray(array, little).reshape(array.shape)


def _header_bytes(arrays: Tensors, metadata: Mapping[str, str]) -> bytes:
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(_ALIGNMENT, "little") + text


def _view(data: NDArray[np.uint8], dtype: str, shape: list[int], data_offsets: list[int]) -> NDArray[Any]:
    begin, end = data_offsets
    if not 0 <= begin <= end <= len(data):
        raise ValueError(f"tensor bytes {begin}..{end} of {len(data)}")
    return data[begin:end].view(_DTYPES[dtype]).reshape(shape)
