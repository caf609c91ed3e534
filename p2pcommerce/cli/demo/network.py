"""A network of validators on this machine: each an OS process with its own folder, key file and loopback port.

A child gets its passphrase on its standard input and stops when that ends, so that no child outlives this process,
however it ends.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

import p2pcommerce
from p2pcommerce.cli.demo.folder import DemoFolder
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.runtime.config import write_config

__all__ = ["LocalNetwork", "ValidatorProcess", "ValidatorStoppedError"]

_READY_S: Final = 30.0
_STOP_S: Final = 0.4
"""A validator that has not ended after so long is killed: Ctrl-C is done within a second, on a busy machine too."""
_STDERR_BYTES: Final = 16 * 1024


class ValidatorStoppedError(P2PError):
    """A validator's process ended by itself."""

    code = "VALIDATOR_STOPPED"


@dataclass(slots=True, eq=False)
class ValidatorProcess:
    """One validator.

    Attributes:
        index: 0 upwards.
        folder: of its node.
        address: where it listens.
        public_key: 32 bytes; empty before its first start.
        process: None while it does not run.
        expected: whether it ought to be running.
        command: of `python -m`, before the folder; of its own kinds of nodes.
    """

    index: int
    folder: Path
    address: str
    public_key: bytes = b""
    process: trio.Process | None = None
    expected: bool = False
    command: tuple[str, ...] = ("p2pcommerce", "run")

    @property
    def stderr_file(self) -> Path:
        """What its process last wrote to stderr."""
        return self.folder / "stderr.txt"

    def last_words(self) -> str:
        """Return the line of its stderr that says most about its end; empty if there is none."""
        try:
            with self.stderr_file.open("rb") as file:
                file.seek(max(0, self.stderr_file.stat().st_size - _STDERR_BYTES))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        words = [line.strip(" |+-") for line in lines if line.strip(" |+-")]
        named = [line for line in words if line.startswith("p2pcommerce: ") or "Error" in line.partition(":")[0]]
        return (named or words or [""])[-1].removeprefix("p2pcommerce: ")

    def cpu_s(self) -> float:
        """Return the processor time that it has used, seconds; 0 where the system does not tell it."""
        if self.process is None:
            return 0.0
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii", errors="replace")
            user, system = stat.rpartition(")")[2].split()[11:13]
        except (OSError, ValueError):
            return 0.0
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float | None:
        """Return its memory in MiB where the system tells it."""
        if self.process is None:
            return None
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, ValueError, IndexError):
            return None
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class LocalNetwork:
    """The processes of one demo.

    Attributes:
        validators: in order.
    """

    def __init__(self, folder: DemoFolder, nursery: trio.Nursery) -> None:
        """Prepare; nothing runs yet.

        Args:
            folder: of the demo.
            nursery: in which the processes are watched.
        """
        self._folder = folder
        self._nursery = nursery
        ports = _free_ports(folder.nodes)
        self.validators = [
            ValidatorProcess(index, folder.node_folder(index), f"tcp://127.0.0.1:{port}")
            for index, port in enumerate(ports)
        ]
        for validator in self.validators:
            self._configure(validator)
        self._newcomers: list[ValidatorProcess] = []
        folder.save([validator.address for validator in self.validators])

    def cpu_s(self) -> tuple[float, float]:
        """Return the processor time that all validators, and that this process have used, seconds."""
        return sum(validator.cpu_s() for validator in self.validators), time.process_time()

    def add(self, node_folder: Path, index: int, module: str) -> ValidatorProcess:
        """Return another node, which is no validator of the genesis; `start_one` starts it, `stop` stops it.

        Args:
            node_folder: with its key and genesis.
            index: its number.
            module: what runs in its process.
        """
        (port,) = _free_ports(1)
        newcomer = ValidatorProcess(index, node_folder, f"tcp://127.0.0.1:{port}", command=(module,))
        self._newcomers.append(newcomer)
        self._configure(newcomer)
        return newcomer

    async def start(self) -> None:
        """Start all validators and wait until each answers.

        Raises:
            ValidatorStoppedError: one did not start.
        """
        async with trio.open_nursery() as nursery:
            for validator in self.validators:
                nursery.start_soon(self.start_one, validator)

    async def start_one(self, validator: ValidatorProcess) -> None:
        """Start one validator and wait until it answers.

        Raises:
            ValidatorStoppedError: it did not start.
        """
        root = str(Path(p2pcommerce.__file__).parents[1])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        command = [sys.executable, "-m", *validator.command, str(validator.folder)]
        with validator.stderr_file.open("wb") as stderr:
            validator.process = process = await trio.lowlevel.open_process(
                [*command, "--passphrase-file", "-", "--until-eof", "--json"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,  # Ctrl-C is for this process, which stops its children in order
            )
        validator.expected = True
        self._nursery.start_soon(self._watch, validator, process)
        line = b""
        with trio.move_on_after(_READY_S):
            with suppress(trio.BrokenResourceError):  # it has ended already; the end of its output says so, too
                await _writer(process).send_all(f"{self._folder.passphrase}\n".encode())
            line = await _first_line(process)
        try:
            document = json.loads(line)
            validator.public_key = bytes.fromhex(document["public_key"])
        except (ValueError, KeyError, TypeError) as error:
            validator.expected = False
            with trio.move_on_after(_STOP_S):
                process.terminate()
                await process.wait()
            reason = validator.last_words() or f"no answer within {_READY_S:.0f} s"
            raise ValidatorStoppedError(f"validator {validator.index} did not start: {reason}") from error

    async def kill(self, validator: ValidatorProcess) -> None:
        """Kill a validator, as `kill -9` does."""
        validator.expected = False
        if validator.process is not None:
            validator.process.kill()
            await validator.process.wait()
            validator.process = None

    async def stop(self) -> None:
        """Stop all within a second."""
        nodes = [*self.validators, *self._newcomers]
        running = [node.process for node in nodes if node.process is not None]
        for node in nodes:
            node.expected = False
        for process in running:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        with trio.move_on_after(_STOP_S, shield=True):
            for process in running:
                await process.wait()
        with trio.CancelScope(shield=True):
            for process in running:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
                await _writer(process).aclose()
                if process.stdout is not None:
                    await process.stdout.aclose()

    async def _watch(self, validator: ValidatorProcess, process: trio.Process) -> None:
        """Raise when the process ends and should not have."""
        await process.wait()
        if validator.expected and validator.process is process and validator.public_key:
            reason = validator.last_words() or f"exit code {process.returncode}"
            raise ValidatorStoppedError(f"validator {validator.index} stopped by itself: {reason}")

    def _configure(self, validator: ValidatorProcess) -> None:
        path = validator.folder / "config.toml"
        path.unlink(missing_ok=True)
        write_config(
            path,
            {
                "listen": (validator.address,),
                "bootstrap": tuple(other.address for other in self.validators if other is not validator),
                "name": f"validator {validator.index}",
            },
        )


def _writer(process: trio.Process) -> trio.abc.SendStream:
    if process.stdin is None:
        raise ValidatorStoppedError("the process has no standard input")
    return process.stdin


async def _first_line(process: trio.Process) -> bytes:
    received = b""
    while process.stdout is not None and b"\n" not in received:
        chunk = await process.stdout.receive_some(4_096)
        if not chunk:
            break
        received += chunk
    return received.partition(b"\n")[0]


def _free_ports(count: int) -> list[int]:
    """Return ports that are free now; they are all held until each is known."""
    held = []
    try:
        for _ in range(count):
            one = socket.socket()
            held.append(one)
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
