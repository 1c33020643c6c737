#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Limits that requests have together: who is over one is told, and the rest goes on.

One loop, so that what one connection does another would feel.
"""
import contextlib
import gzip
import http.client
import json
import os
import resource
import socket
import ssl
import sys
import threading

import rig
import tap

rig.enter("limits")

import h2.config  # noqa: E402, from the environment
import h2.connection  # noqa: E402
import h2.settings  # noqa: E402

BODIES = 400000                 # --max-bodies: of requests, and of responses
BODY = 300000                   # --max-body
VECTOR = 384 * 4                # bytes, of a text's answer


def ask(gateway, path, body, **headers):
    """(status, body)"""
    connection = http.client.HTTPConnection(rig.HOST, gateway.port, timeout=60)
    connection.request("POST", path, body, {"Authorization": "Bearer " + gateway.token,
                                            **{name.replace("_", "-"): value for name, value in headers.items()}})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, said


def texts(*inputs):
    return json.dumps({"model": "embed", "input": inputs, "encoding_format": "base64"})


def works(gateway):
    status, said = ask(gateway, "/v1/embeddings", texts("hello"))
    tap.same(200, status, said)


# ---- bodies and responses

@tap.test
def waiting_costs_no_body(gateway):
    """A body is gone while its texts are with the device"""
    body = texts("sleep 60000", *["x" * 60000] * 4)
    with gateway.connect() as peer:
        peer.sendall((f"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {gateway.token}\r\n"
                      f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        rig.until(lambda: rig.metric("texts_in_flight") == 5, 60)
        tap.same(0, rig.metric("body_bytes"), "body_bytes")
    rig.until(lambda: not rig.metric("texts_in_flight"), 60)
    works(gateway)


def unread(gateway, n):
    """A client whose window for the answer for n texts is closed."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.local_settings = h2.settings.Settings(
        initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    connection.initiate_connection()
    connection.send_headers(1, [
        (":method", "POST"), (":scheme", "http"), (":path", "/v1/embeddings"), (":authority", "localhost"),
        ("authorization", "Bearer " + gateway.token)])
    connection.send_data(1, texts(*["a"] * n).encode(), end_stream=True)
    peer = gateway.connect()
    peer.sendall(connection.data_to_send())
    return peer


@tap.test
def responses(gateway):
    """Responses that nobody takes have a limit together: one over it is 503, and room comes back"""
    half = BODIES * 3 // 8 // VECTOR        # base64 has a third more; and memory doubles
    status, said = ask(gateway, "/v1/embeddings", texts(*["a"] * (2 * half)))
    tap.same((503, "no_memory"), (status, json.loads(said)["error"]["code"]), "one that is too long alone")
    with unread(gateway, half):
        rig.until(lambda: rig.metric("reply_bytes"), 60)
        status, said = ask(gateway, "/v1/embeddings", texts(*["a"] * half))
        tap.same((503, "no_memory"), (status, json.loads(said)["error"]["code"]), "one beside another")
        works(gateway)
    rig.until(lambda: not rig.metric("reply_bytes"), 60)
    tap.same(200, ask(gateway, "/v1/embeddings", texts(*["a"] * half))[0], "when that is gone")


SMALL = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}


def packed(size):
    return gzip.compress(json.dumps({**SMALL, "id": "x" * size}).encode())


@tap.test
def inflated(gateway):
    """What bodies become counts too: over --max-body it is 413, over --max-bodies 429"""
    infer = "/v2/models/embed/infer"
    tap.same(200, ask(gateway, infer, packed(BODY // 2), Content_Encoding="gzip")[0], "within both")
    tap.same(413, ask(gateway, infer, packed(BODY + 1), Content_Encoding="gzip")[0], "over --max-body")
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {gateway.token}\r\n"
    with gateway.connect() as other:
        other.sendall(f"{head}Content-Length: {BODY}\r\n\r\n".encode() + b" " * (BODY - 1))
        rig.until(lambda: rig.metric("body_bytes") >= BODY - 1, 60)
        tap.same(429, ask(gateway, infer, packed(BODY // 2), Content_Encoding="gzip")[0], "over --max-bodies")
    rig.until(lambda: not rig.metric("body_bytes"), 60)
    tap.same(200, ask(gateway, infer, packed(BODY // 2), Content_Encoding="gzip")[0], "and after it")


# ---- descriptors

def descriptors(gateway):
    return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))


@tap.test
def no_descriptor(gateway):
    """Out of descriptors: who is connected is answered, and others are when there are some again"""
    kept = http.client.HTTPConnection(rig.HOST, gateway.port, timeout=60)
    kept.connect()
    kept.request("GET", "/health")
    kept.getresponse().read()
    pid = gateway.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(gateway), before[1]))
    with gateway.connect() as late:
        late.settimeout(60)
        late.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        rig.until(lambda: "no descriptor for another connection" in gateway.logged(), 30)
        for _ in range(3):
            kept.request("GET", "/health")
            answer = kept.getresponse()
            tap.same((200, True), (answer.status, bool(answer.read())), "who was there")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        tap.has(b"200 OK", late.recv(4096), "who came late")
    kept.close()


# ---- TLS

def failed_handshake():
    with socket.create_connection((rig.HOST, rig.PORT_TLS), timeout=60) as peer:
        with contextlib.suppress(ConnectionError):
            peer.sendall(b"\x16\x03\x01\x00\x05rubbish that is no handshake\r\n" * 100)
            while peer.recv(4096):
                pass


@tap.test
def handshakes(gateway):
    """A handshake that fails leaves nothing behind for other connections of its thread"""
    context = ssl.create_default_context(cafile=gateway.ca)
    body = texts("hello").encode()
    head = (f"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {gateway.token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    raw = socket.create_connection((rig.HOST, rig.PORT_TLS), timeout=60)
    with context.wrap_socket(raw, server_hostname="localhost") as peer:
        for data in (head[:50], head[50:], body[:10], body[10:]):
            failed_handshake()
            peer.sendall(data)
            failed_handshake()
        got = b""
        while b'"usage"' not in got:
            piece = peer.recv(65536)
            tap.same(True, bool(piece), f"after {got[:100]} it is still open: it")
            got += piece
            failed_handshake()
        tap.has(b"200 OK", got)


@tap.test
def many_at_once(gateway):
    """Twenty clients over all limits: each gets its own status, and then it works"""
    wrong = []

    def hammer():
        for n in (1, BODIES // VECTOR, 10):
            status, said = ask(gateway, "/v1/embeddings", texts(*["a"] * n))
            if status not in (200, 429, 503):
                wrong.append((n, status, said[:200]))
    threads = [threading.Thread(target=hammer) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    tap.same([], wrong, "statuses")
    rig.until(lambda: not rig.metric("reply_bytes") and not rig.metric("body_bytes"), 60)
    works(gateway)


if __name__ == "__main__":
    with rig.Gateway("--threads", "1", "--max-bodies", str(BODIES), "--max-body", str(BODY), "--metrics", rig.METRICS,
                     binary="build/tests/gateway/aif-gateway-faulty") as fixture:
        result = tap.run(fixture)
    sys.exit(result)
