import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Mapping
from dataclasses import replace

import pytest

from model_store.durable_files import write_file
from model_store.errors import ArtifactCorrupt, ArtifactIncompatible, ArtifactNotFound
from model_store.manifest import MANIFEST_FILE, Manifest
from model_store.store import ModelStore
from tests.artifacts import CODEBOOK_SIZE, NUM_ITEMS, NUM_USERS, tiny_artifact, tiny_language_model, tiny_parts

FILES = (
    "ids.safetensors", "catalog.safetensors", "histories.safetensors", "embeddings.safetensors", "manifest.json",
    "quantizers.safetensors", "codes.safetensors", "soft_tokens.safetensors", "vocabulary.json", "report.json",
)  # fmt: skip


@pytest.fixture
def root(tmp_path):
    """A store's folder; nothing is in it yet."""
    return tmp_path / "store"


@pytest.fixture
def parts(root, tmp_path):
    """The checkerboard, its LLM added to the store."""
    spec = tiny_language_model(tmp_path / "llm")
    ModelStore(root).add_language_model(tmp_path / "llm", spec)
    return tiny_parts(spec)


def test_a_published_version_is_latest_and_loads_whole(root):
    """Version, counts, metrics, LLM and extra files: all there and found by both names."""
    version = tiny_artifact(root)
    store = ModelStore(root)
    assert (store.latest(), store.versions()) == (version, (version,))
    for artifact in (store.load(), store.load(version)):
        assert artifact.version == version == artifact.path.name
        assert artifact.manifest.counts == {"users": NUM_USERS, "items": NUM_ITEMS, "interactions": 32}
        assert artifact.manifest.tokens["codebook_size"] == CODEBOOK_SIZE
        assert artifact.manifest.metrics == {"recall_at_20": 1.0}
        assert (artifact.path / "report.json").read_bytes() == b"{}"
        assert (artifact.language_model_path / "config.json").is_file()
    assert {path.name for path in (root / version).iterdir()} == set(FILES)


def test_the_same_content_has_the_same_version_in_any_store(tmp_path):
    """Names come from content alone, so two machines agree."""
    assert tiny_artifact(tmp_path / "a") == tiny_artifact(tmp_path / "b")


def test_publishing_twice_keeps_the_version_and_makes_it_latest_again(parts, root):
    """No error, no second folder, not even a new file; another run's times do not make another version."""
    store = ModelStore(root)
    first = store.publish(parts)
    other = store.publish(replace(parts, config={"seed": 1}))
    inode = (root / first / MANIFEST_FILE).stat().st_ino
    assert store.publish(replace(parts, metrics={"seconds": 3.0}), extra_files={"report.html": b"<p>"}) == first
    assert (root / first / MANIFEST_FILE).stat().st_ino == inode
    assert store.latest() == first
    assert set(store.versions()) == {first, other}


@pytest.mark.parametrize(
    "change",
    [
        lambda p: {"config": {"seed": 1}},
        lambda p: {"prompt_template": {"segments": []}},
        lambda p: {"user_codes": p.user_codes[::-1].copy()},
        lambda p: {"dataset": "other"},
    ],
)
def test_other_content_is_another_version(parts, root, change):
    """Whatever changes an answer changes the name."""
    store = ModelStore(root)
    assert store.publish(parts) != store.publish(replace(parts, **change(parts)))


def test_versions_are_told_oldest_first(parts, root):
    """In the order in which they were published."""
    store = ModelStore(root)
    published = [store.publish(replace(parts, config={"seed": seed})) for seed in range(4)]
    for age, version in enumerate(published):  # file systems may not tell apart what is a millisecond apart
        os.utime(root / version / MANIFEST_FILE, ns=(age * 10**9, age * 10**9))
    assert list(store.versions()) == published


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_byte_in_any_file_is_found_and_named(root, name):
    """First, middle and last byte of every file of the artifact."""
    version = tiny_artifact(root)
    path = root / version / name
    data = path.read_bytes()
    for position in (0, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
        with pytest.raises(ArtifactCorrupt, match=name.replace(".", r"\.")):
            ModelStore(root).load()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 1, -1])
def test_a_cut_file_is_found_and_named(root, name, keep):
    """Nothing left, one byte left, one byte missing."""
    path = root / tiny_artifact(root) / name
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArtifactCorrupt, match=name.replace(".", r"\.")):
        ModelStore(root).load()


@pytest.mark.parametrize("name", [name for name in FILES if name != MANIFEST_FILE])
def test_a_lost_file_is_found_and_named(root, name):
    """As corruption: the version is there, its file is not."""
    (root / tiny_artifact(root) / name).unlink()
    with pytest.raises(ArtifactCorrupt, match=f"{name}.*no file"):
        ModelStore(root).load()


