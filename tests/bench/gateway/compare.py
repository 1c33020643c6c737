# SPDX-License-Identifier: MIT
"""Requests a second of aif-gateway and of infinity-emb, which take turns.

usage: compare.py MODEL-DIR [--seconds S] [--rounds N]

Both are driven by wrk with 1, 8 and 32 connections and the same 200 texts of 16 to 32
tokens, ask for fp32 vectors as JSON, and have all processors.  Then a libaif client with as
many texts in flight, while wrk asks /health of an idle gateway as often.  Figures are
medians over the rounds; a ratio is of figures of one round.
"""
import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
OURS, PEER = 18080, 18081
CONNECTIONS = (1, 8, 32)
TEXTS = 200
WORDS = ("time year people way day man thing woman life child world school state family student "
         "group country problem hand part place case week company system program question work "
         "government number night point home water room mother area money story fact month lot "
         "right study book eye job word business issue side kind head house service friend father "
         "power hour game line end member law car city community name president team minute idea "
         "body information back parent face others level office door health person art war "
         "history party result change morning reason research girl guy moment air teacher").split()


def make_texts(path):
    """Their tokens, which are counted by our own tokenizer."""
    chance = random.Random(1)
    texts = [" ".join(chance.choices(WORDS, k=chance.randint(14, 30))) for _ in range(TEXTS)]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(texts) + "\n")
    done = subprocess.run(["build/aif", "embed", "--device", "local", "--json", "-"],
                          input="\n".join(texts) + "\n", capture_output=True, text=True, check=True)
    tokens = [json.loads(line)["tokens"] for line in done.stdout.splitlines()]
    assert len(set(texts)) == TEXTS and min(tokens) >= 16 and max(tokens) <= 32, tokens
    return tokens


class Server:
    """Until the block ends; what it keeps it keeps in a folder."""

    def __init__(self, port, command, log, folder):
        self.port, self.command, self.log, self.process = port, command, log, None
        self.folder = folder

    def __enter__(self):
        environ = {**os.environ, "HF_HUB_OFFLINE": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0",
                   "INFINITY_HOME": self.folder}
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environ)
        end = time.monotonic() + 300
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"bench gateway: {self.command[0]} does not answer; see {self.log}")
            time.sleep(0.2)
        return self

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5):
                return True
        except OSError:
            return False

    def cpu_seconds(self):
        """{thread's name: seconds of processor time}"""
        total = {}
        base = f"/proc/{self.process.pid}/task"
        for task in os.listdir(base):
            with open(f"{base}/{task}/comm", encoding="utf-8") as file:
                name = file.read().strip()
            with open(f"{base}/{task}/schedstat", encoding="utf-8") as file:
                total[name] = total.get(name, 0) + int(file.read().split()[0]) / 1e9
        return total

    def __exit__(self, *error):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def wrk_start(port, path, connections, seconds, texts="", delay=0):
    return subprocess.Popen(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s",
         os.path.join(HERE, "load.lua"), f"http://127.0.0.1:{port}{path}"],
        env={**os.environ, "BENCH_TEXTS": texts, "BENCH_DELAY_MS": str(round(delay))},
        stdout=subprocess.PIPE, text=True)


def wrk_end(process):
    out = process.communicate()[0]
    figures = json.loads(out.splitlines()[-1])
    if figures["errors"]:
        print(f"bench gateway: {figures['errors']} requests failed", file=sys.stderr)
    return figures


def embeddings(server, connections, seconds, texts):
    return wrk_end(wrk_start(server.port, "/v1/embeddings", connections, seconds, texts))


def shares(before, after):
    """Processor time of the event loops, of the executor's threads, and the loops' part."""
    spent = {name: after[name] - before.get(name, 0) for name in after}
    loops = spent.get("aif-loop", 0)
    executor = spent.get("aif-executor", 0) + spent.get("aif-cpu", 0)
    return loops / executor if executor else float("nan")


def one_round(ours, peer, connections, o, texts):
    before = ours.cpu_seconds()
    mine = embeddings(ours, connections, o.seconds, texts)
    mine["cpu"] = shares(before, ours.cpu_seconds())
    theirs = embeddings(peer, connections, o.seconds, texts)
    health = wrk_start(ours.port, "/health", connections, o.seconds + 4, "",
                       connections / mine["rate"] * 1000)
    client = subprocess.run(["build/tests/bench/gateway/bench_client", o.model, texts,
                             str(connections), str(o.seconds)], capture_output=True, text=True,
                            check=True)
    wrk_end(health)
    return mine, theirs, float(client.stdout)


def report(connections, rounds):
    def median(value):
        return statistics.median(value(*r) for r in rounds)
    print(f"| {connections} "
          f"| {median(lambda m, t, c: m['rate']):.1f} | {median(lambda m, t, c: t['rate']):.1f} "
          f"| {median(lambda m, t, c: m['rate'] / t['rate']):.2f} "
          f"| {median(lambda m, t, c: m['p99']):.1f} | {median(lambda m, t, c: t['p99']):.1f} "
          f"| {median(lambda m, t, c: m['p99'] / t['p99']):.2f} "
          f"| {median(lambda m, t, c: c):.1f} | {median(lambda m, t, c: m['rate'] / c):.2f} "
          f"| {median(lambda m, t, c: m['cpu']) * 100:.1f} % |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    o = parser.parse_args()
    peer = [os.path.join(os.path.dirname(sys.executable), "infinity_emb"), "v2", "--model-id",
            o.model, "--served-model-name", "embed", "--engine", "torch", "--device", "cpu",
            "--dtype", "float32", "--no-bettertransformer", "--url-prefix", "/v1", "--host",
            "127.0.0.1", "--port", str(PEER), "--log-level", "error"]
    ours = ["build/aif-gateway", "--listen", f"127.0.0.1:{OURS}", "--device", "local", "--model",
            o.model, "--anonymous", "--threads", "1"]
    with tempfile.TemporaryDirectory() as folder:
        texts = os.path.join(folder, "texts")
        tokens = make_texts(texts)
        print(f"{TEXTS} texts, {statistics.mean(tokens):.1f} tokens on average; {os.cpu_count()} "
              f"processors; load {os.getloadavg()[0]:.1f} at the beginning")
        print("| connections | aif-gateway, requests/s | infinity-emb | ratio | p99, ms | infinity-emb "
              "| ratio | libaif client, texts/s | ratio | loops' CPU of the executor's |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        with Server(OURS, ours, "build/bench-gateway.log", folder) as a, \
             Server(PEER, peer, "build/bench-infinity.log", folder) as b:
            for server in (a, b):
                embeddings(server, 8, 3, texts)     # warm
            for connections in CONNECTIONS:
                report(connections, [one_round(a, b, connections, o, texts) for _ in range(o.rounds)])
        print(f"load {os.getloadavg()[0]:.1f} at the end, this benchmark's own included")


if __name__ == "__main__":
    main()
