"""The shared fixtures do what tests rely on."""

import pytest
import redis

from tests.redis_server import RedisServer


def test_a_restarted_redis_answers_at_the_same_address_and_has_forgotten(redis_server: RedisServer) -> None:
    """Stop cuts the connection, start brings back an empty server under the same url."""
    client = redis.Redis.from_url(redis_server.url)
    client.set("key", "value")

    redis_server.stop()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    redis_server.start()

    assert client.get("key") is None
    client.close()
