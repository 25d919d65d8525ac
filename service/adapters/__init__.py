"""The only files that meet faiss, redis, httpx and transformers."""

__all__: list[str] = []
