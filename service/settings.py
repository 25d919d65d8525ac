"""What the service can be told: made once, in `__main__`, and passed down. Nothing else reads the environment.

Every field is a flag of `beat-serve run` and an environment variable: `redis_pool_size` is `--redis-pool-size` and
`BEAT_REDIS_POOL_SIZE`. A flag wins over the variable.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit, urlunsplit

RetrieverName = Literal["faiss", "exact"]
Dtype = Literal["bfloat16", "float32"]
LogLevel = Literal["debug", "info", "warning", "error"]

MEMORY_CACHE = "memory://"
LOCAL_VLLM = "http://127.0.0.1:8101"
"""Where `make vllm` serves."""


class SettingsError(ValueError):
    """A setting has a value it cannot have; `name` is the field."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        self.name = name
        super().__init__(f"{name} is {value!r}; expected {expected}")


@dataclass(frozen=True)
class Settings:
    """All settings, validated. Raises SettingsError."""

    store: Path = Path("model_store/artifacts")
    """Folder of published versions."""
    version: str = "latest"
    """Version to serve."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8000
    """Port to listen on; 0 takes a free one."""
    redis: str = MEMORY_CACHE
    """Token cache: a redis:// URL, or memory:// to keep tokens in this process."""
    redis_pool_size: int = 16
    """Connections to Redis at most."""
    redis_timeout_ms: int = 200
    """Milliseconds to wait for Redis before answering without it."""
    token_ttl_s: int = 604_800
    """Seconds that Redis keeps a user's tokens."""
    memory_cache_users: int = 100_000
    """Users that memory:// holds; the least recently asked leave first."""
    retriever: RetrieverName = "faiss"
    """Item search: the exported faiss index, or exact search by numpy."""
    llm: str = "transformers"
    """transformers (in process), vllm (the server of `make vllm`), the URL of a vLLM server, or none (templates)."""
    llm_dtype: Dtype = "bfloat16"
    """Numbers that the LLM computes with in process, and that a vLLM server is sent; float32 is slower and exact."""
    llm_timeout_s: float = 60.0
    """Seconds that one generation may take."""
    llm_check_interval_s: float = 30.0
    """Seconds between canary generations that tell whether the LLM really answers."""
    max_tokens: int = 64
    """Tokens an explanation may have when the request does not say."""
    log_level: LogLevel = "info"
    """Least severe level that is logged."""
    access_log: bool = False
    """Log one line a request."""

    def __post_init__(self) -> None:
        for name, value, low, high in self._ranges():
            if not low <= value <= high:
                raise SettingsError(name, value, f"{low:g} to {high:g}")
        for name, choices in (("retriever", RetrieverName), ("llm_dtype", Dtype), ("log_level", LogLevel)):
            if getattr(self, name) not in get_args(choices):
                raise SettingsError(name, getattr(self, name), " or ".join(get_args(choices)))
        if self.redis != MEMORY_CACHE and not _is_url(self.redis, "redis", "rediss", "unix"):
            raise SettingsError("redis", without_secrets(self.redis), "memory:// or redis://HOST:PORT/DB")
        if self.llm not in ("transformers", "vllm", "none") and not _is_url(self.llm, "http", "https"):
            raise SettingsError("llm", without_secrets(self.llm), "transformers, vllm, none or http://HOST:PORT")

    def _ranges(self) -> tuple[tuple[str, float, float, float], ...]:
        return (
            ("port", self.port, 0, 65_535),
            ("redis_pool_size", self.redis_pool_size, 1, 1_024),
            ("redis_timeout_ms", self.redis_timeout_ms, 1, 60_000),
            ("token_ttl_s", self.token_ttl_s, 1, 315_360_000),
            ("memory_cache_users", self.memory_cache_users, 1, 100_000_000),
            ("llm_timeout_s", self.llm_timeout_s, 0.1, 3_600),
            ("llm_check_interval_s", self.llm_check_interval_s, 0.1, 86_400),
            ("max_tokens", self.max_tokens, 1, 256),
        )

    @property
    def llm_url(self) -> str | None:
        """Address of the vLLM server; None when no server is used."""
        if self.llm in ("transformers", "none"):
            return None
        return LOCAL_VLLM if self.llm == "vllm" else self.llm.rstrip("/").removesuffix("/v1")

    def printable(self) -> dict[str, str]:
        """Every setting as text, passwords in URLs masked."""
        return {field.name: without_secrets(str(getattr(self, field.name))) for field in dataclasses.fields(self)}


def without_secrets(url: str) -> str:
    """The same text; in a URL, user, password and query are masked (all three can carry a secret)."""
    parts = urlsplit(url)
    if not parts.scheme or not (parts.netloc or parts.query):
        return url
    _, at, address = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"***@{address}" if at else address, parts.path, "***" if parts.query else "", ""))


def _is_url(text: str, *schemes: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in schemes and bool(parts.netloc or (parts.scheme == "unix" and parts.path))
