#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""tritonclient[http]: the Open Inference Protocol, with JSON and binary tensors."""
import sys

import rig
import tap

rig.enter("tritonclient")

import numpy  # noqa: E402, from the environment
import tritonclient.http  # noqa: E402
import tritonclient.utils  # noqa: E402

MODEL = "embed"


def auth(gateway):
    return {"Authorization": "Bearer " + gateway.token}


def client(gateway):
    return tritonclient.http.InferenceServerClient(f"{rig.HOST}:{gateway.port}")


def input_of(texts, binary=True, shape=None):
    shape = shape or [len(texts), 1]
    tensor = tritonclient.http.InferInput("text", shape, "BYTES")
    data = numpy.array([text.encode() for text in texts], dtype=object).reshape(shape)
    tensor.set_data_from_numpy(data, binary_data=binary)
    return tensor


def infer(gateway, texts, binary_in=True, outputs=None, **options):
    return client(gateway).infer(
        MODEL, [input_of(texts, binary_in)], headers=auth(gateway),
        outputs=outputs and [tritonclient.http.InferRequestedOutput(name, binary_data=binary)
                             for name, binary in outputs], **options)


def right(texts, answer):
    vectors = answer.as_numpy("embedding")
    tap.same((len(texts), 384), vectors.shape, "shape")
    for text, vector in zip(texts, vectors):
        rig.vector_is(text, vector.tolist())


@tap.each([("binary in, binary out", True, True), ("binary in, JSON out", True, False),
           ("JSON in, binary out", False, True), ("JSON both ways", False, False)])
def tensors(gateway, binary_in, binary_out):
    """infer"""
    answer = infer(gateway, rig.TEXTS, binary_in, [("embedding", binary_out), ("counts", binary_out)])
    right(rig.TEXTS, answer)
    counts = answer.as_numpy("counts")
    tap.same([rig.tokens(text) for text in rig.TEXTS], counts[:, 0].tolist(), "tokens")
    tap.same(0, int(counts[:, 1].sum()), "truncated")


@tap.test
def defaults(gateway):
    """infer with all outputs, an id and a version"""
    answer = infer(gateway, rig.TEXTS[:1], request_id="mine-7", model_version="1")
    right(rig.TEXTS[:1], answer)
    tap.same("mine-7", answer.get_response()["id"], "id")


@tap.each([("gzip", "gzip"), ("deflate", "deflate")])
def compressed(gateway, algorithm):
    """infer, the request compressed"""
    right(rig.TEXTS, infer(gateway, rig.TEXTS, request_compression_algorithm=algorithm,
                           response_compression_algorithm=algorithm))


@tap.test
def basic(gateway):
    """infer with a user and a password"""
    from tritonclient.http.auth import BasicAuth
    one = client(gateway)
    one.register_plugin(BasicAuth(gateway.basic["id"], gateway.basic["secret"]))
    right(rig.TEXTS[:1], one.infer(MODEL, [input_of(rig.TEXTS[:1])]))


@tap.test
def asynchronous(gateway):
    """async_infer, eight at once"""
    one = tritonclient.http.InferenceServerClient(f"{rig.HOST}:{gateway.port}", concurrency=8)
    texts = [rig.TEXTS[i % len(rig.TEXTS)] for i in range(24)]
    waiting = [one.async_infer(MODEL, [input_of([text])], headers=auth(gateway)) for text in texts]
    for text, each in zip(texts, waiting):
        right([text], each.get_result())


@tap.test
def what_there_is(gateway):
    """Health, metadata, configuration, statistics and the repository's index"""
    one, who = client(gateway), auth(gateway)
    tap.same([True] * 3, [one.is_server_live(), one.is_server_ready(), one.is_model_ready(MODEL, headers=who)],
             "live and ready")
    tap.same("aif-gateway", one.get_server_metadata(headers=who)["name"], "server")
    metadata = one.get_model_metadata(MODEL, headers=who)
    tap.same([("text", "BYTES")], [(t["name"], t["datatype"]) for t in metadata["inputs"]], "inputs")
    tap.same([("embedding", "FP32", [-1, 384]), ("counts", "INT32", [-1, 2])],
             [(t["name"], t["datatype"], t["shape"]) for t in metadata["outputs"]], "outputs")
    tap.same(metadata, one.get_model_metadata(MODEL, "1", headers=who), "version 1")
    tap.same(MODEL, one.get_model_config(MODEL, headers=who)["name"], "configuration")
    stats = one.get_inference_statistics(MODEL, headers=who)["model_stats"][0]
    tap.same((MODEL, True), (stats["name"], stats["inference_count"] > 0), "statistics")
    tap.same([(MODEL, "READY")], [(m["name"], m["state"]) for m in
                                  one.get_model_repository_index(headers=who)], "index")


@tap.test
def no_key(gateway):
    """Health needs no key, all else does"""
    one = client(gateway)
    tap.same((True, True), (one.is_server_live(), one.is_server_ready()), "health")
    error = tap.raises(tritonclient.utils.InferenceServerException, one.infer, MODEL, [input_of(["a"])])
    tap.same("401", error.status(), "status")


@tap.each([("a name of /dev/shm", "/aif-test")])
def shared_memory(gateway, key):
    """Shared memory that is not /dev/aif's is refused"""
    error = tap.raises(tritonclient.utils.InferenceServerException,
                       client(gateway).register_system_shared_memory, "region", key, 4096,
                       headers=auth(gateway))
    tap.same(True, error.status() in ("400", "404"), f"status {error.status()}")


BAD = [
    ("another model", "nosuch", lambda: input_of(["a"]), None, "404"),
    ("another name for the input", MODEL, lambda: renamed(input_of(["a"])), None, "400"),
    ("another type", MODEL, lambda: numbers(), None, "400"),
    ("an output that is not there", MODEL, lambda: input_of(["a"]), "logits", "400"),
    ("a text over the limit", MODEL, lambda: input_of(["word " * 300]), None, "400"),
    ("too many texts", MODEL, lambda: input_of(["a"] * 2049), None, "400"),
]


def renamed(tensor):
    tensor._name = "texts"  # pylint: disable=protected-access
    return tensor


def numbers():
    tensor = tritonclient.http.InferInput("text", [1, 1], "INT32")
    tensor.set_data_from_numpy(numpy.array([[5]], dtype=numpy.int32))
    return tensor


@tap.each(BAD)
def refused(gateway, model, make, output, status):
    """Refused"""
    outputs = output and [tritonclient.http.InferRequestedOutput(output)]
    error = tap.raises(tritonclient.utils.InferenceServerException, client(gateway).infer, model,
                       [make()], outputs=outputs, headers=auth(gateway))
    tap.same(status, error.status(), "status")
    tap.same(True, bool(error.message()), "message")


@tap.test
def version(gateway):
    """Another version is not there"""
    error = tap.raises(tritonclient.utils.InferenceServerException, client(gateway).infer, MODEL,
                       [input_of(["a"])], model_version="2", headers=auth(gateway))
    tap.same("404", error.status(), "status")


if __name__ == "__main__":
    with rig.Gateway() as fixture:
        result = tap.run(fixture)
    sys.exit(result)
