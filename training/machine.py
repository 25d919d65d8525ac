"""Where figures were taken."""

from __future__ import annotations

import os
import platform
import resource
from importlib.metadata import version
from typing import Any


def machine() -> dict[str, Any]:
    """Processor architecture, cores, versions, and the most memory that this process has held."""
    return {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
