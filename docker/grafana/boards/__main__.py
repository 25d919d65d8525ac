"""Writes every dashboard into the folder that is named: `python -m boards FOLDER`."""

import sys
from pathlib import Path

from boards import engine_and_stores, explanations, service_latency
from boards.dashboard import to_json


def main(folder: Path) -> None:
    """One file a dashboard, named by its uid, so that a bookmark and a file say the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for board in (service_latency, explanations, engine_and_stores):
        dashboard = board.dashboard()
        (folder / f"{dashboard.uid}.json").write_text(to_json(dashboard))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
