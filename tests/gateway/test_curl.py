#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""curl, over HTTP/1.1, HTTP/2 with prior knowledge, and TLS; and the h2 package."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import rig
import tap

rig.enter("curl")

import h2.config  # noqa: E402, from the environment
import h2.connection  # noqa: E402
import h2.events  # noqa: E402

BODY = json.dumps({"model": "embed", "input": rig.TEXTS[0]})
HOW = [("HTTP/1.1", ["--http1.1"], False, 1), ("HTTP/1.0", ["--http1.0"], False, 1),
       ("HTTP/2, prior knowledge", ["--http2-prior-knowledge"], False, 2),
       ("TLS, HTTP/1.1", ["--http1.1"], True, 1), ("TLS, HTTP/2", ["--http2"], True, 2)]


def curl(gateway, *options, path="/v1/embeddings", secure=False, key=True):
    """(status, headers, body)"""
    if not shutil.which("curl"):
        raise tap.Skip("curl is missing (Debian: curl)")
    who = ["-H", "Authorization: Bearer " + gateway.token] if key else []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "60", "--cacert", gateway.ca, "-D", folder + "/head", "-o",
             folder + "/body", "-w", "%{http_code}", *who, *options,
             (gateway.secure_url if secure else gateway.url) + path],
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(done.stderr)
        with open(folder + "/head", encoding="utf-8") as head:
            lines = [line.partition(":") for line in head.read().lower().splitlines()]
        body = b""
        if os.path.exists(folder + "/body"):
            with open(folder + "/body", "rb") as file:
                body = file.read()
        return int(done.stdout), {name: value.strip() for name, _, value in lines}, body


def logged():
    with open(ACCESS, encoding="utf-8") as log:
        return [json.loads(line) for line in log if line.endswith("\n")]


def last_http():
    return logged()[-1]["http"]


@tap.each(HOW)
def embeds(gateway, options, secure, http):
    """POST /v1/embeddings"""
    status, headers, body = curl(gateway, *options, "-H", "content-type: application/json",
                                 "-d", BODY, secure=secure)
    tap.same(200, status, "status")
    rig.vector_is(rig.TEXTS[0], json.loads(body)["data"][0]["embedding"])
    for name in ("date", "x-amzn-requestid", "content-length"):
        tap.has(name, headers)
    tap.same(http, last_http(), "HTTP version")


@tap.each([("HTTP/1.1", ["--http1.1"]), ("HTTP/2", ["--http2-prior-knowledge"])])
def chunked(gateway, options):
    """A body without a length, over 100-continue"""
    status, _, body = curl(gateway, *options, "-H", "transfer-encoding: chunked",
                           "-H", "expect: 100-continue", "-d", BODY)
    tap.same(200, status, "status")
    rig.vector_is(rig.TEXTS[0], json.loads(body)["data"][0]["embedding"])


@tap.each([(path, path, status) for path, status in
           (("/health", 200), ("/ready", 200), ("/ping", 200), ("/v2/health/live", 200),
            ("/v1/models", 401), ("/foundation-models", 403), ("/v2", 401), ("/metrics", 404))])
def without_key(gateway, path, status):
    """Without a key"""
    tap.same(status, curl(gateway, path=path, key=False)[0], "status")


@tap.test
def container(gateway):
    """SageMaker's container contract: /ping and /invocations"""
    status, _, body = curl(gateway, "-H", "content-type: application/json", "-d",
                           json.dumps({"inputs": rig.TEXTS[:2]}), path="/invocations")
    tap.same(200, status, "status")
    for text, vector in zip(rig.TEXTS, json.loads(body)):
        rig.vector_is(text, vector)


@tap.each([("HTTP/1.1", ["--http1.1"]), ("HTTP/2", ["--http2-prior-knowledge"])])
def head(gateway, options):
    """HEAD has no body"""
    status, _, body = curl(gateway, *options, "-I", path="/health")
    tap.same(b"", body[body.find(b"\r\n\r\n") + 4:], "body")
    tap.same(True, status in (200, 405), f"status {status}")


@tap.test
def aws_signature(gateway):
    """curl's own AWS signature"""
    status, _, body = curl(
        gateway, "--aws-sigv4", "aws:amz:us-east-1:bedrock", "--user",
        f"{gateway.aws['id']}:{gateway.aws['secret']}", "-H", "content-type: application/json",
        "-d", json.dumps({"inputText": rig.TEXTS[0]}), path="/model/embed/invoke", key=False)
    tap.same(200, status, body)
    rig.vector_is(rig.TEXTS[0], json.loads(body)["embedding"])


@tap.test
def request_ids(gateway):
    """A response's id is in the access log, with what the module's trace calls each of its texts"""
    _, headers, _ = curl(gateway, "-d", json.dumps({"model": "embed", "input": rig.TEXTS}))
    name = headers["x-request-id"]
    tap.same(name, headers["x-amzn-requestid"], "x-amzn-requestid")
    rig.until(lambda: any(line["id"] == name for line in logged()), 10)
    line = next(line for line in logged() if line["id"] == name)
    tap.same(len(rig.TEXTS), len({tag for tag, _ in line["requests"]}), "tags")
    with open(f"/proc/{gateway.process.pid}/task/{line['thread']}/comm", encoding="utf-8") as comm:
        tap.same("aif-loop", comm.read().strip(), "the thread")


@tap.test
def metrics(gateway):
    """/metrics, on its own listener, counts what was asked"""
    answer = subprocess.run(["curl", "-sS", f"http://{rig.METRICS}/metrics"], capture_output=True,
                            text=True, check=True).stdout
    tap.has("# TYPE aif_", answer)
    tap.has('service="embed"', answer)


@tap.test
def streams(gateway):
    """The h2 package: forty streams of one connection, each answer its own"""
    texts = [f"stream number {i}" for i in range(40)]
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    bodies, left = {}, len(texts)
    with gateway.connect() as peer:
        for i, text in enumerate(texts):
            body = json.dumps({"model": "embed", "input": text}).encode()
            connection.send_headers(2 * i + 1, [
                (":method", "POST"), (":scheme", "http"), (":path", "/v1/embeddings"),
                (":authority", "localhost"), ("authorization", "Bearer " + gateway.token)])
            connection.send_data(2 * i + 1, body, end_stream=True)
            bodies[2 * i + 1] = b""
        peer.sendall(connection.data_to_send())
        while left:
            for event in connection.receive_data(peer.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    left -= 1
                elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    raise AssertionError(event)
            peer.sendall(connection.data_to_send())
    rig.vectors_are(texts, [json.loads(body)["data"][0]["embedding"] for body in bodies.values()])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as logs:
        ACCESS = os.path.join(logs, "access")
        with rig.Gateway("--access-log", ACCESS, "--metrics", rig.METRICS) as fixture:
            result = tap.run(fixture)
    sys.exit(result)
