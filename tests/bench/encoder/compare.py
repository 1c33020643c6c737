#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The encoder against ONNX Runtime and OpenVINO, all float32, same weights, same threads.

usage: compare.py WORKER MODEL-DIR [options]; --help lists them

WORKER is build/tests/bench/encoder/bench_encoder.  Peers get the token ids ready
made and padded to the longest of their batch; the worker gets texts and tokenizes
within its time.  Vectors are compared before anything is timed.

Engines take turns, round by round; a turn is some runs, its time their median.
The machine's multiply-add ceiling is measured around every turn, and a round counts
only when all its ceilings stand within 5 % of the highest seen so far: rounds that
somebody else's work disturbed do not count, and are repeated for a while.  A case
with too few good ones is "not judged".  A ratio is the median over rounds of peer
time / our time: above 1 we are faster.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime
import openvino

import graph

CLS, SEP = 101, 102
BATCH = 32
DRIFT_MAX = 0.05
TURN_S = 0.1
# Between turns: an engine's idle threads spin for a while; let them sleep.
SETTLE_S = 0.03


class Worker:
    """Our side: one command a line, one answer a line."""

    name = "aif"

    def __init__(self, path, model, threads, isa):
        args = [path, model, str(threads)] + ([isa] if isa else [])
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        self.about = self.answer()
        self.highest = 0

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"compare: the worker ended with status {self.process.wait()}")
        return line.strip()

    def ask(self, *lines):
        self.process.stdin.write("\n".join(lines) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def load(self, case):
        tokens = int(self.ask(f"texts {len(case.texts)}", *case.texts))
        if tokens != case.tokens:
            sys.exit(f"compare: {tokens} tokens where {case.tokens} were meant")

    def vectors(self):
        with tempfile.NamedTemporaryFile() as f:
            self.ask("run 1")
            self.ask("save " + f.name)
            return np.fromfile(f.name, np.float32)

    def run(self, reps):
        return float(self.ask(f"run {reps}"))

    def ceiling(self):
        now = float(self.ask("peak"))
        self.highest = max(self.highest, now)
        return now


class Peer:
    def load(self, case):
        self.batches = case.batches

    def vectors(self):
        return np.concatenate([self.infer(*b) for b in self.batches]).ravel()

    def run(self, reps):
        times = []
        for _ in range(reps):
            start = time.perf_counter()
            for ids, mask in self.batches:
                self.infer(ids, mask)
            times.append(time.perf_counter() - start)
        return statistics.median_high(times)


class OnnxRuntime(Peer):
    """Each thread on its own processor: a busy machine may leave two on one for seconds."""

    def __init__(self, name, path, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.allowed = os.sched_getaffinity(0)
        self.mine, *others = sorted(self.allowed)[:threads]
        if len(others) == threads - 1 > 0:
            options.add_session_config_entry("session.intra_op_thread_affinities",
                                             ";".join(str(cpu + 1) for cpu in others))
        self.name = name
        self.session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])

    def run(self, reps):
        os.sched_setaffinity(0, {self.mine})
        try:
            return super().run(reps)
        finally:
            os.sched_setaffinity(0, self.allowed)

    def infer(self, ids, mask):
        return self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


