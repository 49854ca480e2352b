"""A throw-away PostgreSQL server with PostGIS, for tests.

The first of three ways that is open on this machine:

1. ``VELOUR_TEST_POSTGIS_URL``: a server of yours, whose role may create databases and the
   ``postgis`` extension. When it is set and does not work, no other way is tried.
2. Docker, when a daemon answers.
3. PostgreSQL and PostGIS on this machine, in a temporary directory, run by an unprivileged user.
   As root on Debian or Ubuntu they are installed with apt when they are missing.

What was started is stopped and deleted at the end, also when the tests fail or are killed.
Without a server this raises :class:`NoPostgisError`; it never lets a test be skipped. ::

    with postgis_server() as server, server.database() as url:
        engine = create_engine(url)
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import URL, NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

VARIABLE = "VELOUR_TEST_POSTGIS_URL"
IMAGE = "postgis/postgis:15-3.4"
DEBIAN = Path("/usr/lib/postgresql")  # a directory for each version
DRIVER = "postgresql+psycopg2"
LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"

SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''  # none: the path of a socket may be 107 bytes long at most
fsync = off
full_page_writes = off
synchronous_commit = off
"""

NO_SERVER = f"""these tests need PostgreSQL with PostGIS, and there is none:
{{reasons}}
Any one of these helps:
  - {VARIABLE}={DRIVER}://USER:PASSWORD@HOST:PORT/postgres
    with a role that may create databases and the postgis extension
  - a Docker daemon that can run {IMAGE}
  - PostgreSQL and PostGIS on this machine; on Debian and Ubuntu:
    apt-get install postgresql-postgis"""


class NoPostgisError(Exception):
    """There is no PostGIS server; the message says how to get one."""


class ClosedError(Exception):
    """One way to a server is closed, and why. The next one is tried."""


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server that makes databases with PostGIS in them."""

    url: URL
    template: str

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make a database, give its SQLAlchemy URL, drop it with whoever is still connected."""
        with _database(self.url, self.template) as url:
            yield url.render_as_string(hide_password=False)


@contextmanager
def postgis_server() -> Iterator[Server]:
    """Find or start a server; stop and delete what was started.

    Raises:
        NoPostgisError: every way is closed, or the server of the environment does not work.
    """
    with ExitStack() as stack:
        url = _first_open(stack)
        yield Server(url, _template(stack, url))


def _first_open(stack: ExitStack) -> URL:
    reasons = []
    for way in (_server_of_the_environment, _server_in_docker, _server_on_this_machine):
        try:
            return stack.enter_context(way())
        except ClosedError as reason:
            reasons.append(f"  - {reason}")
    raise NoPostgisError(NO_SERVER.format(reasons="\n".join(reasons)))


# Databases


@contextmanager
def _database(server: URL, template: str) -> Iterator[URL]:
    name = f"velour_test_{token_hex(6)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield server.set(database=name)
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _template(stack: ExitStack, server: URL) -> str:
    """Make a database with PostGIS once, because copies of it are quicker to make."""
    try:
        url = stack.enter_context(_database(server, "template0"))
        _execute(url, "CREATE EXTENSION postgis")
    except SQLAlchemyError as error:
        raise NoPostgisError(
            f"{server!r} cannot make a database with PostGIS: {error}\n"
            "Expected a role that may create databases and the postgis extension."
        ) from error
    return str(url.database)


def _execute(url: URL, statement: str) -> None:
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",  # CREATE DATABASE refuses to run in a transaction
        poolclass=NullPool,
        connect_args={"connect_timeout": 10},
    )
    with engine.connect() as connection:
        connection.execute(text(statement))


# The first way: a server that somebody else runs


@contextmanager
def _server_of_the_environment() -> Iterator[URL]:
    given = os.environ.get(VARIABLE)
    if not given:
        raise ClosedError(f"{VARIABLE} is not set")
    try:
        url = make_url(given).set(drivername=DRIVER)
    except SQLAlchemyError as error:
        raise NoPostgisError(f"{VARIABLE} is no URL: expected {DRIVER}://…") from error
    yield url


# The second way: Docker


@contextmanager
def _server_in_docker() -> Iterator[URL]:
    _run("docker", "info", "--format", "{{.ServerVersion}}", timeout=10)
    name = f"velour-test-{token_hex(6)}"
    with at_the_end('docker rm --force --volumes "$1"', name):
        _start_container(name)
        port = _run("docker", "port", name, "5432/tcp").split()[0].rpartition(":")[2]
        url = _local_url(int(port))
        _wait_for(url, seconds=60)
        yield url


def _start_container(name: str) -> None:
    trust, locale = "POSTGRES_HOST_AUTH_METHOD=trust", f"POSTGRES_INITDB_ARGS=--locale={LOCALE}"
    options = ["--detach", "--rm", "--name", name, "--publish", "127.0.0.1::5432"]
    _run("docker", "run", *options, "--env", trust, "--env", locale, IMAGE, "-c", "fsync=off")


