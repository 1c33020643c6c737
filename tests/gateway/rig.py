# SPDX-License-Identifier: MIT
"""What the gateway's tests share: a machine without a route, a gateway, the right vectors.

A test program begins with rig.enter(), before it imports any client.
"""
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import environment
import tap

ROOT = os.path.dirname(os.path.dirname(environment.HERE))
INSIDE = "AIF_GATEWAY_TEST_INSIDE"
HOST, PORT, PORT_TLS = "127.0.0.1", 8080, 8443
AT_ONCE = (8081, 8444)
METRICS = "127.0.0.1:9090"  # for --metrics
START_S = 120
CLOSE = 1e-5            # how far a vector may be from what `aif embed` says


# ---- where tests run

def _unshare():
    """The command that runs another one without a network; or why that cannot be."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *user, "--net", "--", "sh", "-c",
               'ip link set lo up && exec "$@"', "sh"]
    try:
        done = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise environment.Missing(f"unshare: {error.strerror}") from error
    if done.returncode:
        raise environment.Missing(f"no network namespace: {done.stderr.strip()}")
    return command


def _model():
    """The folder of the model in the cache."""
    done = subprocess.run([os.path.join(ROOT, "tools/fetch-model")], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        raise environment.Missing(f"no model: {done.stderr.strip().splitlines()[-1]}")
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())["model"]


def enter(title, **needs):
    """Go on with the clients' Python, in a network namespace that has lo and no route.

    needs: environment variables to be set, by the functions that make their values.
    Where something is missing the program ends here, skipped.
    """
    os.chdir(ROOT)
    if os.environ.get(INSIDE):
        return
    try:
        variables = {INSIDE: "1", "AIF_TEST_MODEL": _model()}
        variables.update({name: make() for name, make in needs.items()})
        command = [*_unshare(), environment.python(), "-B", *sys.argv]
    except environment.Missing as why:
        tap.skip_all(title, why)
        sys.exit(0)
    os.execvpe(command[0], command, {**clean(), **variables})


def clean():
    """The environment without what clients would read."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("AWS_", "OPENAI_")) and not name.lower().endswith("_proxy")}


@contextlib.contextmanager
def environ(**variables):
    """These environment variables, and none else that clients read, in the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def has_no_route():
    with open("/proc/net/route", encoding="utf-8") as routes:
        return len(routes.readlines()) <= 1


# ---- a gateway

class Gateway:
    """A gateway on `local`, until the block ends; then it must end well, all answered.

    ports: in clear text, over TLS; AT_ONCE beside one that runs already

    token, other: two bearers; basic, aws, session: keys, as `aif key create` says; ca: whom to
    trust over TLS.
    """

    def __init__(self, *options, binary="build/aif-gateway", keys=True, ports=(PORT, PORT_TLS)):
        self.port, self.port_tls = ports
        self.url, self.secure_url = f"http://{HOST}:{ports[0]}", f"https://localhost:{ports[1]}"
        self.folder = tempfile.TemporaryDirectory()
        self.command = [binary, "--listen", f"{HOST}:{self.port}", "--device", "local", "--model",
                        os.environ["AIF_TEST_MODEL"], *options]
        if keys:
            self.add_keys()
        else:
            self.command.append("--anonymous")
        self.process = self.log = None

    def add_keys(self):
        path, tls = os.path.join(self.folder.name, "keys.json"), os.path.join(self.folder.name, "tls")
        self.keys, self.ca = path, os.path.join(tls, "ca.pem")
        self.token, self.other = (self.key("--type", "bearer")["token"] for _ in range(2))
        self.basic, self.aws = self.key("--type", "basic"), self.key("--type", "aws")
        self.session = self.key("--type", "aws", "--session", "--expires", "1h")
        subprocess.run(["build/aif", "key", "tls", "--folder", tls, "localhost"], check=True,
                       capture_output=True)
        self.command += ["--keys", path, "--listen-tls", f"{HOST}:{self.port_tls}",
                         "--tls-cert", os.path.join(tls, "server.pem"),
                         "--tls-key", os.path.join(tls, "server.pem")]

    def key(self, *options):
        """A new key: an object."""
        done = subprocess.run(["build/aif", "key", "create", "--file", self.keys, "--json",
                               *options, "a-test"], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def __enter__(self):
        path = f"build/tests/log/gateway-of-{os.path.basename(sys.argv[0])}-{self.port}.log"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.log = open(path, "w+", encoding="utf-8")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL)
        until(self.listens, START_S)
        return self

    def listens(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the gateway ended: {self.logged()}")
        try:
            with self.connect():
                return True
        except (ConnectionRefusedError, ConnectionResetError):  # reset: it closed just then
            return False

    def connect(self):
        return socket.create_connection((HOST, self.port), timeout=60)

    def logged(self):
        with open(self.log.name, encoding="utf-8") as log:
            return log.read()

    def memory_kib(self, name="VmRSS:"):
        """What it has in memory; VmHWM: the most that it had."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name))

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = "nothing within 60 s"
        said = self.logged()
        self.log.close()
        self.folder.cleanup()
        if status and not kind:
            raise RuntimeError(f"the gateway ended with {status}: {said}")


def metric(name):
    """The sum of the gateway's numbers whose names, with labels, begin so."""
    with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("aif_gateway_" + name))


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {condition}")
        time.sleep(0.02)


# ---- what is right

TEXTS = [
    "a cat sits on the mat",
    "The bank's risk report of the third quarter, in one sentence.",
    "Größe, naïve café, 東京 and emoji \N{GRINNING FACE}",
    "tab\tand\nnewline, \"quotes\" and \\ backslash",
]


@functools.lru_cache(maxsize=None)
def _embed(texts):
    done = subprocess.run(["build/aif", "embed", "--device", "local", "--model",
                           os.environ["AIF_TEST_MODEL"], "--json", "-0", "-"],
                          input="\0".join(texts), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def embed(*texts):
    """What `aif embed` says of texts: objects with embedding and tokens."""
    return _embed(texts)


def vector_is(text, vector):
    """Is it the one that `aif embed` makes of the text?"""
    vectors_are([text], [vector])


def vectors_are(texts, vectors):
    """The same of many: `aif embed` runs once."""
    for text, answer, vector in zip(texts, embed(*texts), vectors, strict=True):
        right = answer["embedding"]
        tap.same(len(right), len(vector), "dimensions")
        worst = max(abs(a - b) for a, b in zip(right, vector))
        if not worst <= CLOSE:
            raise AssertionError(f"{text!r}: a component differs by {worst:g}")


def tokens(*texts):
    return sum(answer["tokens"] for answer in embed(*texts))