@pytest.mark.parametrize("name", sorted({*FILES} - {MANIFEST_FILE, "report.json", "ids.safetensors"}))
def test_a_file_of_another_version_is_found_and_named(parts, root, name):
    """Whole files of the same shape, swapped between two versions of one store."""
    store = ModelStore(root)
    first = store.publish(parts)
    second = store.publish(_everything_else(parts))
    assert (root / first / name).read_bytes() != (root / second / name).read_bytes()
    shutil.copy(root / second / name, root / first / name)
    with pytest.raises(ArtifactCorrupt, match=name.replace(".", r"\.")):
        store.load(first)


def test_a_version_under_another_name_is_found(root):
    """A folder that was copied or renamed is not the version it claims to be."""
    version = tiny_artifact(root)
    shutil.copytree(root / version, root / "checkerboard-000000000000")
    with pytest.raises(ArtifactCorrupt, match=version):
        ModelStore(root).load("checkerboard-000000000000")


@pytest.mark.parametrize("version", ["nothing", "../store", "", ".", "..", ".lock", "language_models", "/etc", "a/b"])
def test_a_version_that_is_not_there_is_not_found(root, version):
    """Paths are no versions either."""
    tiny_artifact(root)
    with pytest.raises(ArtifactNotFound, match="no artifact"):
        ModelStore(root).load(version)


@pytest.mark.parametrize("made", [True, False])
def test_an_empty_store_has_no_latest(root, made):
    """A folder that is empty or not there: ArtifactNotFound, and reading makes nothing."""
    if made:
        root.mkdir()
    store = ModelStore(root)
    assert store.versions() == ()
    for ask in (store.latest, store.load):
        with pytest.raises(ArtifactNotFound, match="'latest'"):
            ask()
    assert root.exists() == made


@pytest.mark.parametrize("pointer", [b"", b"{}", b"[]", b"\xff", b"null"])
def test_a_damaged_pointer_is_corrupt_and_named(root, pointer):
    """The versions themselves still load by name."""
    version = tiny_artifact(root)
    (root / "latest.json").write_bytes(pointer)
    with pytest.raises(ArtifactCorrupt, match=r"latest\.json"):
        ModelStore(root).load()
    assert ModelStore(root).load(version).version == version


def test_another_format_version_is_refused(root):
    """With a manifest that is whole: the error names both format versions."""
    version = tiny_artifact(root)
    path = root / version / MANIFEST_FILE
    path.write_bytes(replace(Manifest.from_bytes(path.read_bytes()), format_version=1).to_bytes())
    with pytest.raises(ArtifactIncompatible, match="format version: expected 2, found 1"):
        ModelStore(root).load()


def test_parts_that_do_not_fit_are_refused_on_load_too(root):
    """Whole files and a whole manifest, but made by other code: the LLM's hidden size is not the soft tokens'."""
    path = root / tiny_artifact(root) / MANIFEST_FILE
    manifest = Manifest.from_bytes(path.read_bytes())
    path.write_bytes(replace(manifest, language_model=replace(manifest.language_model, hidden_size=8)).to_bytes())
    with pytest.raises(ArtifactIncompatible, match="hidden size of the soft tokens"):
        ModelStore(root).load()


def test_parts_that_do_not_fit_are_not_published(parts, root):
    """A codebook that is too small for the codes; nothing appears."""
    with pytest.raises(ArtifactIncompatible, match="user codes below"):
        ModelStore(root).publish(replace(parts, user_codes=parts.user_codes + 4))
    assert ModelStore(root).versions() == ()


def test_a_language_model_that_was_not_added_is_refused(parts, root):
    """An artifact that no one could serve is not published."""
    shutil.rmtree(root / "language_models")
    with pytest.raises(ArtifactIncompatible, match="language model"):
        ModelStore(root).publish(parts)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_language_model_is_found(root, name):
    """Unless the caller takes its bytes on trust, which a restart with a large model may."""
    tiny_artifact(root)
    folder = ModelStore(root).load().language_model_path
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).unlink()  # it is a hard link: the download must stay whole
    (folder / name).write_bytes(data)
    with pytest.raises(ArtifactCorrupt, match="tiny-llama"):
        ModelStore(root).load()
    assert ModelStore(root).load(verify_language_model=False).language_model_path == folder


@pytest.mark.parametrize("verify", [True, False])
def test_a_lost_language_model_is_found(root, verify):
    """Trusting its bytes does not conjure it up."""
    tiny_artifact(root)
    shutil.rmtree(root / "language_models")
    with pytest.raises(ArtifactCorrupt, match="language_models"):
        ModelStore(root).load(verify_language_model=verify)


@pytest.mark.parametrize("name", FILES)
def test_publishing_again_heals_a_damaged_version(parts, root, name):
    """The same content repairs the folder of its name."""
    store = ModelStore(root)
    version = store.publish(parts, extra_files={"report.json": b"{}"})
    (root / version / name).write_bytes(b"damaged")
    assert store.publish(parts, extra_files={"report.json": b"{}"}) == version
    assert store.load().version == version


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x y", "manifest.json", "codes.safetensors"])
def test_extra_files_have_plain_names_of_their_own(parts, root, name):
    """None leaves the folder, none takes an own file's place; nothing appears."""
    with pytest.raises(ValueError, match=r"plain name|own files"):
        ModelStore(root).publish(parts, extra_files={name: b""})
    assert ModelStore(root).versions() == ()