def _wait_for(url: URL, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return _execute(url, "SELECT 1")
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise ClosedError(f"{url!r} did not answer in {seconds:.0f} s: {error}") from error
            time.sleep(0.2)


# The third way: PostgreSQL on this machine


@contextmanager
def _server_on_this_machine() -> Iterator[URL]:
    programs = _programs() or _install()
    user = _unprivileged_user()
    home = _temporary_directory(user)
    stop = '"$1"/pg_ctl stop --pgdata "$2"/data --mode immediate; rm -rf "$2"'
    with at_the_end(stop, str(programs), str(home), **user):
        yield _start(programs, home, user)


def _start(programs: Path, home: Path, user: Mapping[str, Any]) -> URL:
    data, log = home / "data", home / "log"
    choices = ["--username=postgres", "--auth=trust", "--encoding=UTF8", f"--locale={LOCALE}"]
    _run(programs / "initdb", "--no-sync", *choices, data, cwd=home, **user)
    port = _free_port()
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS.format(port=port))
    try:
        _run(programs / "pg_ctl", "start", "-w", "-D", data, "-l", log, cwd=home, **user)
    except ClosedError as error:
        raise ClosedError(f"{error}\n{_last_lines(log.read_text())}") from error
    return _local_url(port)


def _programs() -> Path | None:
    """Find the newest directory of PostgreSQL programs that have PostGIS."""
    found = sorted(DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    if postgres := shutil.which("postgres"):
        found.append(Path(postgres).resolve().parent)
    if shutil.which("pg_config"):
        found.append(Path(_run("pg_config", "--bindir").strip()))
    return next(filter(_has_postgis, found), None)


def _has_postgis(programs: Path) -> bool:
    if not all((programs / name).exists() for name in ("initdb", "pg_config", "pg_ctl")):
        return False
    share = Path(_run(programs / "pg_config", "--sharedir").strip())
    return (share / "extension" / "postgis.control").exists()


def _unprivileged_user() -> dict[str, Any]:
    """Say in the words of ``subprocess`` who runs PostgreSQL, which refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    accounts = {account.pw_name: account for account in pwd.getpwall()}
    account = accounts.get("postgres") or accounts["nobody"]
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _temporary_directory(user: Mapping[str, Any]) -> Path:
    """Make a directory that the user can reach: root's own ``TMPDIR`` may be closed to others."""
    home = tempfile.mkdtemp(prefix="velour-postgis-", dir="/tmp" if user else None)
    if user:
        os.chown(home, user["user"], user["group"])
    return Path(home)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _local_url(port: int) -> URL:
    return URL.create(DRIVER, "postgres", host="127.0.0.1", port=port, database="postgres")


# Debian and Ubuntu


def _install() -> Path:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ClosedError("PostgreSQL with PostGIS is not installed; root can, with apt-get")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run("apt-get", "update", check=False, env=quiet)  # one broken mirror need not matter
    install = ["apt-get", "install", "-y", "--no-install-recommends", "-oDPkg::Lock::Timeout=300"]
    with _no_default_cluster():
        _run(*install, _newest_package(), env=quiet)
    if programs := _programs():
        return programs
    raise ClosedError(f"apt-get installed PostGIS, but not below {DEBIAN}")


def _newest_package() -> str:
    offered = _run("apt-cache", "search", "--names-only", "^postgresql-[0-9]+-postgis-3$")
    versions = re.findall(r"^postgresql-(\d+)-postgis-3 ", offered, re.MULTILINE)
    if not versions:
        raise ClosedError("apt offers no postgresql-…-postgis-3")
    return f"postgresql-{max(map(int, versions))}-postgis-3"


@contextmanager
def _no_default_cluster() -> Iterator[None]:
    """Keep Debian from starting a server of its own because PostgreSQL is new."""
    setting = Path("/etc/postgresql-common/createcluster.d/velour-tests.conf")
    setting.parent.mkdir(parents=True, exist_ok=True)
    setting.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        setting.unlink()


# Processes


def _run(
    *command: str | Path, check: bool = True, timeout: float | None = None, **options: Any
) -> str:
    """Run a program and give its output; when it fails, the way to a server is closed."""
    line = " ".join(map(str, command))
    options |= {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    try:
        return str(subprocess.run(command, check=check, timeout=timeout, **options).stdout)
    except subprocess.CalledProcessError as error:
        raise ClosedError(f"{line}\n{_last_lines(error.stdout + error.stderr)}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClosedError(f"{line}\n{_last_lines(str(error))}") from error


def _last_lines(output: str) -> str:
    return "\n".join(f"      {line}" for line in output.strip().splitlines()[-10:])


@contextmanager
def at_the_end(script: str, *arguments: str, **options: Any) -> Iterator[None]:
    """Run a shell script when the block ends, or when this process dies, however it dies.

    A process of its own waits for a line on a pipe; the pipe closes when this process is killed.
    """
    options |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    guard = subprocess.Popen(
        ["/bin/sh", "-c", f"read _; {script}", "sh", *arguments],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is not for the guard
        **options,
    )
    try:
        yield
    finally:
        guard.communicate(b"\n")
