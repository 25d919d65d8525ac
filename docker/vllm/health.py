"""Ends with 0 when the vLLM server on this host's port 8000 writes a token, else with 1.

Its own /health says 200 even when every answer is empty, so a token is asked for.
"""

import json
import sys
from urllib.request import Request, urlopen

URL = "http://127.0.0.1:8000/v1"
TIMEOUT_S = 20

with urlopen(f"{URL}/models", timeout=TIMEOUT_S) as answer:
    model = json.load(answer)["data"][0]["id"]
body = json.dumps({"model": model, "prompt": "The capital of France is", "max_tokens": 2, "temperature": 0})
request = Request(f"{URL}/completions", body.encode(), {"content-type": "application/json"})
with urlopen(request, timeout=TIMEOUT_S) as answer:
    text = json.load(answer)["choices"][0]["text"]
sys.exit(not text.strip())
