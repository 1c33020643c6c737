#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The encoder and its GEMMs on a GPU against PyTorch, in one process.

usage: compare.py LIBRARY MODEL-DIR REFERENCES [--json] [--only PART] [--compile]

LIBRARY is build/tests/bench/cuda/libbench_cuda.so; MODEL-DIR holds model.safetensors;
REFERENCES is a file of objects with "ids", one a line.

The host's clock around one step and its end, ids and vectors on the device.  Both sides take
turns, step by step: 20 that do not count, then 200; the ratio is of the minima, above 1 we
are faster.  PyTorch computes the same graph (one matrix for query, key and value, its own
attention, erf-GELU) under a CUDA graph, of equal lengths without a mask; ragged texts are padded to
the longest of their batch, with a mask.  Its matrix products are cuBLAS's and cuBLASLt's; ours
are our own kernels.
"""
import argparse
import ctypes
import json
import random
import statistics
import sys
import time

import torch
import torch.nn.functional as F

WARM, TURNS = 20, 200
ON_DEVICE, IN_PLACE, COPIED = 0, 1, 2
DTYPE = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16,
         "fp16": torch.float16}


def read_safetensors(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        data = bytearray(f.read())
    header.pop("__metadata__", None)
    return {name: torch.frombuffer(data, dtype=torch.float32, offset=t["data_offsets"][0],
                                   count=(t["data_offsets"][1] - t["data_offsets"][0]) // 4)
            .reshape(t["shape"]) for name, t in header.items() if t["dtype"] == "F32"}


class Peer:
    """The encoder in PyTorch."""

    def __init__(self, folder, precision):
        with open(f"{folder}/config.json", encoding="utf-8") as f:
            self.config = json.load(f)
        dtype = DTYPE[precision]
        self.w = {n: t.to("cuda", dtype) for n, t in
                  read_safetensors(f"{folder}/model.safetensors").items()}
        self.hidden, self.heads = self.config["hidden_size"], self.config["num_attention_heads"]
        for i in range(self.config["num_hidden_layers"]):
            at = f"encoder.layer.{i}.attention.self."
            for kind in ("weight", "bias"):
                self.w[f"{i}.{kind}"] = torch.cat([self.w[f"{at}{p}.{kind}"]
                                                   for p in ("query", "key", "value")])

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, x, name):
        return F.layer_norm(x, (self.hidden,), self.w[name + ".weight"], self.w[name + ".bias"],
                            self.config["layer_norm_eps"])

    def layer(self, x, i, mask):
        batch, length, _ = x.shape
        at = f"encoder.layer.{i}."
        qkv = F.linear(x, self.w[f"{i}.weight"], self.w[f"{i}.bias"])
        q, k, v = qkv.view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        y = self.linear(y.transpose(1, 2).reshape(batch, length, -1), at + "attention.output.dense")
        x = self.norm(x + y, at + "attention.output.LayerNorm")
        y = self.linear(F.gelu(self.linear(x, at + "intermediate.dense")), at + "output.dense")
        return self.norm(x + y, at + "output.LayerNorm")

    def __call__(self, ids, mask=None):
        e = "embeddings."
        x = self.w[e + "word_embeddings.weight"][ids]
        x = x + self.w[e + "position_embeddings.weight"][:ids.shape[1]]
        x = self.norm(x + self.w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
        wide = None if mask is None else mask[:, None, None, :]
        for i in range(self.config["num_hidden_layers"]):
            x = self.layer(x, i, wide)
        x = x.float()
        if mask is None:
            return F.normalize(x.mean(1))
        there = mask.float()[..., None]
        return F.normalize((x * there).sum(1) / there.sum(1))


class Graph:
    """A call of @fn, captured."""

    def __init__(self, fn):
        side = torch.cuda.Stream()
        with torch.cuda.stream(side), torch.no_grad():
            for _ in range(3):
                fn()
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.no_grad(), torch.cuda.graph(self.graph):
            self.out = fn()
        torch.cuda.synchronize()

    def __call__(self):
        begin = time.perf_counter_ns()
        self.graph.replay()
        torch.cuda.synchronize()
        return time.perf_counter_ns() - begin


class Ours:
    """libbench_cuda.so."""

    def __init__(self, path, folder, precision, tokens=1 << 18, texts=1024):
        self.lib = ctypes.CDLL(path)
        self.why = ctypes.create_string_buffer(1024)
        self.bench = ctypes.c_void_p()
        self.ns, self.device_ns = ctypes.c_uint64(), ctypes.c_uint64()
        self.texts = 0
        self.call("bench_open", folder.encode(), precision.encode(), tokens, texts,
                  ctypes.byref(self.bench), self.why, ctypes.c_size_t(1024))

    def call(self, name, *args):
        err = getattr(self.lib, name)(*args)
        if err:
            raise RuntimeError(f"{name}: {err}: {self.why.value.decode()}")

    def load(self, texts, where=ON_DEVICE):
        """Lists of ids."""
        ids = [i for t in texts for i in t]
        self.texts = len(texts)
        self.call("bench_texts", self.bench, (ctypes.c_int32 * len(ids))(*ids),
                  (ctypes.c_uint32 * len(texts))(*map(len, texts)), len(texts), where)

    def __call__(self):
        self.call("bench_encode", self.bench, ctypes.byref(self.ns), ctypes.byref(self.device_ns))
        return self.ns.value

    def vectors(self):
        out = (ctypes.c_float * (self.texts * 384))()
        self.call("bench_vectors", self.bench, out)
        return torch.tensor(list(out)).view(self.texts, 384)

    def gemm(self, m, n, k, repeats):
        self.call("bench_gemm", self.bench, m, n, k, repeats, ctypes.byref(self.ns))
        return self.ns.value / repeats

    def close(self):
        self.lib.bench_close(self.bench)


def interleave(sides, warm=WARM, turns=TURNS):
    """Names to functions that return ns; to minimum and median in us."""
    times = {name: [] for name in sides}
    for turn in range(warm + turns):
        for name, side in sides.items():
            ns = side()
            if turn >= warm:
                times[name].append(ns / 1e3)
    return {name: {"min_us": min(t), "median_us": statistics.median(t)} for name, t in times.items()}


def random_texts(count, length, seed=1):
    rng = random.Random(seed)
    return [[rng.randrange(1000, 30000) for _ in range(length)] for _ in range(count)]


def ratio(times, peer="pytorch"):
    return times[peer]["min_us"] / times["aif"]["min_us"]


def agreement(ours, vectors):
    return F.cosine_similarity(ours.vectors(), vectors.float().cpu()).min().item()


def encoder_case(args, ours, peer, precision, count, length):
    texts = random_texts(count, length)
    ids = torch.tensor(texts, device="cuda")
    ours.load(texts)
    sides = {"aif": ours, "pytorch": Graph(lambda: peer(ids))}
    if args.compile and precision == "bf16":
        sides["torch.compile"] = compiled(peer, ids)
    times = interleave(sides)
    ours()
    return {"case": f"encoder {precision} {count} x {length}", **times, "ratio": ratio(times),
            "device_us": ours.device_ns.value / 1e3,
            "cosine": agreement(ours, sides["pytorch"].out)}


def compiled(peer, ids):
    with torch.no_grad():
        fn = torch.compile(peer.__call__, mode="max-autotune-no-cudagraphs")
        return Graph(lambda: fn(ids))


def encoders(args):
    for precision in ("bf16", "fp16", "tf32", "fp32"):
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        ours = Ours(args.library, args.model, precision)
        peer = Peer(args.model, precision)
        for count, length in ((1, 16), (1, 128), (32, 128), (256, 128)):
            yield encoder_case(args, ours, peer, precision, count, length)
        ours.close()


def padded(peer, texts):
    longest = max(map(len, texts))
    ids = torch.tensor([t + [0] * (longest - len(t)) for t in texts], device="cuda")
    mask = torch.tensor([[True] * len(t) + [False] * (longest - len(t)) for t in texts],
                        device="cuda")
    return Graph(lambda: peer(ids, mask))


def ragged(args):
    with open(args.references, encoding="utf-8") as f:
        texts = [json.loads(line)["ids"] for line in f]
    random.Random(1).shuffle(texts)
    ours = Ours(args.library, args.model, "bf16")
    peer = Peer(args.model, "bf16")
    for order in ("seeded order", "by length"):
        if order == "by length":
            texts.sort(key=len)
        steps = [texts[i:i + 32] for i in range(0, len(texts), 32)]
        totals, least = {"aif": [0, 0], "pytorch": [0, 0]}, 1
        for step in steps:
            ours.load(step)
            graph = padded(peer, step)
            times = interleave({"aif": ours, "pytorch": graph})
            least = min(least, agreement(ours, graph.out))
            for name, t in times.items():
                totals[name][0] += t["min_us"]
                totals[name][1] += t["median_us"]
        times = {n: {"min_us": a, "median_us": b} for n, (a, b) in totals.items()}
        yield {"case": f"ragged bf16, {len(texts)} texts, 32 a step, {order}", **times,
               "ratio": ratio(times), "cosine": least}
    ours.close()


def gemms(args):
    repeats = 50
    ours = Ours(args.library, args.model, "bf16")
    for m in (16, 128, 1024, 4096, 32768):
        for n, k in ((1152, 384), (384, 384), (1536, 384), (384, 1536)):
            x = torch.randn(m, k, device="cuda", dtype=torch.bfloat16)
            w = torch.randn(n, k, device="cuda", dtype=torch.bfloat16)
            graph = Graph(lambda x=x, w=w: [F.linear(x, w) for _ in range(repeats)][-1])
            times = interleave({"aif": lambda m=m, n=n, k=k: ours.gemm(m, n, k, repeats),
                                "pytorch": lambda graph=graph: graph() / repeats}, 2, 10)
            yield {"case": f"gemm bf16 {m} x {n} x {k}", **times, "ratio": ratio(times),
                   "tflops": 2e-6 * m * n * k / times["aif"]["min_us"]}
    ours.close()


def places(args):
    """Ids and vectors on the device, in the client's memory, and copied in and out."""
    ours = Ours(args.library, args.model, "bf16")
    for count, length in ((1, 16), (1, 256), (64, 256), (1024, 256)):
        texts, times, device = random_texts(count, length), {}, 0
        for name, where in (("device", ON_DEVICE), ("in place", IN_PLACE), ("copied", COPIED)):
            ours.load(texts, where)
            times.update(interleave({name: ours}))
            device = device or ours.device_ns.value
        yield {"case": f"ids bf16 {count} x {length}", **times, "device_us": device / 1e3,
               "above_us": times["in place"]["min_us"] - device / 1e3}
    ours.close()


