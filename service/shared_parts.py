"""Parts that outlast every version: they belong to the process and not to what it serves."""

from typing import TYPE_CHECKING

from service.adapters.rate_limiter import MemoryRateLimiter, RedisRateLimiter
from service.interfaces import RateLimiter
from service.settings import MEMORY_CACHE, Settings, SettingsError, without_secrets
from service.telemetry import Telemetry

if TYPE_CHECKING:
    from service.adapters.tracing import Tracing


def rate_limiter(settings: Settings, telemetry: Telemetry) -> RateLimiter | None:
    """What counts how often each API key asks, for all versions; None without a limit."""
    rate_per_s, burst = settings.rate_limit_per_s, settings.rate_limit_burst
    if not rate_per_s:
        return None
    if settings.redis == MEMORY_CACHE:
        return MemoryRateLimiter(rate_per_s=rate_per_s, burst=burst)
    timeout_s = settings.redis_timeout_ms / 1e3
    return RedisRateLimiter(
        settings.redis, rate_per_s=rate_per_s, burst=burst, timeout_s=timeout_s, telemetry=telemetry
    )


def make_tracing(settings: Settings, telemetry: Telemetry) -> "Tracing | None":
    """What sends traces, told of every stage from now on; None without an endpoint. Raises SettingsError."""
    if not settings.otlp_endpoint:
        return None
    try:
        from service.adapters.tracing import Tracing  # imports OpenTelemetry, an extra: only where it is asked for
    except ImportError as error:
        expected = "nothing, or OpenTelemetry installed: pip install 'beat-serve[otel]'"
        raise SettingsError("otlp_endpoint", without_secrets(settings.otlp_endpoint), expected) from error
    tracing = Tracing(settings.otlp_endpoint)
    telemetry.on_stage = tracing.stage
    return tracing
