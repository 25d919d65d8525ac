import numpy as np
import pytest

from model_store.artifact import INDEX_FILE, Contents, read_contents, side_of, side_tensors, write_contents
from model_store.behavior_tokenizer import SideTokenizer
from model_store.errors import ArtifactCorrupt
from model_store.quantizer import MacroQuantizer, MicroQuantizer
from model_store.tensor_file import load_tensors, save_tensors
from tests.artifacts import ITEM_IDS, NUM_ITEMS, NUM_USERS, USER_IDS, tiny_language_model, tiny_parts

FILES = (
    "ids.safetensors", "catalog.safetensors", "histories.safetensors", "embeddings.safetensors",
    "quantizers.safetensors", "codes.safetensors", "soft_tokens.safetensors", "vocabulary.json",
)  # fmt: skip


@pytest.fixture
def parts(tmp_path):
    """The checkerboard."""
    return tiny_parts(tiny_language_model(tmp_path / "llm"))


@pytest.fixture
def folder(parts, tmp_path):
    """Its files."""
    folder = tmp_path / "version"
    folder.mkdir()
    assert write_contents(parts, folder) == FILES
    return folder


def test_what_is_written_is_read(parts, folder):
    """Every part comes back with its values."""
    found = Contents(**read_contents(folder, FILES))
    assert [found.user_ids.to_id(row) for row in range(NUM_USERS)] == list(USER_IDS)
    assert [found.catalog.ids.to_id(row) for row in range(NUM_ITEMS)] == list(ITEM_IDS)
    for row in range(NUM_ITEMS):
        assert found.catalog.item(row) == parts.catalog.item(row)
    for row in range(NUM_USERS):
        np.testing.assert_array_equal(found.histories.of(row), parts.histories.of(row))
    for name in ("users", "items", "item_texts", "item_degree", "fold_in_map"):
        np.testing.assert_array_equal(getattr(found.embeddings, name), getattr(parts.embeddings, name))
    np.testing.assert_array_equal(found.user_codes, parts.user_codes)
    np.testing.assert_array_equal(found.item_codes, parts.item_codes)
    np.testing.assert_array_equal(found.soft_tokens.item.outer, parts.soft_tokens.item.outer)
    np.testing.assert_array_equal(found.tokenizer.user.micro.codebooks, parts.tokenizer.user.micro.codebooks)
    np.testing.assert_array_equal(found.tokenizer.item.macro.codebook, parts.tokenizer.item.macro.codebook)
    assert found.vocabulary == parts.vocabulary
    assert found.index_bytes is None


def test_ids_know_their_kind(folder):
    """An error says which of the two is unknown."""
    found = read_contents(folder, FILES)
    assert (found["user_ids"].kind, found["catalog"].ids.kind) == ("user", "item")


def test_nothing_large_is_copied(folder):
    """Vectors, codes and texts are views of the files: a million nodes load as fast as ten."""
    found = Contents(**read_contents(folder, FILES))
    for array in (found.embeddings.users, found.user_codes, found.catalog.texts.blob, found.histories.indices):
        assert not array.flags.owndata
        assert not array.flags.writeable


def test_an_index_is_read_only_where_the_manifest_vouches_for_it(folder):
    """A file that someone laid beside the artifact is not trusted."""
    save_tensors(folder / INDEX_FILE, {"faiss": np.arange(5, dtype=np.uint8)})
    assert read_contents(folder, FILES)["index_bytes"] is None
    np.testing.assert_array_equal(read_contents(folder, (*FILES, INDEX_FILE))["index_bytes"], np.arange(5))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_does_not_parse_is_named(folder, name):
    """Garbage in any file is ArtifactCorrupt with its name, never a KeyError."""
    (folder / name).write_bytes(b"{}      garbage")
    with pytest.raises(ArtifactCorrupt) as caught:
        read_contents(folder, FILES)
    assert caught.value.file.endswith(name)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".safetensors")])
def test_a_file_without_one_of_its_tensors_is_named(folder, name):
    """Also where the rest of it is fine."""
    tensors = {key: array.copy() for key, array in load_tensors(folder / name).items()}
    tensors.pop(sorted(tensors)[-1])
    save_tensors(folder / name, tensors)
    with pytest.raises(ArtifactCorrupt) as caught:
        read_contents(folder, FILES)
    assert caught.value.file.endswith(name)


def test_level_weights_and_decode_tables_are_kept_with_the_codebooks():
    """A side comes back as it was, with weights and table and without."""
    codebooks = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)
    weights = np.random.default_rng(1).uniform(0, 1, (6, 3)).astype(np.float32)
    for own in (weights, None):
        macro = MacroQuantizer(codebooks[0], None if own is None else own[0])
        micro = MicroQuantizer(codebooks[1:], None if own is None else own[1:])
        side = SideTokenizer(macro, micro, None if own is None else codebooks * 2)
        back = side_of(side_tensors(side, "user"), "user")
        x = np.random.default_rng(2).normal(size=(20, 3)).astype(np.float32)
        codes = side.encode(x)
        np.testing.assert_array_equal(back.encode(x), codes)
        np.testing.assert_array_equal(back.decode(codes), side.decode(codes))
        assert (back.macro.weights is None) == (back.decode_table is None) == (own is None)
