"""Nodes to codes against faiss's residual quantizer, and codes into Redis against a bare stream of ready commands."""

from __future__ import annotations

import socket
import threading
import time
from urllib.parse import urlsplit

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, in_turn
from benchmarks.made_version import Size, made_vectors
from benchmarks.servers import redis
from model_store import NUM_CODES, IdMap, MacroQuantizer, MicroQuantizer, SideTokenizer
from service.adapters.token_publisher import TokenPublisher
from service.token_layout import TokenLayout

_NODES = 8_192
_USERS = 200_000
_TRAINED_ON = 4_096


def bench_tokenize(*, rounds: int) -> list[Figure]:
    """Both peers use the same codebooks or commands as ours; one thread."""
    faiss.omp_set_num_threads(1)
    size = Size()
    x = made_vectors(_NODES, size.dim_graph + size.dim_text, np.random.default_rng(0))
    peer = faiss.ResidualQuantizer(x.shape[1], NUM_CODES, int(np.log2(size.codebook_size)))
    peer.train_type, peer.max_beam_size = faiss.ResidualQuantizer.Train_default, 1  # greedy, as ours
    peer.train(x[:_TRAINED_ON])
    codebooks = faiss.vector_to_array(peer.codebooks).reshape(NUM_CODES, size.codebook_size, -1)
    ours = SideTokenizer(MacroQuantizer(codebooks[0]), MicroQuantizer(codebooks[1:]))
    encoding = in_turn(
        rounds, lambda: _NODES / _seconds(ours.encode, x), lambda: _NODES / _seconds(peer.compute_codes, x)
    )
    codes = np.random.default_rng(1).integers(size.codebook_size, size=(_USERS, NUM_CODES)).astype(np.uint16)
    ids = IdMap.from_ids(np.arange(_USERS), kind="user")
    loading = in_turn(rounds, lambda: _USERS / _published_s(ids, codes), lambda: _USERS / _streamed_s(codes))
    return [
        Figure("tokenize", "nodes/s, of faiss ResidualQuantizer's (beam 1)", encoding.ratio, at_least=1),
        Figure("tokenize", "nodes/s", float(np.median(encoding.ours))),
        Figure("tokenize", "users/s into Redis, of ready commands streamed", loading.ratio, at_least=0.5),
        Figure("tokenize", "users/s into Redis", float(np.median(loading.ours))),
    ]


def _seconds(encode: object, x: NDArray[np.float32]) -> float:
    assert callable(encode)
    begun = time.perf_counter()
    encode(x)
    return time.perf_counter() - begun


def _published_s(ids: IdMap, codes: NDArray[np.uint16]) -> float:
    with redis() as url:
        begun = time.perf_counter()
        TokenPublisher(url, version="made", ids=ids, codes=codes).publish(lambda _: None)
        return time.perf_counter() - begun


def _streamed_s(codes: NDArray[np.uint16]) -> float:
    """Seconds that Redis takes for the same hashes, sent as `redis-cli --pipe` does: bytes made before, one socket."""
    layout = TokenLayout("made", len(codes))
    hashes: dict[str, list[bytes]] = {}
    for user, row in enumerate(codes):
        place = layout.place(user)
        hashes.setdefault(place.key, []).extend((place.field, row.tobytes()))
    commands = [_command(b"HSET", key.encode(), *fields) for key, fields in hashes.items()]
    data = b"".join(commands) + _command(b"PING")
    with redis() as url, socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as connection:
        begun = time.perf_counter()
        _send_and_read(connection, data)
        return time.perf_counter() - begun


def _send_and_read(connection: socket.socket, data: bytes) -> None:
    """Answers are read while commands are still sent: Redis stops reading from a client who does not read."""
    sending = threading.Thread(target=connection.sendall, args=(data,))
    sending.start()
    last = b""
    while not last.endswith(b"+PONG\r\n"):
        last = (last + connection.recv(1 << 16))[-16:]
    sending.join()


def _command(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
