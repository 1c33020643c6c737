#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Clients that mean harm: each gets what is documented, and nobody else notices.

While every test runs, a neighbour with a key of its own asks without pause, and each of
its requests must be answered.  After every test the gateway must be there, and must not
have grown: GROWTH_KIB over what it had before the first.
"""
import contextlib
import gzip
import http.client
import json
import socket
import ssl
import struct
import sys
import threading
import time
import zlib

import rig
import tap

rig.enter("hostile clients")

import hyperframe.frame as frames  # noqa: E402, from the environment
import hpack  # noqa: E402

GROWTH_KIB = 64 << 10
BODY_MAX = 1 << 20
HEAD_S, BODY_S, IDLE_S, WRITE_S = 2, 3, 4, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ENHANCE_YOUR_CALM = 11


# ---- the neighbour

class Neighbour(threading.Thread):
    """Asks all the time, on a connection of its own."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway, self.answered, self.wrong, self.over = gateway, 0, [], False
        self.headers = {"Authorization": "Bearer " + gateway.other}

    def ask(self, connection):
        connection.request("POST", "/v1/embeddings", json.dumps({"model": "embed", "input": "hello"}),
                           self.headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if answer.status != 200 or body["data"][0]["embedding"][0] != 5:
            self.wrong.append(f"{answer.status} {str(body)[:200]}")
        self.answered += 1

    def run(self):
        connection = http.client.HTTPConnection(rig.HOST, self.gateway.port, timeout=30)
        while not self.over:
            try:
                self.ask(connection)
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(repr(error))
                connection.close()
            time.sleep(0.01)


@contextlib.contextmanager
def unharmed(gateway, neighbour):
    before, wrong = neighbour.answered, len(neighbour.wrong)
    yield
    rig.until(lambda: neighbour.answered >= before + 2, 30)
    tap.same([], neighbour.wrong[wrong:][:3], "the neighbour")
    grown = gateway.memory_kib() - gateway.began_kib
    tap.same(True, grown < GROWTH_KIB, f"memory, which grew by {grown} KiB,")


def hostile(rows=None):
    """A test under whose attack the neighbour must not suffer."""
    def add(function):
        def attack(gateway, neighbour, *row):
            with unharmed(gateway, neighbour):
                function(gateway, *row)
        attack.__doc__ = function.__doc__
        return tap.each(rows)(attack) if rows else tap.test(attack)
    return add


# ---- clear text

def talk(gateway, data, seconds=30):
    """All that comes back until the gateway closes, or says nothing for so long."""
    got = b""
    with gateway.connect() as peer:
        peer.settimeout(seconds)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(data)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while piece := peer.recv(65536):
                got += piece
    return got


def statuses(got):
    """Of the responses in a row; each has a length."""
    found = []
    while got.startswith(b"HTTP/1.1 "):
        head, _, rest = got.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        found.append(int(head[9:12]))
        got = rest[length:]
    return found


def request(gateway, body=b"", path="/v1/embeddings", **headers):
    """A whole request, which closes its connection."""
    lines = [f"POST {path} HTTP/1.1", "Host: a", "Connection: close",
             "Authorization: Bearer " + gateway.token]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in
              {"Content_Length": len(body), **headers}.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def kept(data):
    """The request, but its connection stays."""
    return data.replace(b"Connection: close\r\n", b"")


INNER = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def smuggler(headers, body=INNER, line="POST /v1/embeddings HTTP/1.1", host="Host: a\r\n"):
    return f"{line}\r\n{host}{headers}\r\n\r\n{body}".encode("latin-1")


CHUNKED = "Transfer-Encoding: chunked"
FORMS = [
    ("two lengths that differ", smuggler("Content-Length: 0\r\nContent-Length: 5")),
    ("two lengths that agree", smuggler("Content-Length: 5\r\nContent-Length: 5")),
    ("a list of lengths", smuggler("Content-Length: 5, 5")),
    ("a length with a sign", smuggler("Content-Length: +5")),
    ("a negative length", smuggler("Content-Length: -5")),
    ("a hexadecimal length", smuggler("Content-Length: 0x5")),
    ("a length with a blank in it", smuggler("Content-Length: 5 0")),
    ("a length beyond 64 bits", smuggler("Content-Length: 99999999999999999999")),
    ("an empty length", smuggler("Content-Length: ")),
    ("length and chunks", smuggler(f"Content-Length: 5\r\n{CHUNKED}", "0\r\n\r\n" + INNER)),
    ("chunks and length", smuggler(f"{CHUNKED}\r\nContent-Length: 5", "0\r\n\r\n" + INNER)),
    ("chunked twice", smuggler(f"{CHUNKED}\r\n{CHUNKED}", "0\r\n\r\n" + INNER)),
    ("chunked, identity", smuggler(CHUNKED + ", identity", "0\r\n\r\n" + INNER)),
    ("identity, chunked", smuggler("Transfer-Encoding: identity, chunked", "0\r\n\r\n" + INNER)),
    ("another encoding", smuggler("Transfer-Encoding: xchunked", "0\r\n\r\n" + INNER)),
    ("chunked in quotes", smuggler('Transfer-Encoding: "chunked"', "0\r\n\r\n" + INNER)),
    ("a vertical tab before chunked", smuggler("Transfer-Encoding: \x0bchunked", "0\r\n\r\n" + INNER)),
    ("a blank before the colon", smuggler("Transfer-Encoding : chunked", "0\r\n\r\n" + INNER)),
    ("a folded header", smuggler("Transfer-Encoding:\r\n chunked", "0\r\n\r\n" + INNER)),
    ("a folded value", smuggler("X-A: b\r\n Content-Length: 5")),
    ("chunked in HTTP/1.0", smuggler(CHUNKED, "0\r\n\r\n" + INNER, "POST /v1/embeddings HTTP/1.0")),
    ("a chunk's size that is no number", smuggler(CHUNKED, "xyz\r\n\r\n" + INNER)),
    ("a chunk's size with 0x", smuggler(CHUNKED, "0x5\r\nhello\r\n0\r\n\r\n" + INNER)),
    ("a negative chunk", smuggler(CHUNKED, "-5\r\nhello\r\n0\r\n\r\n" + INNER)),
    ("a chunk beyond 64 bits", smuggler(CHUNKED, "fffffffffffffffff\r\nhello\r\n0\r\n\r\n" + INNER)),
    ("a chunk longer than its size", smuggler(CHUNKED, "3\r\nhello\r\n0\r\n\r\n" + INNER)),
    ("a chunk that ends with LF", smuggler(CHUNKED, "5\r\nhello\n0\r\n\r\n" + INNER)),
    ("any two bytes behind a chunk", smuggler(CHUNKED, "5\r\nhelloXY0\r\n\r\n" + INNER)),
    ("a CR without LF behind a chunk's size", smuggler(CHUNKED, "5\rXhello\r\n0\r\n\r\n" + INNER)),
    ("LF in a chunk's extension", smuggler(CHUNKED, "5;a\nhello\r\n0\r\n\r\n" + INNER)),
    ("a control character in a chunk's extension", smuggler(CHUNKED, "5;\0\r\nhello\r\n0\r\n\r\n" + INNER)),
    ("a folded trailer", smuggler(CHUNKED, "0\r\nX: a\r\n b\r\n\r\n" + INNER)),
    ("a head that ends with CR and another byte", smuggler("X-A: b", "").replace(b"\r\n\r\n", b"\r\n\rX")),
    ("lines that end with LF", smuggler("X-A: b").replace(b"\r\n", b"\n")),
    ("a value that is empty, and folded", smuggler("X-A:\r\n Content-Length: 5")),
    ("NUL in a value", smuggler("X-A: a\0b")),
    ("a bare CR in a value", smuggler("X-A: a\rContent-Length: 5")),
    ("a control character in a name", smuggler("X\x01A: b")),
    ("a line without a colon", smuggler("X-A")),
    ("an empty name", smuggler(": b")),
    ("two hosts", smuggler("Host: b")),
    ("no host", smuggler("X-A: b", host="")),
    ("an absolute target", smuggler("X-A: b", line="POST http://other/v1/embeddings HTTP/1.1")),
    ("HTTP/2 in the line", smuggler("X-A: b", line="POST /v1/embeddings HTTP/2.0")),
    ("HTTP/0.9", b"GET /health\r\n\r\n"),
    ("CONNECT", smuggler("X-A: b", line="CONNECT other:80 HTTP/1.1")),
    ("no method", smuggler("X-A: b", line=" /health HTTP/1.1")),
    ("a blank before the first header", smuggler("X-A: b", host=" Host: a\r\n")),
    ("bytes that are nothing", bytes(range(256)) * 16),
    ("TLS on the clear port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500),
]


@hostile(FORMS)
def smuggling(gateway, data):
    """Refused, closed, and what is behind it is no request"""
    key = f"Authorization: Bearer {gateway.token}\r\n".encode()
    got = talk(gateway, data.replace(b"Host: a\r\n", b"Host: a\r\n" + key, 1))
    tap.same([400], statuses(got), f"statuses in {got[:200]}")


FOLD = b"POST /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n \tchunked\r\n\r\n0\r\n\r\n"
HELLO = json.dumps({"model": "embed", "input": "hello"}).encode()


@hostile([("byte by byte", 1, HELLO, 200), ("in threes", 3, HELLO, 200),
          ("a folded header, byte by byte", 1, None, 400)])
def pieces(gateway, size, body, status):
    """A request in pieces is the same request"""
    data = request(gateway, body) if body else FOLD
    with gateway.connect() as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for at in range(0, len(data), size):
                peer.sendall(data[at:at + size])
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := peer.recv(65536):
                got += piece
    tap.same([status], statuses(got))


@hostile()
def pipelined(gateway):
    """A hundred requests in one piece are answered in their order"""
    texts = ["x" * (i + 1) for i in range(100)]
    data = b"".join(kept(request(gateway, json.dumps({"model": "embed", "input": text}).encode()))
                    for text in texts)
    got = talk(gateway, data + INNER.encode())
    tap.same([200] * 101, statuses(got))
    lengths = [int(part.split(b",", 1)[0]) for part in got.split(b'"embedding":[')[1:]]
    tap.same([len(text) for text in texts], lengths, "order")


# ---- too much

def gateway_head(headers):
    return f"GET /health HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n".encode()


BIG = [
    ("a header of 1 MiB", lambda g: gateway_head("X-A: " + "a" * (1 << 20)), 431),
    ("20,000 headers", lambda g: gateway_head("X: y\r\n" * 20000), 431),
    ("65 headers", lambda g: gateway_head("\r\n".join(f"X{i}: y" for i in range(65))), 431),
    ("a target of 1 MiB", lambda g: b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
    ("a method of 1 MiB", lambda g: b"A" * (1 << 20), 400),
    ("a body that says it is 1 TiB", lambda g: request(g, Content_Length=1 << 40), 413),
    ("a body where none is asked for", lambda g: gateway_head("Content-Length: 1") + b"x", 413),
    ("the same in chunks", lambda g: gateway_head("Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n\r\n", 413),
    ("a body over the limit", lambda g: request(g, b"x" * (BODY_MAX + 1)), 413),
    ("a chunked body over the limit", lambda g: request(
        g, b"10000\r\n" + b"x" * 65536 + b"\r\n", Content_Length=None, Transfer_Encoding="chunked") +
     (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 17, 413),
    ("chunks of one byte", lambda g: request(
        g, b"1\r\n \r\n" * 200000 + b"0\r\n\r\n", Content_Length=None, Transfer_Encoding="chunked"), 400),
    ("trailers over the limit", lambda g: request(
        g, b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 20000 + b"\r\n", Content_Length=None,
        Transfer_Encoding="chunked"), 431),
    ("JSON 300,000 deep", lambda g: request(g, b"[" * 300000), 400),
    ("a number of 500,000 digits", lambda g: request(g, b"1" * 500000), 400),
    ("300,001 empty objects", lambda g: request(g, b"[" + b"{}," * 300000 + b"{}]"), 400),
    ("2,049 texts", lambda g: request(g, json.dumps({"model": "embed", "input": ["a"] * 2049}).encode()), 400),
    ("a text of 70,000 bytes", lambda g: request(
        g, json.dumps({"model": "embed", "input": "a" * 70000}).encode()), 400),
    ("a model's name of 500,000 bytes", lambda g: request(
        g, json.dumps({"model": "a" * 500000, "input": "a"}).encode()), 404),
    ("an Authorization of 12,000 bytes", lambda g: request(g, Authorization="AWS4-HMAC-SHA256 " + "a" * 12000),
     401),
]


@hostile(BIG)
def oversized(gateway, make, status):
    """Oversized"""
    got = statuses(talk(gateway, make(gateway)))
    tap.same([status], got, "statuses")


# ---- texts that are none

BROKEN = [
    ("a byte that is no UTF-8", b'{"model":"embed","input":"\xff"}', 400),
    ("a sequence cut off", b'{"model":"embed","input":"\xe6\x9d"}', 400),
    ("an overlong sequence", b'{"model":"embed","input":"\xc0\xaf"}', 400),
    ("a surrogate in UTF-8", b'{"model":"embed","input":"\xed\xa0\x80"}', 400),
    ("half a surrogate pair", b'{"model":"embed","input":"\\ud800"}', 400),
    ("beyond Unicode", b'{"model":"embed","input":"\xf4\x90\x80\x80"}', 400),
    ("NUL in a text, which is one", b'{"model":"embed","input":"a\\u0000b"}', 200),
    ("NUL in a name", b'{"model":"embed\\u0000","input":"a"}', 400),
    ("JSON cut off", b'{"model":"embed","input":"a', 400),
    ("more behind it", b'{"model":"embed","input":"a"} x', 400),
    ("a member twice", b'{"model":"embed","model":"x","input":"a"}', 400),
    ("a byte order mark", b'\xef\xbb\xbf{"model":"embed","input":"a"}', 400),
    ("NaN", b'{"model":"embed","input":"a","dimensions":NaN}', 400),
    ("a number beyond all", b'{"model":"embed","input":"a","dimensions":1e999}', 400),
    ("UTF-16", '{"model":"embed","input":"a"}'.encode("utf-16"), 400),
    ("only NUL", b"\0" * 1000, 400),
    ("nothing", b"", 400),
]


@hostile(BROKEN)
def broken(gateway, body, status):
    """Broken text"""
    got = statuses(talk(gateway, request(gateway, body)))
    tap.same([status], got, "statuses")


# ---- compression and tensors

def infer(gateway, body, **headers):
    return statuses(talk(gateway, request(gateway, body, "/v2/models/embed/infer", **headers)))


def bomb():
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b" " * (1 << 20)) for _ in range(256)) + packer.flush()


SMALL = json.dumps({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}).encode()
PACKED = [
    ("a bomb of 256 MiB", bomb, "gzip", (413,)),
    ("a bomb, as deflate", lambda: zlib.compress(b" " * (64 << 20), 9), "deflate", (413,)),
    ("gzip cut off", lambda: gzip.compress(SMALL)[:-9], "gzip", (400,)),
    ("gzip, one bit changed", lambda: gzip.compress(SMALL)[:-8] + b"12345678", "gzip", (400,)),
    ("no gzip at all", lambda: SMALL, "gzip", (400,)),
    ("gzip, and more behind it", lambda: gzip.compress(SMALL) + b"x" * 100, "gzip", (400, 200)),
    ("gzip in gzip", lambda: gzip.compress(gzip.compress(SMALL)), "gzip, gzip", (400, 415)),
    ("brotli", lambda: SMALL, "br", (400, 415)),
    ("nothing, as gzip", lambda: b"", "gzip", (400,)),
    ("gzip as it should be", lambda: gzip.compress(SMALL), "gzip", (200,)),
]


@hostile(PACKED)
def packed(gateway, make, encoding, expected):
    """Compressed"""
    got = infer(gateway, make(), Content_Encoding=encoding)
    tap.same(True, len(got) == 1 and got[0] in expected, f"statuses {got}, not {expected}, as they should be:")


def tensor(shape, size, data, header=None):
    head = json.dumps({"inputs": [{"name": "text", "datatype": "BYTES", "shape": shape,
                                   "parameters": {"binary_data_size": size}}]}).encode()
    return head + data, str(len(head) if header is None else header)


ONE = struct.pack("<I", 1) + b"a"
TENSORS = [
    ("as it should be", tensor([1], 5, ONE), 200),
    ("a length beyond its bytes", tensor([1], 5, struct.pack("<I", 9) + b"a"), 400),
    ("a length of 4 GiB", tensor([1], 5, b"\xff\xff\xff\xff" + b"a"), 400),
    ("fewer elements than its shape", tensor([2], 5, ONE), 400),
    ("more elements than its shape", tensor([1], 10, ONE + ONE), 400),
    ("a size beyond the body", tensor([1], 50, ONE), 400),
    ("a negative size", tensor([1], -5, ONE), 400),
    ("a shape that overflows", tensor([1 << 31, 1 << 31, 4], 5, ONE), 400),
    ("a negative shape", tensor([-1, -1], 5, ONE), 400),
    ("no shape", tensor([], 5, ONE), 400),
    ("a header length beyond the body", tensor([1], 5, ONE, 10000), 400),
    ("a negative header length", tensor([1], 5, ONE, -1), 400),
    ("a header length that is no number", tensor([1], 5, ONE, "x"), 400),
]


@hostile(TENSORS)
def tensors(gateway, made, status):
    """A binary tensor"""
    body, header = made
    tap.same([status], infer(gateway, body, Inference_Header_Content_Length=header), "statuses")


AWS = "AWS4-HMAC-SHA256 "
CREDENTIALS = [
    ("nothing behind the scheme", AWS),
    ("no signature", AWS + "Credential=a/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host"),
    ("a thousand signed headers", AWS + "Credential=a/20260101/us-east-1/bedrock/aws4_request, SignedHeaders="
     + ";".join(f"h{i}" for i in range(1000)) + ", Signature=" + "0" * 64),
    ("a signature of another length", AWS + "Credential=a/b/c/d/e, SignedHeaders=host, Signature=00"),
    ("commas only", AWS + "," * 1000),
    ("Basic that is no base64", "Basic ===="),
    ("a bearer of no bytes", "Bearer "),
    ("bytes beyond ASCII", "Bearer \xff\xfe"),
    ("another scheme", "Digest username=a"),
]


@hostile(CREDENTIALS)
def credentials(gateway, value):
    """Credentials that are none"""
    data = request(gateway, b"{}", "/model/embed/invoke").replace(
        b"Authorization: Bearer " + gateway.token.encode(), b"Authorization: " + value.encode("latin-1"))
    tap.same([403], statuses(talk(gateway, data)), "statuses")


# ---- too slow

@hostile()
def slow_heads(gateway):
    """Forty heads that never end: 408, within their time"""
    peers = [gateway.connect() for _ in range(40)]
    for peer in peers:
        peer.sendall(b"GET /health HTTP/1.1\r\nX-A: ")
    end = time.monotonic() + HEAD_S + 20
    while peers and time.monotonic() < end:
        for peer in list(peers):
            with contextlib.suppress(OSError):
                peer.sendall(b"a")
            peer.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                got = b""
                with contextlib.suppress(ConnectionResetError):
                    got = peer.recv(4096)
                tap.same(True, got[9:12] in (b"408", b""), f"answer {got[:100]}")
                peer.close()
                peers.remove(peer)
    tap.same(0, len(peers), "connections still open")


@hostile([("with a length", b"Content-Length: 1000\r\n\r\nx"),
          ("in chunks", b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")])
def slow_body(gateway, rest):
    """A body that never ends is 408"""
    head = request(gateway, Content_Length=None)[:-2]
    tap.same([408], statuses(talk(gateway, head + rest, BODY_S + 20)), "statuses")


@hostile()
def silent(gateway):
    """Who says nothing is closed"""
    tap.same(b"", talk(gateway, b"", max(HEAD_S, IDLE_S) + 20), "answer")


@hostile()
def takes_nothing(gateway):
    """Twenty who ask for much and read nothing cost no more than their limits"""
    data = kept(request(gateway, json.dumps({"model": "embed", "input": ["a"] * 500}).encode()))
    peers = []
    for _ in range(20):
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect((rig.HOST, gateway.port))
        peer.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(100):
                peer.sendall(data)
        peers.append(peer)
    end = time.monotonic() + WRITE_S + 2
    while time.monotonic() < end:
        grown = gateway.memory_kib() - gateway.began_kib
        tap.same(True, grown < GROWTH_KIB, f"memory, which grew by {grown} KiB,")
        time.sleep(0.2)
    for peer in peers:
        peer.close()


@hostile()
def reads_slowly(gateway):
    """A reader of a byte now and then is no reason to keep all in memory"""
    data = request(gateway, json.dumps({"model": "embed", "input": ["a"] * 2000}).encode())
    with gateway.connect() as peer:
        peer.sendall(data)
        tap.same(b"H", peer.recv(1))
        for _ in range(20):
            peer.recv(1)
            time.sleep(0.05)


@hostile()
def hangs_up(gateway):
    """Fifty who hang up before their answer: what they asked is cancelled"""
    data = request(gateway, json.dumps({"model": "embed", "input": "sleep 60000"}).encode())
    for _ in range(50):
        with gateway.connect() as peer:
            peer.sendall(data)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@hostile()
def many_connections(gateway):
    """More connections than are allowed: those over are closed, the rest serve"""
    peers = []
    for _ in range(400):
        with contextlib.suppress(OSError):
            peers.append(gateway.connect())
    for peer in peers:
        peer.close()
    rig.until(lambda: statuses(talk(gateway, INNER.encode())) == [200], 30)


# ---- HTTP/2

def h2(gateway, *pieces, seconds=10):
    """What came back (frames) until the gateway closed or was silent."""
    got = b""
    with gateway.connect() as peer:
        peer.settimeout(seconds)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            peer.sendall(PREFACE + frames.SettingsFrame(0).serialize())
            for piece in pieces:
                peer.sendall(piece)
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            while piece := peer.recv(65536):
                got += piece
    return list(parsed(got))


def parsed(data):
    while len(data) >= 9:
        frame, length = frames.Frame.parse_frame_header(memoryview(data[:9]))
        if len(data) < 9 + length:
            return
        frame.parse_body(memoryview(data[9:9 + length]))
        yield frame
        data = data[9 + length:]


def goaway(got):
    return next((frame.error_code for frame in got if isinstance(frame, frames.GoAwayFrame)), None)


def head(stream, *more, end=True, path="/health", method="GET"):
    fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a"), *more]
    frame = frames.HeadersFrame(stream, hpack.Encoder().encode(fields))
    frame.flags.add("END_HEADERS")
    if end:
        frame.flags.add("END_STREAM")
    return frame.serialize()


def reset(stream):
    return frames.RstStreamFrame(stream, error_code=8).serialize()


def ids(n):
    return range(1, 2 * n, 2)


@hostile()
def rapid_reset(gateway):
    """Rapid reset: ENHANCE_YOUR_CALM"""
    body = json.dumps({"model": "embed", "input": "sleep 60000"}).encode()
    more = (("authorization", "Bearer " + gateway.token),)
    got = h2(gateway, b"".join(
        head(i, *more, end=False, path="/v1/embeddings", method="POST") +
        data(i, body) + reset(i) for i in ids(10000)))
    tap.same(ENHANCE_YOUR_CALM, goaway(got), "GOAWAY")


def data(stream, body, end=True):
    frame = frames.DataFrame(stream, body)
    if end:
        frame.flags.add("END_STREAM")
    return frame.serialize()


def settings(number):
    return frames.SettingsFrame(0, settings={4: number}).serialize()


def continuation(stream, block, end=False):
    frame = frames.ContinuationFrame(stream, block)
    if end:
        frame.flags.add("END_HEADERS")
    return frame.serialize()


def open_head(stream):
    return frames.HeadersFrame(stream, hpack.Encoder().encode([(":method", "GET")])).serialize()


def hpack_bomb():
    """One large entry of the table, and then only references to it."""
    first = hpack.Encoder().encode([(":method", "GET"), (":scheme", "http"), (":path", "/health"),
                                    (":authority", "a")])
    entry = b"\x40\x01x" + hpack.hpack.encode_integer(3900, 7) + b"a" * 3900
    frame = frames.HeadersFrame(1, bytes(first + entry + b"\xbe" * 12000))
    frame.flags.add("END_HEADERS")
    frame.flags.add("END_STREAM")
    return frame.serialize()


def empty_data(stream, n):
    return data(stream, b"", end=False) * n


FLOODS = [
    ("settings", lambda: settings(65535) * 50000),
    ("pings", lambda: frames.PingFrame(0, b"12345678").serialize() * 50000),
    ("continuation", lambda: open_head(1) + continuation(1, b"\0\x01x\x01y" * 3000) * 2000),
    ("empty continuation", lambda: open_head(1) + continuation(1, b"") * 200000),
    ("an HPACK bomb", hpack_bomb),
    ("empty data", lambda: head(1, end=False, path="/v1/embeddings", method="POST") + empty_data(1, 200000)),
    ("priorities", lambda: frames.PriorityFrame(1, depends_on=3, stream_weight=1).serialize() * 100000),
    ("window updates", lambda: frames.WindowUpdateFrame(0, 1).serialize() * 100000),
    ("a window beyond its limit", lambda: frames.WindowUpdateFrame(0, 0x7fffffff).serialize() * 2),
    ("streams beyond their limit", lambda: b"".join(
        head(i, end=False, path="/v1/embeddings", method="POST") for i in ids(5000))),
    ("a frame larger than allowed", lambda: b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"x" * 100000),
    ("data of no stream", lambda: data(1, b"x" * 100)),
    ("an unknown kind", lambda: b"\x00\x00\x10\xfa\x00\x00\x00\x00\x01" + b"x" * 16),
    ("an even stream", lambda: head(2)),
    ("a push", lambda: frames.PushPromiseFrame(1, 2, b"").serialize()),
    ("rubbish", lambda: bytes(range(256)) * 400),
]


@hostile(FLOODS)
def flood(gateway, make):
    """A flood over HTTP/2"""
    h2(gateway, make(), seconds=3)


WRONG_FIELDS = [
    ("an upper-case name", [("X-A", "b")]),
    ("a connection header", [("connection", "close")]),
    ("transfer-encoding", [("transfer-encoding", "chunked")]),
    ("a pseudo-header behind others", [("x", "y"), (":path", "/v2")]),
    ("a pseudo-header twice", [(":path", "/v2")]),
    ("an unknown pseudo-header", [(":x", "y")]),
    ("CR LF in a value", [("x", "a\r\nContent-Length: 5")]),
    ("NUL in a value", [("x", "a\0b")]),
    ("a length that is no number", [("content-length", "5x")]),
]


@hostile(WRONG_FIELDS)
def wrong_fields(gateway, fields):
    """Fields that HTTP/2 does not allow are no request"""
    got = h2(gateway, head(1, *fields), seconds=3)
    answered = [frame for frame in got if isinstance(frame, frames.HeadersFrame)]
    text = [hpack.Decoder().decode(frame.data)[0] for frame in answered]
    tap.same(True, all(field[1] in (b"400", "400") for field in text), f"answers {text}")


@hostile()
def window_closed(gateway):
    """A hundred streams whose client opens no window"""
    body = json.dumps({"model": "embed", "input": ["a"] * 200}).encode()
    more = (("authorization", "Bearer " + gateway.token),)
    h2(gateway, frames.SettingsFrame(0, settings={4: 0}).serialize(), b"".join(
        head(i, *more, end=False, path="/v1/embeddings", method="POST") + data(i, body)
        for i in ids(100)), seconds=3)


@hostile()
def window_stays_closed(gateway):
    """Streams that are never read are reset in their time, and their bodies cost nobody"""
    body = b"x" * (BODY_MAX // 2)
    got = h2(gateway, settings(0), b"".join(head(i, end=False) + data(i, body[:16384], end=False)
                                            for i in ids(40)), seconds=WRITE_S + 5)
    resets = [frame for frame in got if isinstance(frame, frames.RstStreamFrame)]
    tap.same(40, len(resets), "streams that were reset")


# ---- TLS

@hostile([("rubbish", b"\xff" * 10000), ("a handshake cut off", b"\x16\x03\x01\x02\x00\x01\x00"),
          ("clear text", INNER.encode())])
def tls(gateway, sent):
    """On the TLS port"""
    with socket.create_connection((rig.HOST, rig.PORT_TLS), timeout=HEAD_S + IDLE_S + 20) as peer:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            peer.sendall(sent)
            while peer.recv(4096):
                pass


@hostile()
def tls_old(gateway):
    """TLS 1.1 is refused"""
    context = ssl.create_default_context(cafile=gateway.ca)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection((rig.HOST, rig.PORT_TLS), timeout=30) as peer:
        tap.raises((ssl.SSLError, ConnectionResetError), context.wrap_socket, peer,
                   server_hostname="localhost")


def main():
    options = ["--max-body", str(BODY_MAX), "--max-bodies", str(16 << 20), "--max-connections", "200",
               "--head-timeout", str(HEAD_S), "--body-timeout", str(BODY_S),
               "--idle-timeout", str(IDLE_S), "--write-timeout", str(WRITE_S), "--memory", str(16 << 20)]
    with rig.Gateway(*options, binary="build/tests/gateway/aif-gateway-faulty") as gateway:
        neighbour = Neighbour(gateway)
        neighbour.start()
        rig.until(lambda: neighbour.answered > 50, 60)
        gateway.began_kib = gateway.memory_kib()
        result = tap.run(gateway, neighbour)
        neighbour.over = True
        neighbour.join(60)
        tap.comment(f"memory: {gateway.began_kib} KiB at first, at most {gateway.memory_kib('VmHWM:')}, "
                    f"{gateway.memory_kib()} at the end; the neighbour got {neighbour.answered} answers")
    return result


if __name__ == "__main__":
    sys.exit(main())
