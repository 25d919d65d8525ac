"""The peer of the routes: an empty FastAPI POST route behind the very server that the service runs in."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI

from service.http_protocol import OneWriteProtocol

app = FastAPI()


@app.post("/empty")
async def empty() -> dict[str, str]:
    """Nothing, as JSON."""
    return {}


if __name__ == "__main__":
    config = uvicorn.Config(
        app, port=int(sys.argv[1]), log_config=None, access_log=False, loop="uvloop", http=OneWriteProtocol
    )
    uvicorn.Server(config).run()
