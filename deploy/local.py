"""The whole deployment on your own machine: `python -m deploy.local up` and `down`.

MiniStack stands in for AWS, and the simulator for all four models. The template, the functions and the way they are
deployed are the same as in an account, and so are the roles, which MiniStack enforces for every call. Its data is lost
when it stops.
"""

import argparse
import os
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from deploy.daemon import Daemon, get
from deploy.environments import ROOT, DeploymentFailed, environment, last_lines
from deploy.package import package, this_machine
from deploy.stack import NESTED, TEMPLATE, Stack, given, refusals
from service.llm.vendors import VENDORS
from service.participants import SIMULATED_KEY
from service.process import say

FOLDER = ROOT / "build/local"
HOST = "127.0.0.1"
USUAL_PORT = 4566
REGION = "eu-west-1"
FIRST_ANSWER_SECONDS = 40.0

# Prefixes of the environment variables that belong to other deployments.
FOREIGN = ("AWS_", "SAM_", "SAYINGS_", "OTEL_", *(vendor.parameter_variable for vendor in VENDORS.values()))


class Addresses(msgspec.Struct, frozen=True):
    """The URLs of a deployment, which are stored in state.json."""

    api: str
    page: str
    aws: str
    simulator: str


class Local:
    """The deployment whose state, logs and archive are in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._emulator = Daemon(self._folder, "emulator")
        self._simulator = Daemon(self._folder, "simulator")

    def up(self, port: int | None, simulator: str, parameters: Mapping[str, str]) -> Addresses:
        """Start the deployment, or update the one that is running.

        Raises DeploymentFailed, and then leaves the processes running, so that their state can be inspected.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        port = self._start_emulator(port)
        simulator = simulator or self._start_simulator()
        target = this_machine()
        package(target, self._folder / "build/lambda.zip")
        _use_emulator(port)
        stack = Stack()
        own = {
            "EmulatorPort": str(port),
            "PythonRuntime": f"python{target.python}",
            "Architecture": target.architecture,
            "Simulator": simulator,
            "Rollout": "at-once",
        }
        self._deploy(stack, own | dict(parameters))
        _put_simulated_keys(stack)
        stack.load_collection()
        stack.upload_page()
        addresses = Addresses(stack.outputs["ApiUrl"], stack.outputs["PageUrl"], _url(port), simulator)
        self._try(addresses.api + "/sayings")
        self._write_down(addresses)
        return addresses

    def down(self) -> None:
        """Stop all processes and remove the folder."""
        daemons = {"MiniStack": self._emulator, "the simulator": self._simulator}
        stopped = [name for name, daemon in daemons.items() if daemon.stop()]
        shutil.rmtree(self._folder, ignore_errors=True)
        say(f"Stopped {' and '.join(stopped)}; nothing is left." if stopped else "Nothing was running.")

    def _start_simulator(self) -> str:
        running = self._simulator.running()
        if running is not None:
            return _url(running.port)
        port = _free_port()
        say(f"Starting the simulator in place of the vendors on port {port} …")
        command = [sys.executable, "-m", "service.simulator", "--port", str(port)]
        self._simulator.start(command, {"PATH": os.defpath}, port)
        self._simulator.wait_for(f"{_url(port)}/health", "The simulator")
        return _url(port)

    def _start_emulator(self, wanted: int | None) -> int:
        running = self._emulator.running()
        if running is not None and wanted in (None, running.port):
            return running.port
        if running is not None:
            raise DeploymentFailed(f"It runs on port {running.port} already; `make deploy-local-down` first.")
        port = _free_port(USUAL_PORT) if wanted is None else wanted
        if not _is_free(port):
            raise DeploymentFailed(f"Port {port} is taken; choose another one by GATEWAY_PORT.")
        programs = environment("emulator")
        say(f"Starting MiniStack on port {port} …")
        self._emulator.start([programs / "ministack"], self._emulators_environment(port), port)
        self._emulator.wait_for(f"{_url(port)}/_ministack/health", "MiniStack")
        return port

    def _emulators_environment(self, port: int) -> dict[str, str]:
        """The complete environment of MiniStack.

        The functions inherit it, so it contains nothing of this process's environment, above all no key.
        """
        scratch = self._folder / "scratch"
        scratch.mkdir(exist_ok=True)
        places = {"HOME": scratch, "TMPDIR": scratch, "STATE_DIR": scratch, "S3_DATA_DIR": scratch}
        return {name: str(place) for name, place in places.items()} | {
            "PATH": os.defpath,
            "GATEWAY_PORT": str(port),
            "BIND_HOST": HOST,
            "AUTH": "true",  # roles and policies are enforced
            "IOT_MTLS_ENABLED": "0",
        }

    def _deploy(self, stack: Stack, parameters: Mapping[str, str]) -> None:
        say("Deploying deploy/template.yaml …")
        # The template's path to the archive is relative to itself, so a copy here uses the archive for this machine.
        template = self._folder / "deploy" / TEMPLATE.name
        template.parent.mkdir(exist_ok=True)
        for path in (TEMPLATE, NESTED):
            shutil.copyfile(path, template.parent / path.name)
        parameters = {**parameters, **stack.release(parameters, self._folder / "build/lambda.zip", template=template)}
        stack.deploy(parameters, "--no-confirm-changeset", template=template, log=self._folder / "deploy.log")

    def _try(self, url: str) -> None:
        """Request a first saying, and wait until the function has started. Raises DeploymentFailed."""
        say("Asking for a first saying …")
        try:
            answer = msgspec.json.decode(get(url, FIRST_ANSWER_SECONDS))
        except (OSError, msgspec.DecodeError) as error:
            raise DeploymentFailed(f"{url} does not answer: {error}{last_lines(self._emulator.log)}") from error
        say(f"  {answer['saying']}")
        say(f"  {answer['source']}, {answer['origin']}")
        if answer["origin"] == "builtin":
            problem = f"The database cannot be read ({answer['degraded']})"
            raise DeploymentFailed(problem + last_lines(self._emulator.log))

    def _write_down(self, addresses: Addresses) -> None:
        (self._folder / "state.json").write_bytes(msgspec.json.encode(addresses))
        lines = [f"export {name}={value}" for name, value in _emulators_settings(addresses.aws).items()]
        (self._folder / "aws.env").write_text("\n".join(lines) + "\n")


