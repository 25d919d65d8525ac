"""Where tokens lie: found by version and number of users alone, spread evenly."""

from zlib import crc32

import numpy as np

from service.token_layout import Place, TokenLayout


def test_a_place_is_the_documented_one():
    """CRC-32 of the id's text, modulo the number of buckets of 64 users; 42 and "42" are one user."""
    layout = TokenLayout("v1", 1000)
    assert layout.num_buckets == 16
    assert layout.place("ä") == Place(f"beat:v1:tokens:{crc32('ä'.encode()) % 16}", "ä".encode())
    assert layout.place(42) == layout.place("42")


def test_many_ids_are_placed_as_each_alone():
    """The publisher and the service agree."""
    layout, ids = TokenLayout("v1", 5000), [f"user-{number}" for number in range(5000)]
    buckets = layout.buckets([user_id.encode() for user_id in ids], len(ids))
    assert [layout.key(bucket) for bucket in buckets.tolist()] == [layout.place(user_id).key for user_id in ids]


def test_no_bucket_outgrows_a_packed_list():
    """Numbers and names alike: the fullest of 3,000 buckets stays below the 128 entries that Redis packs."""
    count = 200_000
    layout = TokenLayout("v1", count)
    for spelling in (b"%d", b"user-%08d", b"%032x"):
        sizes = np.bincount(layout.buckets((spelling % number for number in range(count)), count))
        assert sizes.max() < 128


def test_one_user_has_a_bucket():
    """A version of one user is no special case."""
    assert TokenLayout("v1", 1).place("only").key == "beat:v1:tokens:0"
