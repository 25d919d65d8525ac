"""What the service can be told: made once, in `__main__`, and passed down. Nothing else reads the environment.

Every field is a flag of `beat-serve run` and an environment variable: `redis_pool_size` is `--redis-pool-size` and
`BEAT_REDIS_POOL_SIZE`. A flag wins over the variable. The field is the one definition: `setting_options` makes the
flags, and `Settings` checks the values.
"""

import dataclasses
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit, urlunsplit

from service.api_keys import ApiKeys

RetrieverName = Literal["faiss", "exact"]
Dtype = Literal["bfloat16", "float32"]
LogLevel = Literal["debug", "info", "warning", "error"]

_PREFIX = "BEAT_"
MEMORY_CACHE = "memory://"
LOCAL_VLLM = "http://127.0.0.1:8101"
"""Where `make vllm` serves."""


class SettingsError(ValueError):
    """A setting has a value it cannot have; `name` is the field."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        self.name = name
        super().__init__(f"{name} is {value!r}; expected {expected}")


@dataclass(frozen=True)
class About:
    """What a setting is for, and the least and the greatest number it can be."""

    help: str
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True)
class Settings:
    """All settings, validated. Raises SettingsError."""

    store: Annotated[Path, About("Folder of published versions.")] = Path("model_store/artifacts")
    version: Annotated[str, About("Version to serve.")] = "latest"
    latest_check_interval_s: Annotated[
        float, About("Seconds between looks at which version is the latest; 0 never looks.", 0, 86_400)
    ] = 10.0
    host: Annotated[str, About("Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, About("Port to listen on; 0 takes a free one.", 0, 65_535)] = 8000
    redis: Annotated[
        str, About("Caches of tokens and explanations: a redis:// URL, or memory:// for this process.")
    ] = MEMORY_CACHE
    redis_pool_size: Annotated[int, About("Connections to Redis at most.", 1, 1_024)] = 16
    redis_timeout_ms: Annotated[
        int, About("Milliseconds to wait for Redis before answering without it.", 1, 60_000)
    ] = 200
    token_ttl_s: Annotated[int, About("Seconds that Redis keeps a user's tokens.", 1, 315_360_000)] = 604_800
    memory_cache_users: Annotated[
        int, About("Users that memory:// holds; the least recently asked leave first.", 1, 100_000_000)
    ] = 100_000
    explanation_ttl_s: Annotated[int, About("Seconds that a cached explanation is kept.", 1, 315_360_000)] = 604_800
    memory_cache_explanations: Annotated[
        int, About("Explanations that memory:// holds; the least recently asked leave first.", 1, 100_000_000)
    ] = 10_000
    feedback_events: Annotated[
        int, About("Feedback events that are kept, in Redis or memory; the oldest leave first.", 1, 100_000_000)
    ] = 100_000
    feedback_users: Annotated[
        int, About("Users whose feedback counts at once; those quiet for longest leave first.", 1, 100_000_000)
    ] = 100_000
    retriever: Annotated[RetrieverName, About("Item search: the exported faiss index, or exact search by numpy.")] = (
        "faiss"
    )
    llm: Annotated[
        str, About("transformers (in process), vllm (of `make vllm`), the URL of a vLLM server, or none (templates).")
    ] = "transformers"
    llm_dtype: Annotated[
        Dtype, About("Numbers the LLM computes with, and that a vLLM server is sent; float32 is slower and exact.")
    ] = "bfloat16"
    llm_timeout_s: Annotated[float, About("Seconds that one generation may take.", 0.1, 3_600)] = 60.0
    llm_check_interval_s: Annotated[
        float, About("Seconds between canary generations that tell whether the LLM really answers.", 0.1, 86_400)
    ] = 30.0
    llm_check_timeout_s: Annotated[
        float, About("Seconds in which a canary must answer while nothing else is answered.", 0.1, 3_600)
    ] = 10.0
    llm_max_prompts: Annotated[
        int, About("Prompts at work or waiting at most; beyond, requests are told to come back (429).", 1, 10_000)
    ] = 64
    rerank_items: Annotated[
        int, About("Candidates that the LLM judges where a request asks it to rerank; each is one prompt.", 1, 100)
    ] = 20
    max_tokens: Annotated[int, About("Tokens an explanation may have when the request does not say.", 1, 256)] = 64
    api_keys: Annotated[
        str, About("Who may ask: NAME:SCOPES:SHA256 for each key, as `beat-serve new-key` prints it; empty: anybody.")
    ] = ""
    rate_limit_per_s: Annotated[
        float, About("Requests a second that one API key may make on average; 0: any number.", 0, 1e6)
    ] = 0.0
    rate_limit_burst: Annotated[int, About("Requests that one API key may make at once.", 1, 1_000_000)] = 50
    otlp_endpoint: Annotated[
        str, About("Send traces here: the base URL of an OTLP/HTTP collector, as http://HOST:4318; empty: no traces.")
    ] = ""
    log_level: Annotated[LogLevel, About("Least severe level that is logged.")] = "info"
    access_log: Annotated[bool, About("Log one line a request.")] = False

    def __post_init__(self) -> None:
        for name, setting in SETTINGS.items():
            value, about = getattr(self, name), setting.about
            if get_origin(setting.type) is Literal and value not in get_args(setting.type):
                raise SettingsError(name, value, " or ".join(get_args(setting.type)))
            if isinstance(value, int | float) and not about.low <= value <= about.high:
                raise SettingsError(name, value, f"{about.low:g} to {about.high:g}")
        if self.redis != MEMORY_CACHE and not _is_url(self.redis, "redis", "rediss", "unix"):
            raise SettingsError("redis", without_secrets(self.redis), "memory:// or redis://HOST:PORT/DB")
        if self.llm not in ("transformers", "vllm", "none") and not _is_url(self.llm, "http", "https"):
            raise SettingsError("llm", without_secrets(self.llm), "transformers, vllm, none or http://HOST:PORT")
        if self.otlp_endpoint and not _is_url(self.otlp_endpoint, "http", "https"):
            raise SettingsError("otlp_endpoint", without_secrets(self.otlp_endpoint), "http://HOST:4318")
        try:
            self.keys()
        except ValueError as error:
            raise SettingsError("api_keys", "***", str(error)) from None
        if self.rate_limit_per_s and not self.api_keys:
            raise SettingsError("rate_limit_per_s", self.rate_limit_per_s, "0 without api_keys: it is counted by key")

    def keys(self) -> ApiKeys:
        """The API keys."""
        return ApiKeys(self.api_keys)

    @property
    def llm_url(self) -> str | None:
        """Address of the vLLM server; None when no server is used."""
        if self.llm in ("transformers", "none"):
            return None
        return LOCAL_VLLM if self.llm == "vllm" else self.llm.rstrip("/").removesuffix("/v1")

    def printable(self) -> dict[str, str]:
        """Every setting as text, passwords in URLs and digests of keys masked."""
        return {name: without_secrets(str(getattr(self, name))) for name in SETTINGS} | {"api_keys": str(self.keys())}


@dataclass(frozen=True)
class Setting:
    """One field of Settings, as the command line and the environment know it."""

    name: str
    type: Any
    default: Any
    about: About

    @property
    def flag(self) -> str:
        """Its option of `beat-serve run`."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return f"{_PREFIX}{self.name.upper()}"


SETTINGS: dict[str, Setting] = {
    field.name: Setting(field.name, kind, field.default, about)
    for field in dataclasses.fields(Settings)
    for kind, about in [get_args(field.type)]
}
"""Every setting by its name, in the order of the fields."""


def unknown_variables(environment: Iterable[str]) -> dict[str, str]:
    """Variables that look like a setting but are none, and the setting that may be meant: BEAT_REDS, BEAT_REDIS.

    To be told, not refused: an orchestrator may set BEAT_SERVE_PORT for a service that is called beat-serve.
    """
    known = [setting.variable for setting in SETTINGS.values()]
    unknown = (name for name in environment if name.startswith(_PREFIX) and name not in known)
    close = ((name, difflib.get_close_matches(name, known, n=1, cutoff=0.85)) for name in unknown)
    return {name: matches[0] for name, matches in close if matches}


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