def _put_simulated_keys(stack: Stack) -> None:
    """Store keys that the simulator accepts, encrypted in the same way as the keys of an account."""
    say("Putting keys into Parameter Store …")
    store, key = stack.session.client("ssm"), stack.outputs["ParameterKeyArn"]
    with refusals("The keys could not be put into Parameter Store"):
        for vendor, name in stack.settings.key_parameters.items():
            value = f"{SIMULATED_KEY}-{vendor}"
            store.put_parameter(Name=name, Value=value, Type="SecureString", KeyId=key, Overwrite=True)


def _use_emulator(port: int) -> None:
    """Make MiniStack the AWS of this process and its children, for all SDKs and tools."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    os.environ.update(_emulators_settings(_url(port)))


def _emulators_settings(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": f"{HOST},localhost",
    }


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port(usual: int = 0) -> int:
    """The usual port if it is free, or else any free port."""
    if usual and _is_free(usual):
        return usual
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


NEXT = """
Cloud Sayings runs on this machine as it would on AWS, the models simulated.

  The page     {page}
  The API      {api}

  A saying     curl {api}/sayings
  The logs     (. {folder}/aws.env && {sam} logs --stack-name sayings --tail)
  Other tools  the same way: aws.env makes MiniStack their AWS
  Removing it  make deploy-local-down
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("parameters", nargs="*", metavar="Name=value", help="parameters of the template")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to keep it (%(default)s)")
    parser.add_argument("--simulator", default="", metavar="URL", help="one that runs already")
    parser.add_argument(
        "--port",
        type=int,
        default=os.environ.get("GATEWAY_PORT") or None,
        help=f"MiniStack's; GATEWAY_PORT if that is set, else {USUAL_PORT} or any free one",
    )
    options = parser.parse_intermixed_args()
    local = Local(options.folder)
    if options.command == "down":
        local.down()
        return 0
    try:
        addresses = local.up(options.port, options.simulator, given(options.parameters))
    except DeploymentFailed as error:
        say(f"Cannot deploy. {error}")
        return 1
    folder, sam = os.path.relpath(options.folder), os.path.relpath(environment("sam") / "sam")
    say(NEXT.format(page=addresses.page, api=addresses.api, folder=folder, sam=sam))
    return 0


if __name__ == "__main__":
    sys.exit(main())
