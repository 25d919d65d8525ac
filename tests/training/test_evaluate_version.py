"""A published version judged on data: rows are matched by outside id, and a leak stops everything."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.artifacts import ITEM_IDS, NUM_USERS, USER_IDS, history_rows, tiny_artifact, unseen_rows
from tests.training.encoders import tiny_sentence_encoder
from tests.training.judges import FakeJudge
from training.__main__ import app
from training.config import DataConfig, EvaluationConfig, ProjectorConfig, RunConfig

runner = CliRunner()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    encoder = tiny_sentence_encoder(tmp_path / "encoder")
    config = RunConfig(
        name="checkerboard",
        data=DataConfig(reader="tabular"),
        projector=ProjectorConfig(max_target_tokens=8, dtype="float32"),
        evaluation=EvaluationConfig(max_texts=3, bootstrap_samples=20, sentence_encoder=str(encoder)),
    )
    tiny_artifact(root, config=config.to_json())
    return root


def write_data(folder: Path, *, leaked: int = 0) -> Path:
    """The version's histories as train, what was left out as test, strangers among both; `leaked` pairs stand in both.

    Strangers come first, so that rows here and in the version differ.
    """
    folder.mkdir()
    train = [(user, item) for user in range(NUM_USERS) for item in history_rows(user)]
    test = [(user, item) for user in range(NUM_USERS) for item in unseen_rows(user)]
    rows = [(USER_IDS[user], ITEM_IDS[item], "train") for user, item in train[leaked:]]
    rows += [(USER_IDS[user], ITEM_IDS[item], "test") for user, item in train[:leaked] + test]
    rows += [("a stranger", ITEM_IDS[0], "test"), (USER_IDS[0], 7, "test"), ("a stranger", 7, "train")]
    columns = dict(zip(("user_id", "item_id", "split"), map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), folder / "interactions.parquet")
    return folder


def evaluate(store: Path, data: Path, *options: str):
    return runner.invoke(app, ["evaluate", "latest", "--store", str(store), "--data", str(data), *options])


def test_every_left_out_item_is_found(store, tmp_path):
    """Vectors and tokens both put the two left-out items first; figures go to the JSON file too."""
    out = tmp_path / "figures.json"
    result = evaluate(store, write_data(tmp_path / "data"), "--json", str(out))
    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert figures["leaks_allowed"] is False
    assert figures["version"].startswith("checkerboard-")
    assert figures["ranking"]["test"]["vectors"]["recall@10"] == 1
    assert figures["ranking"]["test"]["tokens only"]["recall@10"] == 1
    assert {arm["users"] for arm in figures["ranking"]["test"].values()} == {NUM_USERS}


def test_strangers_are_folded_in(store, tmp_path):
    """A user whom the version does not know, with a red history, is recommended what a red user is."""
    data, out = write_data(tmp_path / "data"), tmp_path / "figures.json"
    history = [("newcomer", ITEM_IDS[item], "train") for item in history_rows(0)]
    newcomer = [*history, *(("newcomer", ITEM_IDS[item], "test") for item in unseen_rows(0))]
    old = pq.read_table(data / "interactions.parquet")
    columns = dict(zip(("user_id", "item_id", "split"), map(list, zip(*newcomer, strict=True)), strict=True))
    pq.write_table(pa.concat_tables([old, pa.table(columns)]), data / "interactions.parquet")
    result = evaluate(store, data, "--json", str(out))
    assert result.exit_code == 0, result.output
    strangers = json.loads(out.read_text())["zero_shot"]["strangers"]["test"]
    assert strangers["tokens only"]["users"] == 1
    assert strangers["vectors"]["recall@10"] == 1


def test_judging_what_was_trained_on_stops_with_the_pairs(store, tmp_path):
    """Test pairs that stand in the version's histories are listed; nothing is measured."""
    out = tmp_path / "figures.json"
    result = evaluate(store, write_data(tmp_path / "data", leaked=2), "--json", str(out))
    assert result.exit_code == 1
    assert "2 evaluated (user, item) pairs stand in the training graph" in result.stderr
    assert USER_IDS[0] in result.stderr
    assert not out.exists()


def test_a_leak_that_was_allowed_is_marked(store, tmp_path):
    """--allow-leak measures, and says so beside every figure: in JSON, in the tables and on the page."""
    out, page = tmp_path / "figures.json", tmp_path / "figures.html"
    data = write_data(tmp_path / "data", leaked=2)
    result = evaluate(store, data, "--allow-leak", "--json", str(out), "--html", str(page))
    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert figures["leaks_allowed"] is True
    assert figures["ranking"]["test"]["vectors"]["leaked"] is True
    assert figures["explanations"]["tokens_only"]["nll"]["leaked"] is True
    assert figures["explanations"]["tokens_only"]["swap_margin"]["item"]["leaked"] is True
    assert "leaked" not in json.dumps(figures["config"])
    assert result.output.count("LEAKED") >= 3
    assert page.read_text().count(">leaked<") > 10


