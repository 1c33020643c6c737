#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""Streams, by the test's route /echo: progress to server-sent events, or to DATA of HTTP/2.

Its readers may be slow: what they cost must be bounded, and nobody else may notice.
"""
import contextlib
import http.client
import json
import socket
import sys
import time

import rig
import tap

rig.enter("streams")

import h2.config  # noqa: E402, from the environment
import h2.connection  # noqa: E402
import h2.events  # noqa: E402
import h2.settings  # noqa: E402

BODY_MAX = 1 << 20              # the echo service's
TEXT = "Größe, naïve café, 東京 and \N{GRINNING FACE}, \"quoted\" \\ \n" * 40
CALM_S = 10
WINDOW_ALL = (1 << 31) - 1


def headers(gateway, events):
    return {"Authorization": "Bearer " + gateway.token, **({"Accept": "text/event-stream"} if events else {})}


# ---- readers

def by_h1(gateway, text, events):
    """The body of the response, in the pieces in which it came."""
    connection = http.client.HTTPConnection(rig.HOST, gateway.port, timeout=60)
    connection.request("POST", "/echo", text.encode(), headers(gateway, events))
    answer = connection.getresponse()
    tap.same(200, answer.status, "status")
    tap.same("text/event-stream" if events else "text/plain; charset=utf-8",
             answer.headers["content-type"], "content-type")
    pieces = []
    while piece := answer.read1():
        pieces.append(piece)
    connection.close()
    return pieces


class H2:
    """A stream over HTTP/2; window: how much of it may be on its way."""

    def __init__(self, gateway, text, events, window=65535, buffer=None):
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.connection.local_settings = h2.settings.Settings(
            initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.connection.initiate_connection()
        self.peer = socket.socket()
        if buffer:
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.peer.settimeout(60)
        self.peer.connect((rig.HOST, gateway.port))
        self.connection.send_headers(1, [
            (":method", "POST"), (":scheme", "http"), (":path", "/echo"), (":authority", "localhost"),
            *((name.lower(), value) for name, value in headers(gateway, events).items())])
        self.send(text.encode())

    def send(self, body):
        while body:
            room = min(self.connection.local_flow_control_window(1), self.connection.max_outbound_frame_size)
            self.connection.send_data(1, body[:room], end_stream=room >= len(body))
            body = body[room:]
            self.peer.sendall(self.connection.data_to_send())
            while body and not self.connection.local_flow_control_window(1):
                self.connection.receive_data(self.peer.recv(65536))

    def pieces(self):
        """What came, as it comes; the window is opened again by as much."""
        while True:
            for event in self.connection.receive_data(self.peer.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    self.connection.acknowledge_received_data(event.flow_controlled_length, 1)
                    yield event.data
                elif isinstance(event, h2.events.StreamEnded):
                    self.peer.close()
                    return
                elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    raise AssertionError(event)
            self.peer.sendall(self.connection.data_to_send())


def by_h2(gateway, text, events):
    return list(H2(gateway, text, events).pieces())


def text_of(body):
    """What the events say; each has whole characters."""
    events = body.decode().split("\n\n")
    tap.same(["data: [DONE]", ""], events[-2:], "the end")
    return [json.loads(event.removeprefix("data: "))["text"] for event in events[:-2]]


def is_text(got):
    """Is it TEXT?  Says where it is not."""
    at = next((i for i, (a, b) in enumerate(zip(TEXT, got)) if a != b), min(len(got), len(TEXT)))
    tap.same((len(TEXT), TEXT[at:at + 20]), (len(got), got[at:at + 20]), f"length, and text at {at}")


@tap.each([("HTTP/1.1", by_h1), ("HTTP/2", by_h2)])
def events(gateway, read):
    """Server-sent events say the text, in its order, as it is made"""
    pieces = read(gateway, TEXT, True)
    is_text("".join(text_of(b"".join(pieces))))
    tap.same(True, len(pieces) > 2, f"{len(pieces)} pieces are more than two: it")


@tap.each([("HTTP/1.1", by_h1), ("HTTP/2", by_h2)])
def raw(gateway, read):
    """Without Accept the text comes as it is"""
    is_text(b"".join(read(gateway, TEXT, False)).decode())


@tap.test
def narrow(gateway):
    """A window of 1 to 40 bytes: an event goes in as many pieces"""
    for window in range(1, 41):
        stream = H2(gateway, "ß\u0001x", True, window)
        pieces = list(stream.pieces())
        tap.same(["ß\u0001x"], text_of(b"".join(pieces)), f"text through a window of {window}")
        tap.same(True, max(map(len, pieces)) <= window, f"no piece is over {window}")


@tap.test
def hangs_up(gateway):
    """Who hangs up in the middle cancels: nothing is in flight, and its memory comes back"""
    stream = H2(gateway, "x" * BODY_MAX, False)
    next(stream.pieces())
    stream.peer.close()
    rig.until(lambda: not rig.metric('texts_in_flight{tenant="self",service="echo"}'), 30)


# ---- slow readers

def ask_slowly(gateway, accept):
    """A socket whose client takes little: the kernel has room for little too."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.settimeout(60)
    peer.connect((rig.HOST, gateway.port))
    peer.sendall((f"POST /echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {gateway.token}\r\n"
                  f"{accept}Content-Length: {BODY_MAX}\r\n\r\n").encode() + b"\x01" * BODY_MAX)
    return peer


