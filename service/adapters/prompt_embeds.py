"""Prompt embeddings on their way into an engine: the check before, and vLLM's wire format.

One NaN poisons a vLLM server for every later request, and wrong shapes were reported to crash it
(vllm-project/vllm#17607), so nothing unchecked leaves the service. The wire format is what `torch.save` of a CPU tensor
writes (a stored zip of raw values and opcodes that describe them); it is put together here by hand, so that a service
whose LLM is elsewhere needs no torch. Tests read it back with `torch.load(weights_only=True)`, as vLLM does.
"""

import base64
import io
import struct
import zipfile
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

WireDtype = Literal["float32", "bfloat16"]
_STORAGES: Final[dict[WireDtype, bytes]] = {"float32": b"FloatStorage", "bfloat16": b"BFloat16Storage"}


def check_prompt_embeds(prompt_embeds: NDArray[Any], hidden_size: int) -> None:
    """Returns when an engine may read this array: (seq, hidden_size) float32, seq >= 1, every value finite.

    Raises ValueError, which is a mistake of ours and never of a client.
    """
    if prompt_embeds.ndim != 2 or prompt_embeds.shape[0] < 1 or prompt_embeds.shape[1] != hidden_size:
        raise ValueError(f"prompt_embeds: expected (seq, {hidden_size}), found {prompt_embeds.shape}")
    if prompt_embeds.dtype != np.float32:
        raise ValueError(f"prompt_embeds: expected float32, found {prompt_embeds.dtype}")
    if not np.isfinite(prompt_embeds).all():
        raise ValueError("prompt_embeds: every value must be finite")


def to_wire(prompt_embeds: NDArray[np.float32], dtype: WireDtype) -> str:
    """Base64 of the bytes that torch.load reads as a dense (seq, hidden_size) CPU tensor of `dtype`."""
    values = np.ascontiguousarray(prompt_embeds, "<f4")
    raw = values.tobytes() if dtype == "float32" else _bfloat16_bits(values).tobytes()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", _tensor_description(values.shape, _STORAGES[dtype]))
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/data/0", raw)
        archive.writestr("archive/version", b"3\n")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _bfloat16_bits(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Upper halves of the float32 values, rounded to the nearest, ties to even, as torch rounds. Finite values only."""
    bits = values.view("<u4")
    rounded: NDArray[np.uint16] = ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> 16).astype(
        "<u2"
    )
    return rounded


def _tensor_description(shape: tuple[int, ...], storage: bytes) -> bytes:
    """Opcodes, as torch writes them, for `_rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict())`."""
    rows, columns = shape
    persistent_id = (
        b"("
        + _text(b"storage")
        + b"ctorch\n"
        + storage
        + b"\n"
        + _text(b"0")
        + _text(b"cpu")
        + _int(rows * columns)
        + b"tQ"
    )
    size = _int(rows) + _int(columns) + b"\x86"
    stride = _int(columns) + _int(1) + b"\x86"
    hooks = b"ccollections\nOrderedDict\n)R"
    arguments = b"(" + persistent_id + _int(0) + size + stride + b"\x89" + hooks + b"t"
    return b"\x80\x02" + b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R."


def _text(value: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value


def _int(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)