def test_the_page_is_written_where_it_is_asked_for(store, tmp_path):
    """--html: one file that asks nothing of the network and marks nothing as leaked."""
    page = tmp_path / "figures.html"
    result = evaluate(store, write_data(tmp_path / "data"), "--html", str(page))
    assert result.exit_code == 0, result.output
    assert "Red Tale" in page.read_text()
    assert ">leaked<" not in page.read_text()


def test_a_judge_s_grades_stand_beside_the_texts(store, tmp_path, monkeypatch):
    """--judge: a grade of every arm; an endpoint that cannot be reached is one line and an exit code."""
    monkeypatch.setenv("BEAT_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "figures.json"
    data = write_data(tmp_path / "data")
    with FakeJudge.running() as judge:
        result = evaluate(store, data, "--judge", judge.url, "--judge-model", "grader", "--json", str(out))
    assert result.exit_code == 0, result.output
    grades = json.loads(out.read_text())["explanations"]["texts"]["grades"]
    assert grades["reference"]["grade"] == {"mean": 5, "low": 5, "high": 5}
    assert grades["reference"]["unanswered"] == 0
    again = evaluate(store, data, "--judge", "http://127.0.0.1:9/v1", "--judge-model", "other")
    assert again.exit_code == 1
    assert "error: judge at http://127.0.0.1:9/v1" in again.stderr


def test_the_config_s_own_folder_is_used_without_data(store, tmp_path):
    """A tabular version without a folder in its config asks for --data."""
    result = runner.invoke(app, ["evaluate", "latest", "--store", str(store)])
    assert result.exit_code == 1
    assert "--data" in result.stderr


def test_explanations_of_what_was_trained_on_stop_everything(store, tmp_path):
    """Another extract may hold out explanations of pairs that the version had in its graph: a leak like any other."""
    data, out = write_data(tmp_path / "data"), tmp_path / "figures.json"
    pairs = [(USER_IDS[user], ITEM_IDS[item]) for user in range(NUM_USERS) for item in history_rows(user)]
    users, items = (list(ids) for ids in zip(*pairs, strict=True))
    columns = {"user_id": users, "item_id": items, "text": ["It is red."] * len(pairs)}
    pq.write_table(pa.table(columns), data / "explanations.parquet")
    result = evaluate(store, data, "--json", str(out))
    assert result.exit_code == 1
    assert "stand in the training graph" in result.stderr
    assert not out.exists()
    allowed = evaluate(store, data, "--allow-leak", "--json", str(out))
    assert allowed.exit_code == 0, allowed.output
    assert json.loads(out.read_text())["leaks_allowed"] is True


def test_given_rows_are_checked_for_leaks_too(store, tmp_path):
    """A row whose pair was trained on stops the command; rows of strangers are left out and listed."""
    data, rows, out = write_data(tmp_path / "data"), tmp_path / "rows.csv", tmp_path / "figures.json"
    fresh = [f"{USER_IDS[user]},{ITEM_IDS[unseen_rows(user)[0]]},It is red." for user in (0, 1)]
    rows.write_text("\n".join(["user_id,item_id,text", *fresh, f"nobody,{ITEM_IDS[0]},It is red."]))
    result = evaluate(store, data, "--rows", str(rows), "--json", str(out))
    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert figures["rows"] == {"given": 2, "left_out": [[3, "user", "nobody"]]}
    assert figures["explanations"]["rows"] == 2
    rows.write_text(f"user_id,item_id,text\n{USER_IDS[0]},{ITEM_IDS[history_rows(0)[0]]},It is red.\n")
    leaked = evaluate(store, data, "--rows", str(rows))
    assert leaked.exit_code == 1
    assert "1 evaluated (user, item) pairs" in leaked.stderr


def test_a_single_row_cannot_be_judged(store, tmp_path):
    """There is nobody to swap tokens with: said in a line, without a trace."""
    data, rows = write_data(tmp_path / "data"), tmp_path / "rows.csv"
    rows.write_text(f"user_id,item_id,text\n{USER_IDS[0]},{ITEM_IDS[unseen_rows(0)[0]]},It is red.\n")
    result = evaluate(store, data, "--rows", str(rows))
    assert result.exit_code == 1
    assert "two users and two items" in result.stderr


def test_the_extent_goes_before_the_config(store, tmp_path):
    """Fewer rows than the config's, and no texts, where the caller says so."""
    out = tmp_path / "figures.json"
    told = ("--max-rows", "3", "--max-texts", "0", "--json", str(out))
    result = evaluate(store, write_data(tmp_path / "data"), *told)
    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())["explanations"]
    assert figures["rows"] == 3
    assert "texts" not in figures
