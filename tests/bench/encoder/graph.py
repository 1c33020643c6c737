# SPDX-License-Identifier: MIT
"""The encoder as ONNX graphs, from the same weight file.

plain  what an exporter writes: separate projections, decomposed GELU, attention
       in single steps; the engine fuses what it recognises
fused  with the engine's own fused operators (domain com.microsoft), which spare it
       the recognising

Inputs input_ids and attention_mask, i64 [batch, length]; output f32 [batch, hidden].
"""
import json
import os

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

F32_MIN = np.finfo(np.float32).min


def read_safetensors(path):
    with open(path, "rb") as f:
        size = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(size))
        data = f.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[t["data_offsets"][0]:t["data_offsets"][1]], np.float32)
            .reshape(t["shape"]) for name, t in header.items() if t["dtype"] == "F32"}


class Graph:
    """Nodes and constants; every method returns the name of its output."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def const(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        array = np.ascontiguousarray(value, dtype=dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind, *inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def linear(self, x, weight, bias):
        return self.op("Add", self.op("MatMul", x, self.const(weight.T)), self.const(bias))


class Encoder:
    def __init__(self, folder):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
            self.config = json.load(f)
        self.w = read_safetensors(os.path.join(folder, "model.safetensors"))
        self.hidden = self.config["hidden_size"]
        self.heads = self.config["num_attention_heads"]
        self.eps = self.config["layer_norm_eps"]

    def get(self, name):
        """The weight and bias of one linear layer or norm."""
        return self.w[name + ".weight"], self.w[name + ".bias"]

    def norm(self, g, x, name):
        gamma, beta = self.get(name)
        return g.op("LayerNormalization", x, g.const(gamma), g.const(beta), axis=-1,
                    epsilon=self.eps)

    def skip_norm(self, g, x, skip, name, bias):
        gamma, beta = self.get(name)
        return g.op("SkipLayerNormalization", x, skip, g.const(gamma), g.const(beta),
                    g.const(bias), domain="com.microsoft", epsilon=self.eps)

    def embed(self, g):
        e = "embeddings."
        length = g.op("Slice", g.op("Shape", "input_ids"), g.const([1], np.int64),
                      g.const([2], np.int64))
        places = g.op("Slice", g.const(self.w[e + "position_embeddings.weight"]),
                      g.const([0], np.int64), length, g.const([0], np.int64))
        words = g.op("Gather", g.const(self.w[e + "word_embeddings.weight"]), "input_ids")
        kind = g.const(self.w[e + "token_type_embeddings.weight"][0])
        x = g.op("Add", g.op("Add", words, places), kind)
        return self.norm(g, x, e + "LayerNorm")

    def split_heads(self, g, x):
        shape = g.const([0, 0, self.heads, self.hidden // self.heads], np.int64)
        return g.op("Transpose", g.op("Reshape", x, shape), perm=[0, 2, 1, 3])

    def attention_plain(self, g, x, at, penalty):
        q, k, v = (self.split_heads(g, g.linear(x, *self.get(at + "attention.self." + part)))
                   for part in ("query", "key", "value"))
        scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))
        scores = g.op("Div", scores, g.const(np.sqrt(self.hidden // self.heads)))
        p = g.op("Softmax", g.op("Add", scores, penalty), axis=-1)
        mixed = g.op("Transpose", g.op("MatMul", p, v), perm=[0, 2, 1, 3])
        return g.op("Reshape", mixed, g.const([0, 0, self.hidden], np.int64))

    def layer_plain(self, g, x, at, penalty):
        mixed = self.attention_plain(g, x, at, penalty)
        y = g.linear(mixed, *self.get(at + "attention.output.dense"))
        x = self.norm(g, g.op("Add", y, x), at + "attention.output.LayerNorm")
        y = g.linear(x, *self.get(at + "intermediate.dense"))
        half = g.op("Add", g.op("Erf", g.op("Div", y, g.const(np.sqrt(2)))), g.const(1))
        y = g.op("Mul", g.op("Mul", y, half), g.const(0.5))
        y = g.linear(y, *self.get(at + "output.dense"))
        return self.norm(g, g.op("Add", y, x), at + "output.LayerNorm")

    def attention_fused(self, g, x, at, lengths):
        parts = [self.get(at + "attention.self." + p) for p in ("query", "key", "value")]
        weight = np.concatenate([w.T for w, _ in parts], axis=1)
        bias = np.concatenate([b for _, b in parts])
        return g.op("Attention", x, g.const(weight), g.const(bias), lengths,
                    domain="com.microsoft", num_heads=self.heads)

    def layer_fused(self, g, x, at, lengths):
        def matmul(x, name):
            weight, bias = self.get(at + name)
            return g.op("MatMul", x, g.const(weight.T)), bias

        y, bias = matmul(self.attention_fused(g, x, at, lengths), "attention.output.dense")
        x = self.skip_norm(g, y, x, at + "attention.output.LayerNorm", bias)
        y, bias = matmul(x, "intermediate.dense")
        y = g.op("BiasGelu", y, g.const(bias), domain="com.microsoft")
        y, bias = matmul(y, "output.dense")
        return self.skip_norm(g, y, x, at + "output.LayerNorm", bias)

    def pool(self, g, x, mask):
        """Mean over the tokens that are there, then length 1."""
        weight = g.op("Unsqueeze", mask, g.const([-1], np.int64))
        axis = g.const([1], np.int64)
        total = g.op("ReduceSum", g.op("Mul", x, weight), axis, keepdims=0)
        mean = g.op("Div", total, g.op("ReduceSum", weight, axis, keepdims=0))
        return g.op("LpNormalization", mean, axis=-1, p=2)

    def build(self, fused):
        g = Graph()
        mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
        if fused:
            count = g.op("ReduceSum", "attention_mask", g.const([1], np.int64), keepdims=0)
            extra, layer = g.op("Cast", count, to=TensorProto.INT32), self.layer_fused
        else:
            absent = g.op("Sub", g.const(1), mask)
            wide = g.op("Unsqueeze", absent, g.const([1, 2], np.int64))
            extra, layer = g.op("Mul", wide, g.const(F32_MIN)), self.layer_plain
        x = self.embed(g)
        for i in range(self.config["num_hidden_layers"]):
            x = layer(g, x, f"encoder.layer.{i}.", extra)
        return self.finish(g, self.pool(g, x, mask))

    def finish(self, g, output):
        def value(name, kind, shape):
            return helper.make_tensor_value_info(name, kind, shape)

        inputs = [value(n, TensorProto.INT64, ["batch", "length"])
                  for n in ("input_ids", "attention_mask")]
        outputs = [value(output, TensorProto.FLOAT, ["batch", self.hidden])]
        graph = helper.make_graph(g.nodes, "encoder", inputs, outputs, g.constants)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def write(folder, plain_path, fused_path):
    encoder = Encoder(folder)
    save(encoder.build(fused=False), plain_path)
    save(encoder.build(fused=True), fused_path)
