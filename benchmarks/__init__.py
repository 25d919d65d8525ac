"""How fast and how large: each bench compares the service with a peer in one run (docs/performance.md)."""
