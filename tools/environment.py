"""Create the environment in .venv/: locked packages, and the slotcast command.

Run by make with the system's Python; the syntax is old enough for old versions to
report that they are too old. Does nothing if the environment is complete. Slotcast
itself is not installed: a .pth file points to this folder, so that code changes need no
set-up.

Usage: python3 tools/environment.py VENV REQUIREMENTS STAMP
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON_MIN = (3, 11)
COMMAND = """#!{python}
import sys
from cluster.cli import main
sys.exit(main())
"""


def main(venv: Path, requirements: Path, stamp: Path) -> None:
    """Create or complete the environment; the stamp is written last."""
    if sys.version_info[:2] < PYTHON_MIN:
        have = ".".join(map(str, sys.version_info[:2]))
        give_up(
            f"Slotcast needs Python 3.11 or newer; {sys.executable} is {have}.",
            "Install a newer one and name it: make run PYTHON=python3.12",
        )
    python = venv / "bin" / "python"
    if not works(python, "-m", "pip", "--version"):
        create(venv)
    say(f"Installing what {requirements.name} locks (once) …")
    code = run(
        python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-input", "--require-hashes", "-r", requirements,
    )  # fmt: skip
    if code:
        give_up(
            f"pip could not install {requirements.name} (see its output above).",
            "Check the network and the disk, then run make again.",
        )
    link(venv, python)
    stamp.write_text(f"{ROOT}\n", encoding="utf-8")


def create(venv: Path) -> None:
    """Create the environment, or replace a broken one."""
    if venv.exists():
        say(f"{venv} is incomplete or broken; recreating it.")
        shutil.rmtree(venv)
    if not works(sys.executable, "-c", "import venv, ensurepip"):
        install_venv_package()
    if run(sys.executable, "-m", "venv", venv):
        shutil.rmtree(venv, ignore_errors=True)
        give_up(
            f"{sys.executable} could not make {venv}.",
            "On Debian and Ubuntu: apt-get install python3-venv",
        )


def install_venv_package() -> None:
    """Install Debian's package for venv; root can."""
    remedy = "apt-get install python3-venv"
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        give_up("This Python comes without venv and ensurepip.", remedy)
    say(f"This Python comes without venv; running: {remedy}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(apt, "-qq", "update", env=quiet)
    if run(apt, "-qq", "-y", "install", "python3-venv", env=quiet):
        give_up("python3-venv could not be installed.", remedy)


def link(venv: Path, python: Path) -> None:
    """Make Slotcast importable from this folder, and write its command."""
    site = subprocess.check_output(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        text=True,
    )
    (Path(site.strip()) / "slotcast.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    command = venv / "bin" / "slotcast"
    interpreter = (venv / "bin" / "python").absolute()
    command.write_text(COMMAND.format(python=interpreter), encoding="utf-8")
    command.chmod(0o755)


def run(*command: object, env: "dict[str, str] | None" = None) -> int:
    """Run a command in this terminal; its exit code."""
    words = [str(part) for part in command]
    return subprocess.call(words, env=env)


def works(*command: object) -> bool:
    """Whether a command succeeds; its output is discarded."""
    try:
        code = subprocess.call(
            [str(part) for part in command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return False
    return code == 0


def say(text: str) -> None:
    """Print a line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def give_up(wrong: str, remedy: str) -> None:
    """Print what is wrong and the remedy; exit with code 2."""
    sys.stderr.write(f"{wrong}\n  {remedy}\n")
    sys.exit(2)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
