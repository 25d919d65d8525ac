import subprocess
import sys


def test_importing_the_package_does_not_import_torch():
    """A service whose LLM is remote starts without torch (ADR 0001)."""
    code = "import sys, model_store; print(sorted({'torch', 'transformers', 'faiss'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
