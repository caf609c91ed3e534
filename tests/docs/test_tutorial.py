"""Every command of the tutorial, run in order in one shell, on a network of four processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WAIT_S = 480


def free_ports(count):
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def script():
    """The page's blocks, with ports that are free here instead of 7401 to 7404."""
    ports = " ".join(map(str, free_ports(4)))
    text = "".join(BLOCK.findall(PAGE.read_text()))
    assert text.count("127.0.0.1:740") == 2
    text = text.replace("127.0.0.1:740$n", "127.0.0.1:${PORTS[n-1]}")
    text = text.replace("127.0.0.1:740$((n % 4 + 1))", "127.0.0.1:${PORTS[n%4]}")
    return f"set -euo pipefail\nPORTS=({ports})\n{text}"


def test_the_commands_of_the_tutorial_do_what_it_says(tmp_path):
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "p2pcommerce"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m p2pcommerce "$@"\n')
    command.chmod(0o755)
    (tmp_path / "work").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    }
    shell = subprocess.Popen(
        ["bash", "-c", script()],
        cwd=tmp_path / "work",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with shell:
        try:
            out, err = shell.communicate(timeout=WAIT_S)
        finally:
            with suppress(ProcessLookupError):  # nothing of it is left when it went as it ought to
                os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, f"{out}\n{err}"
    assert len(re.findall(r"final at height \d+ after", out)) == 12  # the order's own line goes into a variable
    assert re.search(r"^p2pcommerce:[a-z2-7]{172}$", out, re.MULTILINE)
    assert "traced goods for 24000000 minor units each, 2 in stock" in out
    assert '"status": "PLACED"' in out
    assert '"count": 1' in out
    proven = out[out.index("it holds: final at height") :]
    assert [line.split()[3] for line in proven.splitlines()[2:]] == [
        "trace.commission",
        "trace.ship",
        "trace.receive",
        "trace.ship",
        "trace.receive",
        "order.ship",
        "order.confirm",
    ]
