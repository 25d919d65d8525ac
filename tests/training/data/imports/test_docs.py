"""Every command of docs/data.md, run as it stands there on small files of that form."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_store.store import ModelStore
from tests.artifacts import tiny_language_model
from tests.training.data.imports import forms
from training.__main__ import app
from training.data import read_dataset

DOCS = Path(__file__).parents[4] / "docs" / "data.md"
COMMANDS = [
    shlex.split(line)[1:]
    for block in re.findall(r"```sh\n(.*?)```", DOCS.read_text(), re.DOTALL)
    for line in block.replace("\\\n", " ").strip().splitlines()
]
IMPORTS = [command for command in COMMANDS if command[0] == "import"]
WRITERS = {
    "plain": forms.write_plain,
    "shop": forms.write_shop,
    "warehouse": forms.write_warehouse,
    "ml-100k": forms.write_recbole,
    "amazon": forms.write_amazon,
    "dented": forms.write_amazon,
    "yelp": forms.write_yelp,
    "XRec/data/google": forms.write_xrec,
    "xrec-parquet": forms.write_xrec_parquet,
}
CONFIG = f'name = "mine"\n{forms.SMALL}'


@pytest.fixture
def at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: list[str]) -> str:
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_page_shows_every_form() -> None:
    """One that it does not show is not tried here."""
    assert {command[1] for command in IMPORTS} == {"tabular", "recbole", "amazon", "yelp", "xrec"}
    assert {command[2] for command in IMPORTS} == set(WRITERS)


@pytest.mark.parametrize("command", IMPORTS, ids=[command[2] for command in IMPORTS])
def test_an_import_of_the_page_leaves_a_whole_data_set(at_work, command):
    """All interactions arrive, with titles; the card is printed and saved."""
    source, target = command[2], Path(command[3])
    WRITERS[source](at_work / source)
    if source == "dented":
        with (at_work / source / "notes.jsonl").open("w") as file:
            file.write('{"user_id": 1\n[]\n{"user_id": "A1"}\n')
    shown = run(command)
    dataset = read_dataset(target)
    assert len(dataset.interactions) == forms.NUM_USERS * forms.NUM_ITEMS / 2
    assert dataset.interactions.splits is not None
    assert not any(title.startswith("item ") for title in dataset.items.titles if "xrec" not in source.lower())
    assert "Data card" in shown
    assert {path.name for path in target.iterdir()} >= {"data_card.json", "data_card.md", "TERMS.txt"}
    assert (source == "dented") == ("malformed notes.jsonl, line 2" in shown)


def test_the_run_of_the_page_takes_what_the_import_made(at_work):
    """From text files to a published version, with a tiny LLM."""
    forms.write_plain(at_work / "plain")
    (at_work / "mine.toml").write_text(CONFIG)
    tiny_language_model(at_work / "llm")
    (training,) = [command for command in COMMANDS if command[0] == "run"]
    run(IMPORTS[0])
    shown = run([*training, "--store", "store"])
    (version,) = ModelStore(at_work / "store").versions()
    assert f"published {version}" in " ".join(shown.split())
