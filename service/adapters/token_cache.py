"""Where users' behaviour tokens are kept between requests: in this process, or in Redis."""

from collections import OrderedDict
from collections.abc import Sequence

from model_store.types import BehaviorTokens, UserId
from service.adapters.redis_table import RedisTable
from service.telemetry import Telemetry
from service.token_layout import TokenLayout
from service.types import Part


class MemoryTokenCache:
    """Tokens in a table of this process; the least recently asked users leave first."""

    def __init__(self, *, max_users: int, telemetry: Telemetry) -> None:
        self._max_users = max_users
        self._telemetry = telemetry
        self._tokens: OrderedDict[str, BehaviorTokens] = OrderedDict()
        telemetry.set_part_up("token_cache", True)

    async def get(self, user_id: UserId) -> BehaviorTokens | None:
        tokens = self._tokens.get(str(user_id))
        if tokens is not None:
            self._tokens.move_to_end(str(user_id))
        self._telemetry.count_lookup("tokens", "miss" if tokens is None else "hit")
        return tokens

    async def get_many(self, user_ids: Sequence[UserId]) -> list[BehaviorTokens | None]:
        return [await self.get(user_id) for user_id in user_ids]

    async def put(self, user_id: UserId, tokens: BehaviorTokens) -> None:
        self._tokens[str(user_id)] = tokens
        self._tokens.move_to_end(str(user_id))
        if len(self._tokens) > self._max_users:
            self._tokens.popitem(last=False)

    async def check(self) -> Part:
        return Part("ok", "in memory")

    async def close(self) -> None:
        self._tokens.clear()


class RedisTokenCache:
    """Tokens in Redis, 12 bytes a user in the hashes of a TokenLayout; one expires `ttl_s` after its last new user."""

    def __init__(
        self, url: str, *, layout: TokenLayout, ttl_s: int, pool_size: int, timeout_s: float, telemetry: Telemetry
    ) -> None:
        self._layout = layout
        self._table = RedisTable(
            url,
            use="tokens",
            decode=BehaviorTokens.from_bytes,
            ttl_s=ttl_s,
            pool_size=pool_size,
            timeout_s=timeout_s,
            telemetry=telemetry,
        )

    async def get(self, user_id: UserId) -> BehaviorTokens | None:
        return await self._table.get(self._layout.place(user_id))

    async def get_many(self, user_ids: Sequence[UserId]) -> list[BehaviorTokens | None]:
        return await self._table.get_many([self._layout.place(user_id) for user_id in user_ids])

    async def put(self, user_id: UserId, tokens: BehaviorTokens) -> None:
        self._table.put(self._layout.place(user_id), tokens.to_bytes())

    async def check(self) -> Part:
        return await self._table.check()

    async def close(self) -> None:
        await self._table.close()
