"""The online side: a FastAPI service that recommends, and explains why."""

__all__: list[str] = []
