# SPDX-License-Identifier: MIT
"""Where the clients live: made once, in the cache, at the versions pinned beside this file.

An environment's folder is named after the digest of what is pinned; it is whole when
.whole is in it.  Several programs may ask at once: one makes it, the others wait.
"""
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("AIF_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "aif")
LIMIT_S = 900


class Missing(Exception):
    """Why there is no environment."""


def _run(what, *command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=LIMIT_S, **options)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
        raise Missing(f"{what}: {said[-1]}")


def _digest(files):
    total = hashlib.sha256(sys.version.encode())
    for name in files:
        with open(os.path.join(HERE, name), "rb") as file:
            total.update(file.read())
    return total.hexdigest()[:16]


def _made(kind, files, make):
    """The folder of an environment, which make(folder) fills if it is not there."""
    folder = os.path.join(CACHE, f"gateway-{kind}-{_digest(files)}")
    os.makedirs(CACHE, exist_ok=True)
    with open(folder + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, ".whole")):
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
            make(folder)
            with open(os.path.join(folder, ".whole"), "w", encoding="utf-8"):
                pass
    return folder


def _needs(program, package):
    if not shutil.which(program):
        raise Missing(f"{program} is missing (Debian: {package})")


def python():
    """The interpreter of a virtual environment with the Python clients."""
    def make(folder):
        _run("no virtual environment (Debian: python3-venv)", sys.executable, "-m", "venv", folder)
        _run("pip", f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "--no-deps",
             "--disable-pip-version-check", "--only-binary", ":all:", "-r",
             os.path.join(HERE, "requirements.txt"))
    return os.path.join(_made("python", ["requirements.txt"], make), "bin", "python")


def node():
    """A folder node_modules with the JavaScript clients."""
    files = ["package.json", "package-lock.json"]

    def make(folder):
        for name in files:
            shutil.copy(os.path.join(HERE, name), folder)
        _run("npm", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    _needs("node", "nodejs")
    _needs("npm", "npm")
    return os.path.join(_made("node", files, make), "node_modules")


def go():
    """The Go client, built."""
    files = ["go/go.mod", "go/go.sum", "go/main.go"]

    def make(folder):
        _run("go", "go", "build", "-trimpath", "-o", os.path.join(folder, "client"), ".",
             cwd=os.path.join(HERE, "go"),
             env={**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", "GOTOOLCHAIN": "local"})
    _needs("go", "golang-go")
    return os.path.join(_made("go", files, make), "client")