def slow_events(gateway):
    return ask_slowly(gateway, "Accept: text/event-stream\r\n")


def slow_data(gateway):
    """All windows are open: only its socket is slow."""
    return H2(gateway, "\x01" * BODY_MAX, False, WINDOW_ALL, 4096).peer


def slow_window(gateway):
    """Its window is 1 byte, and never opened again."""
    return H2(gateway, "\x01" * BODY_MAX, False, 1).peer


READERS = 12                    # of each kind

# What one may cost: its text and the echo of it, 1 MiB each, in one granted buffer; on its way
# out at most 64 KiB that are sent and 64 KiB that are not, and 16 KiB more, in memory that
# doubles; not the six bytes that each byte of its text is as an event, 6 MiB.  The allocator
# may keep the body, which was in memory until the response began; and 8 MiB are everybody's.
GRANTED_MOST, OUT_MOST = (2 << 20) + 4096, 256 << 10
SLACK = READERS * BODY_MAX + (8 << 20)


@tap.each([("server-sent events over HTTP/1.1", slow_events), ("DATA of HTTP/2, its socket", slow_data),
           ("DATA of HTTP/2, its window", slow_window)])
def slow(gateway, ask):
    """Twelve readers of a byte a second have bounded memory, and neighbours are answered"""
    rig.vector_is(rig.TEXTS[0], embedding(gateway, rig.TEXTS[0]))   # the model's pages are there
    before = gateway.memory_kib()
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(ask(gateway)) for _ in range(READERS)]
        rig.until(lambda: rig.metric("texts_total") >= READERS, 60)
        end, answered, out, granted, grown = time.monotonic() + CALM_S, 0, 0, 0, 0
        while time.monotonic() < end:
            for peer in peers:
                tap.same(1, len(peer.recv(1)), "a byte")
            is_text("".join(text_of(b"".join(by_h1(gateway, TEXT, True)))))
            rig.vector_is(rig.TEXTS[0], embedding(gateway, rig.TEXTS[0]))
            answered += 2
            out, granted = max(out, rig.metric("output_bytes")), max(granted, rig.metric("granted_bytes"))
            grown = max(grown, gateway.memory_kib() - before)
            time.sleep(1)
        tap.comment(f"neighbours got {answered} answers; at most {out >> 10} KiB on the way out, "
                    f"{granted >> 10} KiB granted, memory grew by {grown} KiB")
    tap.same(True, out <= (READERS + 2) * OUT_MOST, f"{out} bytes on the way out are bounded: it")
    tap.same(True, granted <= (READERS + 2) * GRANTED_MOST, f"{granted} granted bytes are bounded: it")
    tap.same(True, grown << 10 <= out + granted + SLACK, f"memory, which grew by {grown} KiB,")
    rig.until(lambda: rig.metric("output_bytes") < OUT_MOST * 2, 30)


def embedding(gateway, text):
    connection = http.client.HTTPConnection(rig.HOST, gateway.port, timeout=60)
    connection.request("POST", "/v1/embeddings", json.dumps({"model": "embed", "input": text}),
                       {"Authorization": "Bearer " + gateway.other})
    answer = connection.getresponse()
    tap.same(200, answer.status, "the neighbour's status")
    return json.loads(answer.read())["data"][0]["embedding"]


if __name__ == "__main__":
    with rig.Gateway("--metrics", rig.METRICS, "--echo", "echo,delay_ms=40,progress_bytes=500") as fixture:
        result = tap.run(fixture)
    sys.exit(result)
