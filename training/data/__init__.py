"""Data sets: the canonical form, one reader a file, the leak-free split."""
