"""Prints the folder and the name of the language model that a store's latest version was made with: published.py STORE.

For places that hold a store but not this package, such as vLLM's own image.
"""

import json
import sys
from pathlib import Path

store = Path(sys.argv[1])
if not (store / "latest.json").is_file():
    sys.exit(f"{store} holds no published version")
version = json.loads((store / "latest.json").read_text())["version"]
model = json.loads((store / version / "manifest.json").read_text())["language_model"]
sys.stdout.write(f"{store / 'language_models' / model['folder']} {model['name']}\n")
