"""A collector that takes everything and looks at nothing: OTLP over HTTP. `collector.py PORT`."""

import sys

from aiohttp import web


async def take(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(content_type="application/x-protobuf")


if __name__ == "__main__":
    app = web.Application(client_max_size=64 * 1024**2)
    app.router.add_route("*", "/{rest:.*}", take)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
