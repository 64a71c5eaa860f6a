"""Lambda's Runtime API, small and local: AWS's own runtime client, `awslambdaric`, runs a function by it.

async with runtime("service.aws_lambda.handler.handler", root=folder, environ={…}) as function:
    answer = await function.invoke(event)

`alone=True` is for a packaged function: of this Python's packages it sees the runtime client and no other.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web

ROOT = Path(__file__).parents[2]
_API = "/2018-06-01/runtime"
# Longer than anything takes, so that a hang becomes a failure.
PATIENCE_SECONDS = 60.0
_LONGEST_LINE = 1024**2


class FunctionFailed(Exception):
    """What the function posted instead of a result, at its start or to an invocation."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.type: str = error["errorType"]
        self.message: str = error["errorMessage"]
        self.whole = json.dumps(error)
        super().__init__(f"{self.type}: {self.message}")


class Function:
    """A function in its environment. `log` is what it wrote, line by line; `init_error` why it did not start."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.init_error: FunctionFailed | None = None
        self._events: asyncio.Queue[tuple[str, object, float]] = asyncio.Queue()
        self._results: dict[str, asyncio.Future[Any]] = {}
        self._ended = asyncio.Event()
        self._code = -1

    async def invoke(self, event: object, *, seconds: float = 29.0) -> Any:
        """Invoke the function with a deadline `seconds` from now and return its result. Raises FunctionFailed."""
        request_id = f"request-{len(self._results)}"
        self._results[request_id] = result = asyncio.get_running_loop().create_future()
        self._events.put_nowait((request_id, event, time.time() + seconds))
        ended = asyncio.create_task(self._ended.wait())
        await asyncio.wait([result, ended], timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not result.done():
            raise self.init_error or TimeoutError(f"There is no result: {self.log}")
        return result.result()

    async def ended(self) -> int:
        """The exit code of a process that ends by itself."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._ended.wait()
        return self._code

    @property
    def records(self) -> list[dict[str, Any]]:
        """Those lines of the log that are JSON and no metrics."""
        lines = [json.loads(line) for line in self.log if line.startswith("{")]
        return [line for line in lines if "_aws" not in line]

    async def next(self, _: web.Request) -> web.Response:
        request_id, event, deadline = await self._events.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(round(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:test",
            "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        }
        # Without a charset: the runtime client takes anything but the bare type for bytes.
        return web.Response(body=json.dumps(event).encode(), content_type="application/json", headers=headers)

    async def response(self, request: web.Request) -> web.Response:
        self._results[request.match_info["id"]].set_result(await request.json())
        return web.json_response({"status": "OK"}, status=202)

    async def error(self, request: web.Request) -> web.Response:
        self._results[request.match_info["id"]].set_exception(FunctionFailed(await request.json()))
        return web.json_response({"status": "OK"}, status=202)

    async def failed_init(self, request: web.Request) -> web.Response:
        self.init_error = FunctionFailed(await request.json())
        return web.json_response({"status": "OK"}, status=202)

    async def run(self, command: Sequence[str], root: Path, environ: Mapping[str, str]) -> None:
        """Run the process until it ends or this is cancelled."""
        process = await asyncio.create_subprocess_exec(
            *command, cwd=root, env=environ, limit=_LONGEST_LINE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                self.log.append(line.decode().rstrip("\n"))
            self._code = await process.wait()
        finally:
            self._ended.set()
            if process.returncode is None:
                process.kill()
                await process.wait()


@asynccontextmanager
async def runtime(
    handler: str, *, root: Path = ROOT, environ: Mapping[str, str], alone: bool = False
) -> AsyncIterator[Function]:
    """A function in an environment of its own, code and packages from `root` first, until the block is left."""
    function = Function()
    own = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "LAMBDA_TASK_ROOT": str(root), "_HANDLER": handler}
    command = [sys.executable, *(["-S"] if alone else []), "-m", "awslambdaric", handler]
    app = web.Application(client_max_size=8 * 1024**2)  # a result may have six
    app.add_routes(
        [
            web.get(f"{_API}/invocation/next", function.next),
            web.post(f"{_API}/invocation/{{id}}/response", function.response),
            web.post(f"{_API}/invocation/{{id}}/error", function.error),
            web.post(f"{_API}/init/error", function.failed_init),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    with TemporaryDirectory() as folder:
        if alone:
            _link_runtime_client(Path(folder))
            own["PYTHONPATH"] = folder
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            own["AWS_LAMBDA_RUNTIME_API"] = f"127.0.0.1:{runner.addresses[0][1]}"
            running = asyncio.create_task(function.run(command, root, {**own, **environ}))
            try:
                yield function
            finally:
                running.cancel()
                await asyncio.wait([running])
        finally:
            await runner.cleanup()


def _link_runtime_client(folder: Path) -> None:
    """Put the runtime client and what it needs into a folder: where Lambda has it, there are no other packages."""
    for name in ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"):
        spec = find_spec(name)
        assert spec is not None, name
        assert spec.origin is not None, name
        found = Path(spec.origin)
        found = found.parent if found.name == "__init__.py" else found
        (folder / found.name).symlink_to(found)
