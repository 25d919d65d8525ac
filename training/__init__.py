"""What changes weights: data sets in, a published model out."""

__all__: list[str] = []
