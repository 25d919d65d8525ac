import subprocess
import sys

import model_store


def test_the_face_lists_every_public_name_once_and_each_is_there():
    """`from model_store import *` gives exactly __all__, which is sorted so that a change shows in review."""
    names = model_store.__all__
    assert sorted(set(names), key=_isort_key) == names
    assert all(hasattr(model_store, name) for name in names)


def test_the_face_has_a_name_for_each_thing_both_wings_share():
    """The names that service and training rely on."""
    expected = {"ArtifactParts", "BehaviorTokens", "IdMap", "LanguageModelSpec", "ModelStore", "PromptTemplate", "Item"}
    assert expected <= set(model_store.__all__)


def test_importing_the_package_does_not_import_torch():
    """A service whose LLM is remote starts without torch (ADR 0001)."""
    code = "import sys, model_store; print(sorted({'torch', 'transformers', 'faiss'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _isort_key(name: str) -> tuple[bool, bool, str]:
    return not name.isupper(), not name[0].isupper(), name
