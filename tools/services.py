"""Provide the servers and tools that tests start; install missing ones.

Run by make before the tests, with the system's Python. It only checks if everything is
there. As root on Debian or Ubuntu it installs what is missing, without starting any
service: tests start their own servers, on free ports. Elsewhere it names each missing
program and its package, and the tests that need it fail with the same hint. In CI
(``CI=true``) anything missing is a failure.

Usage: python3 tools/services.py FOLDER STAMP
"""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "services"
"""Folder with package.json and its lock."""
POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian runs this program to decide whether a service may be started."""
NO_SERVICE = "#!/bin/sh\nexit 101\n"
MORE_PATHS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Folders with servers that are often not on PATH."""
MODULES = ("/usr/lib/nginx/modules", "/usr/share/nginx/modules")

SERVICES = (
    # what must be there · Debian's packages · what it is, for people
    ("mariadbd", ("mariadb-server",), "MariaDB 10.11 or newer"),
    ("redis-server", ("redis-server",), "Redis 7 or newer"),
    ("nginx", ("nginx",), "nginx"),
    ("ngx_nchan_module.so", ("libnginx-mod-nchan",), "nginx's module nchan"),
    ("chromium", ("chromium",), "Chromium"),
    ("node", ("nodejs",), "Node.js 18 or newer"),
    ("npm", ("npm",), "npm"),
    ("ip", ("iproute2",), "iproute2 (the command ip)"),
    ("promtool", ("prometheus",), "Prometheus (the command promtool)"),
    ("clamd", ("clamav-daemon",), "ClamAV (the command clamd)"),
)
UNITS = {
    "mariadb-server": ("mariadb",),
    "redis-server": ("redis-server",),
    "nginx": ("nginx",),
    "prometheus": ("prometheus", "prometheus-node-exporter"),
    "clamav-daemon": ("clamav-daemon", "clamav-freshclam"),
}
"""Units of these packages, which the next boot would start."""


def main(folder: Path, stamp: Path) -> None:
    """Check, install, check again; the stamp is written when nothing is missing."""
    missing = [one for one in SERVICES if not found(one[0])]
    if missing and can_install():
        install([name for _, names, _ in missing for name in names])
        missing = [one for one in SERVICES if not found(one[0])]
    wanted = [
        f"{label} is missing (for {program}); on Debian and Ubuntu: "
        f"apt-get install {' '.join(names)}"
        for program, names, label in missing
    ]
    if found("npm") and not from_npm(folder):
        wanted.append(f"npm could not install {SOURCES / 'package.json'}: see above.")
    if not wanted:
        folder.mkdir(parents=True, exist_ok=True)
        stamp.write_text("", encoding="utf-8")
        return
    for sentence in wanted:
        say(sentence)
    if os.environ.get("CI") == "true":
        say("In CI all of it is required.")
        sys.exit(1)
    say("The tests that need it will report that.")


def found(name: str) -> bool:
    """Whether this program, or this module of nginx, is installed."""
    if name.endswith(".so"):
        return any((Path(folder) / name).exists() for folder in MODULES)
    paths = os.pathsep.join((os.environ.get("PATH", ""), *MORE_PATHS))
    return shutil.which(name, path=paths) is not None


def can_install() -> bool:
    """Whether this process may use Debian's package manager."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(names: "list[str]") -> None:
    """Install Debian packages without starting their services."""
    say(f"Installing for the tests (once): {' '.join(names)} …")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with no_services():
        # With stale lists a package may seem to be missing.
        run("apt-get", "-qq", "update", env=quiet)
        words = ("apt-get", "-qq", "-y", "--no-install-recommends", "install")
        if run(*words, *names, env=quiet):
            for name in names:  # one that is unavailable must not block the others
                run(*words, name, env=quiet)
    leave_off(names)


@contextlib.contextmanager
def no_services():  # type: ignore[no-untyped-def] # runs on any Python 3
    """Keep packages from starting services while they are installed."""
    if POLICY.exists():  # the machine has its own policy, usually a container
        yield
        return
    POLICY.write_text(NO_SERVICE, encoding="utf-8")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def leave_off(names: "list[str]") -> None:
    """Where systemd runs, keep the next boot from starting them, too."""
    if not Path("/run/systemd/system").is_dir():
        return
    for name in names:
        for unit in UNITS.get(name, ()):
            run("systemctl", "--quiet", "disable", unit)


def from_npm(folder: Path) -> bool:
    """Install the locked npm packages in ``folder``; whether that worked."""
    lock = (SOURCES / "package-lock.json").read_bytes()
    installed = folder / ".installed.json"
    if installed.exists() and installed.read_bytes() == lock:
        return True
    say("Installing Azurite and an OpenID issuer for the tests (once) …")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(SOURCES / name, folder / name)
    code = run(
        "npm", "ci", "--prefix", folder, "--omit=dev", "--ignore-scripts",
        "--no-audit", "--no-fund", "--loglevel=error",
    )  # fmt: skip
    if code:
        return False
    installed.write_bytes(lock)
    return True


def run(*command: object, env: "dict[str, str] | None" = None) -> int:
    """Run a command; its exit code. Its output is shown only if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        say(done.stdout.decode(errors="replace"))
    return done.returncode


def say(text: str) -> None:
    """Print a line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
