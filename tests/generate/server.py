"""A scripted server with OpenAI's API, for the tests of generation; it listens on the loopback device alone.

It is a process of its own, so that what a test kills is the client. What it answers is a pure function of the
body of a request and of the script; what goes wrong on the way is one of body, try and seed; and its log says
which request was answered in full, and how often:

```python
with Server("domain", faults=0.2, kinds="429,500,reset") as server:
    ...  # a client against server.base_url
    assert max(server.answered().values()) == 1
```
```sh
python -m tests.generate.server --script echo --log FILE --port-file FILE
```
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import importlib.util
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import msgspec

from tests.generate.scripted.answers import Manner, Script
from tests.generate.scripted.app import App, Log, Options
from tests.generate.scripted.batches import KINDS as ENDINGS
from tests.generate.scripted.faults import ANSWERS, KINDS, TRANSIENT, Faults

_ROOT = Path(__file__).parent.parent.parent
_START_S, _SETTLE_S = 20.0, 10.0


class Server:
    """A server for a test; used as a context.

    Args:
        script: A name in `scripts`, or the path of a Python file with a function `answer`.
        log: Where the log goes; it is appended to. Default: a file that ends with the server.
        options: As those of the command line, with `_` for `-`: `faults=0.2`, `kinds="429,500"`,
            `latency_ms=5`, `log_bodies=True`, ...
    """

    def __init__(self, script: str = "echo", *, log: Path | None = None, **options: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="scripted-server-")
        folder = Path(self._folder.name)
        self.log_file = log or folder / "log.jsonl"
        self._port_file, self._errors = folder / "port", folder / "errors"
        command = [sys.executable, "-m", __name__ if __name__ != "__main__" else "tests.generate.server"]
        command += ["--script", str(script), "--log", str(self.log_file), "--port-file", str(self._port_file)]
        for name, value in options.items():
            if value is True:
                command.append(f"--{name.replace('_', '-')}")
            elif value is not None and value is not False:
                command += [f"--{name.replace('_', '-')}", str(value)]
        self._command = [*command, "--until-input-ends"]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        with self._errors.open("wb") as errors:
            # In its own session no signal to the client's group reaches it; its input ends with this process.
            self._process = subprocess.Popen(
                self._command,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        try:
            self.port = self._wait_for_port()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def _wait_for_port(self) -> int:
        assert self._process is not None
        ends = time.monotonic() + _START_S
        while time.monotonic() < ends:
            if self._port_file.exists():
                return int(self._port_file.read_text())
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"the scripted server did not start: {self._errors.read_text()[-2000:]}")

    def stop(self) -> None:
        """Ends the process, by its own id."""
        if self._process is None:
            return
        process, self._process = self._process, None
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def base_url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/v1"

    def log(self) -> list[dict[str, Any]]:
        """The lines of the log so far."""
        lines = self.log_file.read_bytes().split(b"\n")
        return [msgspec.json.decode(line) for line in lines[:-1]]

    def settled(self) -> list[dict[str, Any]]:
        """The log once each request in it has ended: the line about a reply comes just after the reply."""
        ends = time.monotonic() + _SETTLE_S
        while True:
            lines = self.log()
            events = Counter(line["event"] for line in lines)
            if events["request"] == events["sent"] + events["lost"]:
                return lines
            if time.monotonic() > ends:
                raise TimeoutError("requests are still under way")
            time.sleep(0.005)

    def answered(self) -> Counter[str]:
        """How often each body was answered in full, by itself or in a batch, by its digest."""
        return Counter(
            line["digest"]
            for line in self.settled()
            if (line["event"] == "sent" and line.get("fault") == "ok") or line.get("outcome") == "ok"
        )

    def asked(self) -> Counter[str]:
        """How often each body came, by its digest."""
        return Counter(
            line["digest"] for line in self.log() if line["event"] == "request" and line.get("try")
        )


def _load(name: str) -> Script:
    if not name.endswith(".py"):
        return cast("Script", importlib.import_module(f"tests.generate.scripts.{name}"))
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Script", module)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _some_of(allowed: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = _names(text)
        for name in names:
            if name not in allowed:
                message = f"`{name}` is none of {', '.join(allowed)}"
                raise argparse.ArgumentTypeError(message)
        return names

    return read


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.generate.server", description="A scripted server.")
    add = parser.add_argument
    add("--script", required=True, help="a name in tests/generate/scripts, or the path of a Python file")
    add("--log", required=True, type=Path, help="the log, one JSON line an event; it is appended to")
    add("--port-file", type=Path, help="where the port is written, once it listens")
    add("--latency-ms", type=float, default=0.0, help="between a request and its reply")
    add("--faults", type=float, default=0.0, help="share of the tries that fail")
    add("--kinds", type=_some_of(KINDS), default=TRANSIENT, help=f"how they fail: {','.join(KINDS)}")
    add("--final", type=float, default=0.0, help="share of the bodies of which each try fails alike")
    add("--final-kinds", type=_some_of(KINDS), default=ANSWERS, help="how those fail")
    add("--seed", type=int, default=1, help="of the faults")
    add("--retry-after", type=int, default=1, help="seconds that a 429 asks to wait")
    add("--drip-seconds", type=float, default=60.0, help="after these a slow drip is broken off")
    add("--refuse", type=_names, default=(), help="parameters that are answered with 400")
    add("--ignore", type=_names, default=(), help="parameters that are passed over")
    add("--reasoning", choices=("reasoning_content", "reasoning", "think"), default="reasoning_content")
    add("--think", action="store_true", help="each answer has reasoning")
    add("--misplace", action="store_true", help="the content is where the reasoning should be")
    add("--most-in-flight", type=int, help="more requests at a time are answered with 429")
    add("--log-bodies", action="store_true", help="log bodies and replies")
    add(
        "--batches",
        type=_some_of(ENDINGS),
        default=("complete",),
        help=f"how batches end: {','.join(ENDINGS)}",
    )
    add("--batch-polls", type=int, default=3, help="how often a batch is looked at until it has ended")
    add("--batch-errors", type=float, default=0.0, help="share of the lines that end in the error file")
    add(
        "--batch-faults",
        type=float,
        default=0.0,
        help="share of the calls of the batch API whose reply is lost",
    )
    add("--model", default="scripted", help="the name of the model that is served")
    add("--until-input-ends", action="store_true", help="end when the standard input does")
    return parser


async def _serve(app: App, port_file: Path | None, until_input_ends: bool) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if until_input_ends:
        loop.add_reader(sys.stdin.fileno(), ended.set)
    server = await loop.create_server(app.connect, "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    if port_file is None:
        print(port, flush=True)
    else:
        part = port_file.with_name(f"{port_file.name}.part")
        part.write_text(str(port))
        part.replace(port_file)
    await ended.wait()
    server.close()
    for connection in list(app.opened):
        connection.close()


def main() -> None:
    """Serves until a signal, or until the input ends."""
    given = _parser().parse_args()
    faults = Faults(
        rate=given.faults,
        kinds=given.kinds,
        final_rate=given.final,
        final_kinds=given.final_kinds,
        seed=given.seed,
        retry_after_s=given.retry_after,
        drip_s=given.drip_seconds,
    )
    options = Options(
        faults=faults,
        manner=Manner(reasoning=given.reasoning, thinks=given.think, misplaces=given.misplace),
        latency_s=given.latency_ms / 1000,
        refuses=given.refuse,
        ignores=given.ignore,
        most_in_flight=given.most_in_flight,
        logs_bodies=given.log_bodies,
        model=given.model,
        batches=given.batches,
        batch_polls=given.batch_polls,
        batch_errors=given.batch_errors,
        batch_faults=Faults(rate=given.batch_faults, kinds=("500", "reset", "reset-body"), seed=given.seed),
    )
    app = App(_load(given.script), options, Log(given.log))
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    gc.freeze()
    os.umask(0o077)
    asyncio.run(_serve(app, given.port_file, given.until_input_ends))


if __name__ == "__main__":
    main()