class OpenVino(Peer):
    name = "openvino"

    def __init__(self, path, threads):
        core = openvino.Core()
        model = core.compile_model(core.read_model(path), "CPU", {
            "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1})
        self.request = model.create_infer_request()

    def infer(self, ids, mask):
        result = self.request.infer({"input_ids": ids, "attention_mask": mask})
        return next(iter(result.values()))


class Case:
    """Texts of given lengths in tokens, longest first, as text and as padded batches."""

    def __init__(self, name, lengths, words, seed=1):
        rng = random.Random(seed)
        self.name = name
        picked = [rng.sample(words, n - 2) for n in sorted(lengths, reverse=True)]
        self.texts = [" ".join(w for w, _ in text) for text in picked]
        ids = [[CLS] + [i for _, i in text] + [SEP] for text in picked]
        self.tokens = sum(map(len, ids))
        self.batches = [self.pad(ids[i:i + BATCH]) for i in range(0, len(ids), BATCH)]

    @staticmethod
    def pad(texts):
        longest = max(map(len, texts))
        ids = np.array([t + [0] * (longest - len(t)) for t in texts], np.int64)
        mask = np.array([[1] * len(t) + [0] * (longest - len(t)) for t in texts], np.int64)
        return ids, mask


def vocabulary(model):
    """Words that are one token each."""
    with open(os.path.join(model, "vocab.txt"), encoding="utf-8") as f:
        lines = f.read().split("\n")
    return [(w, i) for i, w in enumerate(lines) if len(w) > 2 and w.isascii() and w.isalpha()]


def cases(words):
    rng = random.Random(2)
    mix = [min(256, max(4, round(rng.lognormvariate(3.6, 0.8)))) for _ in range(256)]
    return [Case("32 x 128", [128] * 32, words), Case("1 x 16", [16], words),
            Case("1 x 128", [128], words), Case("ragged 256", mix, words)]


def check_vectors(engines, case):
    ours = engines[0].vectors()
    for e in engines[1:]:
        error = float(np.abs(e.vectors() - ours).max())
        if error > 1e-5:
            sys.exit(f"compare: {case.name}: {e.name} and aif differ by {error:.1e}")


def one_round(worker, engines, reps):
    ceilings, times = [worker.ceiling()], {}
    for e in engines:
        time.sleep(SETTLE_S)
        times[e.name] = e.run(reps[e.name])
        time.sleep(SETTLE_S)
        ceilings.append(worker.ceiling())
    return min(ceilings), times


def rounds_of(worker, engines, wanted, limit_s):
    """Rounds until enough are good or the time is over: (all, good)."""
    reps = {e.name: max(1, round(TURN_S / e.run(2))) for e in engines}
    done, good = [], []
    end = time.monotonic() + limit_s
    while len(good) < wanted and (time.monotonic() < end or not done):
        done.append(one_round(worker, engines, reps))
        good = [r for r in done if r[0] >= (1 - DRIFT_MAX) * worker.highest]
    return done, good


def measure(worker, engines, case, wanted, limit_s):
    for e in engines:
        e.load(case)
    check_vectors(engines, case)
    done, good = rounds_of(worker, engines, wanted, limit_s)
    judged = len(good) >= wanted
    rows = [times for _, times in (good if judged else done)]
    return {
        "case": case.name, "tokens": case.tokens, "ceiling_gflops": worker.highest,
        "rounds": len(done), "rounds_good": len(good), "judged": judged,
        "engines": {e.name: {
            "seconds": statistics.median(t[e.name] for t in rows),
            "ratio": statistics.median(t[e.name] / t[worker.name] for t in rows),
        } for e in engines},
    }


def show(result):
    verdict = "" if result["judged"] else "   not judged: the ceiling moved more than 5 %"
    print(f"{result['case']}: {result['tokens']} tokens, ceiling "
          f"{result['ceiling_gflops']:.0f} GFLOP/s, {result['rounds_good']} of "
          f"{result['rounds']} rounds good{verdict}")
    for name, e in result["engines"].items():
        print(f"  {name:<12} {1e3 * e['seconds']:9.3f} ms   {e['ratio']:5.2f} x our time")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("worker", help="build/tests/bench/encoder/bench_encoder")
    parser.add_argument("model", help="the model's folder")
    parser.add_argument("--threads", type=int, default=2, help="of every engine (2)")
    parser.add_argument("--rounds", type=int, default=9, help="good rounds a case needs (9)")
    parser.add_argument("--limit", type=float, default=120, metavar="SECONDS",
                        help="for a case to reach them (120)")
    parser.add_argument("--isa", help="ours: avx512, avx2 or portable")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--json", action="store_true", help="one object a line")
    args = parser.parse_args()

    worker = Worker(args.worker, args.model, args.threads, args.isa)
    with tempfile.TemporaryDirectory() as work:
        plain, fused = os.path.join(work, "plain.onnx"), os.path.join(work, "fused.onnx")
        graph.write(args.model, plain, fused)
        engines = [worker, OnnxRuntime("ort", plain, args.threads),
                   OnnxRuntime("ort fused", fused, args.threads),
                   OpenVino(plain, args.threads)]
    if not args.json:
        print(f"aif: {worker.about}; onnxruntime {onnxruntime.__version__}; "
              f"openvino {openvino.__version__}")
    for case in cases(vocabulary(args.model)):
        if args.case not in case.name:
            continue
        result = measure(worker, engines, case, args.rounds, args.limit)
        if args.json:
            print(json.dumps(result))
        else:
            show(result)


if __name__ == "__main__":
    main()
