"""A real ``mlflow models serve``, and a gateway before it that speaks MLflow's own protocol."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_PATIENCE = 180.0


@contextmanager
def served(model: Path) -> Iterator[str]:
    """Serve a saved model in a process of its own; gives the server's URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ("-m", "mlflow", "models", "serve", "--env-manager", "local", "--workers", "1")
    where = ("--model-uri", str(model), "--port", str(port))
    log = model.parent / "server.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, *command, *where],
            stdout=output,
            stderr=output,
            env=_environment(model.parent),
            start_new_session=True,
        ) as server,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/ping", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)


def _environment(folder: Path) -> dict[str, str]:
    """MLflow starts uvicorn by its name, which need not be on the path."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    unused = f"sqlite:///{folder / 'unused.db'}"
    return {**os.environ, "PATH": path, "MLFLOW_TRACKING_URI": unused}


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"no model server at {url}: {log.read_text(encoding='utf-8')[-2000:]}")


@contextmanager
def gateway(answer: Callable[[str, Any], Any], kind: str) -> Iterator[str]:
    """Answer MLflow's deployment client; gives the target's URL.

    Args:
        answer: of an endpoint's name and a request.
        kind: of the endpoints, such as ``llm/v1/chat``.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            model = {"name": name, "provider": "mlflow-model-serving"}
            endpoint = {"name": name, "endpoint_type": kind, "model": model, "limit": None}
            self._say({**endpoint, "endpoint_url": f"/endpoints/{name}/invocations"})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._say(answer(self.path.split("/")[-2], asked))

        def _say(self, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep requests off the screen."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def ask(server: str, row: Any) -> Any:
    """What a model server says of one row."""
    request = urllib.request.Request(
        f"{server}/invocations",
        json.dumps({"dataframe_records": [row]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)
