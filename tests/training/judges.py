"""A judge behind an OpenAI-compatible endpoint, whose grades are known."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeJudge(ThreadingHTTPServer):
    """Grades 5 what equals its reference and 1 what does not; `answer` takes the place of that if it is set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answer: tuple[int, str] | None = None

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["FakeJudge"]:
        """The judge, answering in a thread of its own until the end of the block."""
        with cls() as judge:
            thread = threading.Thread(target=judge.serve_forever, daemon=True)
            thread.start()
            yield judge
            judge.shutdown()
            thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: FakeJudge

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body)
        self.server.keys.append(self.headers["authorization"])
        told = json.loads(body["messages"][1]["content"])
        score = 5 if told["explanation"] == told["reference"] else 1
        content = f'Here you are: {{"score": {score}}}'
        status, text = self.server.answer or (200, json.dumps({"choices": [{"message": {"content": content}}]}))
        self.send_response(status if self.path == "/v1/chat/completions" else 404)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass
