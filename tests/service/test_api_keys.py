"""API keys: only hashes are kept, the right one is found, nothing of them is printed."""

from hashlib import sha256

import pytest

from service.api_keys import ApiKeys, make_key

WEB, OPS = make_key("web", "serve"), make_key("ops", "serve+admin")


def test_a_new_key_is_found_by_its_entry_and_no_other():
    """The entry holds name, scopes and hash; the key itself is in neither the entry nor what is printed."""
    keys = ApiKeys(f"{WEB.entry}, {OPS.entry}\n")
    found = keys.find(OPS.secret.encode())
    assert found is not None
    assert found.name == "ops"
    assert found.scopes == frozenset({"serve", "admin"})
    assert found.digest == sha256(OPS.secret.encode()).digest()
    assert str(keys) == "web:serve:*** ops:admin+serve:***"
    assert not any(secret in f"{WEB.entry}{OPS.entry}{keys}" for secret in (WEB.secret, OPS.secret))


@pytest.mark.parametrize("presented", [b"", b"beat_", WEB.secret[:-1].encode(), WEB.entry.encode(), b"\xff" * 50])
def test_what_is_no_key_is_not_found(presented):
    """Nothing, part of a key, the entry itself."""
    assert ApiKeys(WEB.entry).find(presented) is None


def test_keys_differ_and_are_long():
    """256 random bits each: a plain hash gives nothing away."""
    secrets = {make_key("web", "serve").secret for _ in range(100)}
    assert len(secrets) == 100
    assert min(map(len, secrets)) >= len("beat_") + 43


def test_a_scope_is_guarded_when_a_key_has_it():
    """What no key opens needs none."""
    keys = ApiKeys(WEB.entry)
    assert (keys.guard("serve"), keys.guard("admin"), ApiKeys("").guard("serve")) == (True, False, False)


@pytest.mark.parametrize(
    "entry",
    [
        "web",
        "web:serve",
        "web:serve:12",
        f"web:root:{'0' * 64}",
        f"web::{'0' * 64}",
        f"a b:serve:{'0' * 64}",
        f"web:serve:{'x' * 64}",
        f"web:serve+serve:{'0' * 64}",
        f"{WEB.entry} {WEB.entry}",
    ],
)
def test_an_entry_of_another_form_is_refused_without_being_repeated(entry):
    """The error says what an entry looks like; digests stay out of it."""
    with pytest.raises(ValueError, match=r"NAME:SCOPES:SHA256|name of its own") as caught:
        ApiKeys(entry)
    assert "0000" not in str(caught.value)


@pytest.mark.parametrize(("name", "scopes"), [("a b", "serve"), ("", "serve"), ("web", ""), ("web", "root")])
def test_a_key_that_no_entry_can_hold_is_not_made(name, scopes):
    """Its settings would be refused later."""
    with pytest.raises(ValueError, match="NAME:SCOPES:SHA256"):
        make_key(name, scopes)
