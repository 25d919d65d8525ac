import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.errors import ArtifactCorrupt, ArtifactIncompatible
from model_store.language_model_spec import LanguageModelSpec
from model_store.manifest import FORMAT_VERSION, FileRecord, Manifest, plain, version_name

SPEC = LanguageModelSpec("llm", "llm-0", "00", 16, 259, 2048, 1.0, 0.3, "float32", (258,))
MANIFEST = Manifest(
    version="movies-0123456789ab",
    created_at="2026-01-01T00:00:00+00:00",
    dataset="movies",
    config={"graph": {"dim": 320, "rates": (0.1, 1e-9)}, "name": "Amélie"},
    language_model=SPEC,
    prompt_template={"segments": []},
    tokens={"levels": 6},
    counts={"users": 1},
    metrics={"recall": 0.1 + 0.2, "margin": None},
    files={"codes.safetensors": FileRecord("ab", 12)},
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text() | st.integers(), json_values))
def test_a_manifest_survives_its_json_whatever_the_config(config):
    """Tuples become lists and keys text, once; after that nothing changes, the checksum holds."""
    manifest = replace(MANIFEST, config=config)
    found = Manifest.from_bytes(manifest.to_bytes())
    assert found == replace(manifest, config=plain(config))
    assert found.to_bytes() == manifest.to_bytes()


def test_any_changed_character_is_found_or_says_the_same():
    """Every byte, one after the other: an error, or the same values (a 17th decimal that rounds to the same float)."""
    data = MANIFEST.to_bytes()
    read = [_read(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]) for at in range(len(data))]
    assert read.count(None) >= len(data) - 2
    assert {manifest for manifest in map(str, read) if manifest != "None"} <= {str(Manifest.from_bytes(data))}


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_cut_manifest_is_corrupt(cut):
    """Also one of no bytes."""
    with pytest.raises(ArtifactCorrupt, match=r"manifest\.json"):
        Manifest.from_bytes(MANIFEST.to_bytes()[:cut])


@pytest.mark.parametrize("data", [b"[]", b"3", b"{}", b"null", b'{"checksum": ""}'])
def test_json_that_is_no_manifest_is_corrupt(data):
    """Not a KeyError of ours."""
    with pytest.raises(ArtifactCorrupt):
        Manifest.from_bytes(data)


@pytest.mark.parametrize("format_version", [0, FORMAT_VERSION + 1, "1", None])
def test_another_format_version_is_incompatible(format_version):
    """It is told apart from damage, with both versions."""
    data = replace(MANIFEST, format_version=format_version).to_bytes()
    with pytest.raises(ArtifactIncompatible, match="format version") as caught:
        Manifest.from_bytes(data)
    assert (caught.value.expected, caught.value.found) == (FORMAT_VERSION, format_version)


@pytest.mark.parametrize("change", [{"more": 1}, {"files": {"a": {}}}, {"files": 3}, {"language_model": {}}])
def test_a_manifest_of_other_fields_is_incompatible(change):
    """A checksum that holds over fields this code does not know: written by other code, not damaged."""
    body = {**json.loads(MANIFEST.to_bytes()), **change}
    del body["checksum"]
    body["checksum"] = _expected_checksum(body)
    with pytest.raises(ArtifactIncompatible):
        Manifest.from_bytes(json.dumps(body).encode())


def test_nan_is_no_json():
    """Other languages' readers would refuse the whole manifest."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(MANIFEST, metrics={"loss": float("nan")}).to_bytes()


def test_the_name_of_a_version_depends_on_content_not_on_order():
    """The same identity has the same name; another has another."""
    name = version_name("movies", {"a": 1, "b": (2,)})
    assert name == version_name("movies", {"b": [2], "a": 1})
    assert name != version_name("movies", {"b": [2], "a": 2})
    assert name.startswith("movies-")
    assert len(name) == len("movies-") + 12


def _read(data: bytes) -> Manifest | None:
    try:
        return Manifest.from_bytes(data)
    except (ArtifactCorrupt, ArtifactIncompatible):
        return None


def _expected_checksum(body: dict[str, object]) -> str:
    """The one that would hold: the error tells it."""
    with pytest.raises(ArtifactCorrupt) as caught:
        Manifest.from_bytes(json.dumps({**body, "checksum": "?"}).encode())
    return str(caught.value.expected).removeprefix("checksum ")
