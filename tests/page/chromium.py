"""Where a real Chromium is, if there is one."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str | None:
    """The first browser on PATH; None without one. `make chromium` tries to install Debian's."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)