def profile(args):
    """Where the time of a step goes, by kernel, as CUPTI sees it: us a step."""
    ours, steps = Ours(args.library, args.model, "bf16"), 20
    for count, length in ((1, 16), (32, 128), (256, 128)):
        ours.load(random_texts(count, length))
        for _ in range(WARM):
            ours()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as seen:
            for _ in range(steps):
                ours()
        yield {"case": f"profile bf16 {count} x {length}", "kernels": {
            e.key: {"us": e.self_device_time_total / steps, "launches": e.count / steps}
            for e in seen.key_averages() if e.self_device_time_total}}
    ours.close()


def show(result):
    print(result["case"], end="")
    for name, value in result.items():
        if name == "kernels":
            print("".join(f"\n  {k:<28} {v['us']:9.1f} us, {v['launches']:.0f} launches"
                          for k, v in value.items()), end="")
        elif isinstance(value, dict):
            print(f", {name} {value['min_us']:.1f} ({value['median_us']:.1f}) us", end="")
        elif isinstance(value, float):
            print(f", {name} {value:.4g}", end="")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("library")
    parser.add_argument("model")
    parser.add_argument("references")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--only", default="", help="encoders, ragged, gemms, places or profile")
    parser.add_argument("--compile", action="store_true", help="torch.compile beside it, slow")
    args = parser.parse_args()
    for part in (encoders, ragged, gemms, places, profile):
        if args.only not in part.__name__:
            continue
        for result in part(args):
            if args.json:
                print(json.dumps(result), flush=True)
            else:
                show(result)


if __name__ == "__main__":
    sys.exit(main())
