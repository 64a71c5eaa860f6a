"""The least that aiohttp can do: one handler that answers with the bytes in a file. `bare.py ANSWER PORT`."""

import json
import sys
from pathlib import Path

from aiohttp import web


def serve(answer: Path, port: int) -> None:
    """Until SIGTERM; `answer` holds `{"headers": {…}, "body": "…"}`."""
    told = json.loads(answer.read_text())
    body, headers = told["body"].encode(), told["headers"]

    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    app = web.Application()
    app.router.add_get("/sayings", handle)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