class Interrupted(Mapping[str, bytes]):
    """Extra files whose second reading interrupts the publisher, when all else is written."""

    def __init__(self, interrupt):
        self.interrupt = interrupt

    def __getitem__(self, name):
        return self.interrupt()

    def __iter__(self):
        return iter(["report.json"])

    def __len__(self):
        return 1


def _ctrl_c() -> bytes:
    raise KeyboardInterrupt


def _killed() -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_an_interrupted_publish_leaves_nothing(parts, root):
    """Ctrl-C in the middle of writing: the old latest stays, no version and no folder aside appear."""
    store = ModelStore(root)
    before = store.publish(parts)
    with pytest.raises(KeyboardInterrupt):
        store.publish(replace(parts, config={"seed": 1}), extra_files=Interrupted(_ctrl_c))
    assert (store.latest(), store.versions()) == (before, (before,))
    assert _names(root) == {before, "latest.json", "language_models", ".lock"}


def test_a_killed_publisher_leaves_nothing_visible_and_the_next_one_cleans_up(parts, root):
    """SIGKILL in the middle of writing: readers see no trace, the lock is free, stale folders go."""
    store = ModelStore(root)
    before = store.publish(parts)
    changed = replace(parts, config={"seed": 1})
    process = multiprocessing.get_context("spawn").Process(
        target=store.publish, args=(changed,), kwargs={"extra_files": Interrupted(_killed)}
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert (store.latest(), store.versions()) == (before, (before,))
    assert any(name.startswith(".aside-") for name in _names(root))
    after = store.publish(changed)
    assert store.load().version == after
    assert _names(root) == {before, after, "latest.json", "language_models", ".lock"}


def test_a_full_disk_leaves_nothing(parts, root):
    """The last file cannot be written: the error tells, nothing is left."""

    def full() -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        ModelStore(root).publish(parts, extra_files=Interrupted(full))
    assert _names(root) == {"language_models", ".lock"}


def test_publishers_take_turns_and_readers_always_see_a_whole_version(parts, root):
    """Four publishers at once and a reader all along: each load succeeds, every version is there in the end."""
    store = ModelStore(root)
    store.publish(parts)
    faults: list[Exception] = []
    changes = [replace(parts, config={"seed": seed}) for seed in range(1, 5)]
    publishers = [threading.Thread(target=store.publish, args=(change,)) for change in changes]

    def read() -> None:
        try:
            while any(publisher.is_alive() for publisher in publishers):
                store.load()
        except (ArtifactCorrupt, ArtifactNotFound, ArtifactIncompatible) as fault:
            faults.append(fault)

    for publisher in publishers:
        publisher.start()
    reader = threading.Thread(target=read)
    reader.start()
    for thread in (*publishers, reader):
        thread.join()
    assert faults == []
    assert len(store.versions()) == 5
    assert store.latest() in store.versions()


def test_a_loaded_artifact_outlives_its_version(parts, root):
    """A service goes on answering from a version that was deleted or healed under it."""
    store = ModelStore(root)
    artifact = store.load(store.publish(parts))
    shutil.rmtree(artifact.path)
    assert artifact.catalog.item(3).title == "Blue Tale 3"
    assert artifact.embeddings.users.sum() == parts.embeddings.users.sum()


def test_folders_that_are_no_versions_are_not_listed(root):
    """Folders aside, language models and strangers' folders."""
    version = tiny_artifact(root)
    (root / "notes").mkdir()
    (root / ".aside-1").mkdir()
    write_file(root / ".aside-1" / MANIFEST_FILE, b"{}")
    assert ModelStore(root).versions() == (version,)


def test_the_pointer_is_json_that_others_can_read(root):
    """A shell script finds the version too."""
    version = tiny_artifact(root)
    assert json.loads((root / "latest.json").read_text()) == {"version": version}


def _names(root):
    return {path.name for path in root.iterdir()}


def _everything_else(parts):
    """The same shapes with other numbers in every file but the ids'."""
    e, t, s = parts.embeddings, parts.tokenizer, parts.soft_tokens
    embeddings = replace(e, users=e.users * 2)
    side = replace(t.user, macro=replace(t.user.macro, codebook=t.user.macro.codebook * 2))
    v = parts.vocabulary
    return replace(
        parts,
        embeddings=embeddings,
        tokenizer=replace(t, user=side, embeddings=embeddings),
        soft_tokens=replace(s, style=s.style * 2),
        catalog=replace(parts.catalog, popularity=parts.catalog.popularity + 1),
        histories=replace(parts.histories, indices=parts.histories.indices[::-1].copy()),
        user_codes=parts.user_codes[::-1].copy(),
        vocabulary=replace(v, user=v.user[:1] + v.user[:0:-1]),
    )
