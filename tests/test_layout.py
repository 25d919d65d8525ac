"""The house rules that no linter knows."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
WINGS = ("service", "model_store", "training")
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 40


def source_files() -> Iterator[Path]:
    """Every module of the three wings."""
    for wing in WINGS:
        yield from (ROOT / wing).rglob("*.py")


def test_a_file_is_one_room() -> None:
    """No module of the wings is longer than 250 lines."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in source_files()}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_a_function_fits_on_a_screen() -> None:
    """No function is longer than 40 lines; signatures, whose options are documented line by line, aside."""
    too_long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": length
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and (length := node.end_lineno - node.body[0].lineno + 1) > MAX_FUNCTION_LINES
    }
    assert too_long == {}


@pytest.mark.parametrize("module", ["model_store", "service.__main__"])
def test_a_service_with_its_llm_elsewhere_starts_without_torch(module: str) -> None:
    """Importing what `beat-serve run` imports loads neither torch nor transformers nor anything of training."""
    script = (
        f"import sys, {module}; print(*(name for name in ('torch', 'transformers', 'training') if name in sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.split() == []


def test_one_faiss_is_installed() -> None:
    """faiss-cpu and faiss-gpu both bring the module `faiss`; together, whichever came last wins. One of them only."""
    wheels = set(packages_distributions()["faiss"])
    assert len(wheels) == 1, f"{sorted(wheels)} are installed together: uninstall all of them, then install one extra"


def test_whatever_is_installed_is_pinned() -> None:
    """Every requirement of the base and of the extras that `make install` takes has an exact version that fits it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [
        Requirement(line) for line in (*project["dependencies"], *extras["cpu"], *extras["train"], *extras["dev"])
    ]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))

    versions = {requirement.name: pins.get(canonicalize_name(requirement.name)) for requirement in needed}
    misfits = {r.name: versions[r.name] for r in needed if not (v := versions[r.name]) or v not in r.specifier}
    assert misfits == {}
