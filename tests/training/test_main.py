"""The command: what it prints, and how it fails."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_store.store import ModelStore
from tests.artifacts import tiny_language_model
from tests.training.graphs import write_checkerboard
from training.__main__ import app
from training.config import RunConfig, config_from_toml

runner = CliRunner()

TOML = """
name = "checkerboard"
[data]
reader = "tabular"
[vectors]
dim_per_level = 2
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(TOML)
    return path


def test_config_prints_toml_to_start_from(config):
    """Without a path the defaults, with one that config complete; both read back."""
    assert config_from_toml(runner.invoke(app, ["config"]).stdout) == RunConfig()
    shown = config_from_toml(runner.invoke(app, ["config", str(config)]).stdout)
    assert (shown.name, shown.vectors.dim_per_level) == ("checkerboard", 2)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[vectrs]", "unknown key 'vectrs'; did you mean 'vectors'?"),
        ("[data]\nreader = 'tabular'\nfolder = 'nowhere'", "nowhere: no such data folder"),
        ("[data]\nreader = 'xrec'", "needs a folder"),
    ],
)
def test_what_cannot_run_is_one_line_and_exit_code_1(tmp_path, toml, said):
    """A wrong config or missing data is told in a line, without a trace."""
    path = tmp_path / "bad.toml"
    path.write_text(toml)
    result = runner.invoke(app, ["run", str(path), "--store", str(tmp_path / "store")])
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_bad_data_file_is_named(tmp_path, config):
    """The reader's error reaches the user as it is: file, row, column."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "interactions.csv").write_text("user_id,item_id\nu1,1\nu2,\n")
    result = runner.invoke(app, ["run", str(config), "--data", str(data), "--store", str(tmp_path / "store")])
    assert result.exit_code == 1
    assert "interactions.csv" in result.stderr
    assert "row 2" in result.stderr


def test_data_too_small_for_the_codebooks_is_told_in_a_line(tmp_path, config):
    """40 users cannot fill 512 codes: the message names the key to lower; the vectors are kept for the next run."""
    data, store = write_checkerboard(tmp_path / "data"), tmp_path / "store"
    result = runner.invoke(app, ["run", str(config), "--data", str(data), "--store", str(store)])
    assert result.exit_code == 1
    assert "lower codebook_size" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert [path.name.split("-")[0] for path in (store / ".stages").iterdir() if path.suffix == ""] == ["vectors"]


def test_a_run_says_what_it_published(tmp_path, config):
    """A small config with a tiny LLM goes through; the last line names version and store, and its log is written."""
    tiny_language_model(tmp_path / "llm")
    small = f"[tokenizer]\ncodebook_size = 8\n[projector]\nlanguage_model = '{tmp_path / 'llm'}'\nmax_steps = 1\n"
    config.write_text(TOML + small + "num_style = 2\nwidth = 4\n[evaluation]\nbootstrap_samples = 5\nmax_rows = 4\n")
    data, store = write_checkerboard(tmp_path / "data"), tmp_path / "store"
    log = tmp_path / "log"
    asked = ["run", str(config), "--data", str(data), "--store", str(store), "--log-dir", str(log)]
    result = runner.invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert len(list(log.iterdir())) == 1
    (version,) = ModelStore(store).versions()
    assert f"published {version} in" in " ".join(result.stdout.split())


def test_an_empty_store_has_nothing_to_evaluate(tmp_path):
    """`evaluate latest` says that nothing is published."""
    result = runner.invoke(app, ["evaluate", "latest", "--store", str(tmp_path)])
    assert result.exit_code == 1
    assert "latest" in result.stderr


def test_an_import_that_is_refused_lists_the_malformed_rows(tmp_path):
    """With file and line, and exit code 1; a flag that cannot be is told in a line."""
    source = tmp_path / "shop"
    source.mkdir()
    (source / "interactions.csv").write_text("user_id,item_id,rating\nu1,i1,5\nu2,i2,good\n")
    result = runner.invoke(app, ["import", "tabular", str(source), str(tmp_path / "data")])
    assert result.exit_code == 1
    assert "1 malformed row, 0 allowed" in result.stderr
    assert "interactions.csv, line 3: column 'rating': expected a finite number, found 'good'" in result.stderr
    assert not (tmp_path / "data").exists()
    result = runner.invoke(app, ["import", "tabular", str(source), str(tmp_path / "data"), "--fact", "maker"])
    assert (result.exit_code, len(result.stderr.strip().splitlines())) == (1, 1)


def test_help_says_what_each_command_does():
    """The four commands are listed with a sentence each."""
    out = runner.invoke(app, ["--help"]).stdout
    assert all(word in out for word in ("run", "import", "evaluate", "config", "movies.toml"))
