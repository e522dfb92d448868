#!/usr/bin/env python3
"""httpd.py PORT DIR [--port-file F] [--tls PEM]

Serves the files of DIR on 127.0.0.1 and misbehaves as the first component of the path asks;
the modes lie in httpd_modes.py.
PORT 0 takes any free port; --port-file receives the number once the server listens.
--tls serves https with the certificate and key in PEM.

/_stats is JSON: {path: {"requests": n, "ranges": [Range or null ...], "if_ranges": [...],
"auth": [Authorization or null ...], "last": {header: value}}}; /_reset clears it; /_ping is 204.
"""
import argparse
import collections
import hashlib
import http.server
import json
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True
import httpd_modes  # noqa: E402
from httpd_modes import MODES, Hangup, mode  # noqa: E402

STATS = {}
ASKED = collections.Counter()
STATS_LOCK = threading.Lock()


class Content:
    """What is to be sent: bytes, their type and their tag."""

    def __init__(self, data, tag=None):
        self.data = data
        self.tag = tag or '"%s"' % hashlib.sha256(data).hexdigest()[:16]

    def altered(self):
        at = len(self.data) // 3
        flipped = bytes([self.data[at] ^ 0xff]) if self.data else b""
        return Content(self.data[:at] + flipped + self.data[at + 1:])


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "httpd"
    sys_version = ""
    bps = 0  # bytes a second of a body; 0: as fast as it goes

    def log_message(self, *args):
        pass

    def number(self, key, default):
        return int(self.query.get(key, [default])[0])

    def word(self, key, default=""):
        return self.query.get(key, [default])[0]

    def content(self):
        """FILE, or None after a 404 was sent."""
        base = os.path.realpath(self.server.directory)
        path = os.path.realpath(os.path.join(base, self.rest))
        if not path.startswith(base + os.sep) or not os.path.isfile(path):
            return None
        with open(path, "rb") as f:
            return Content(f.read())

    def head(self, code, *headers):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, str(value))
        self.end_headers()

    def send(self, data):
        view = memoryview(data)
        for at in range(0, len(view), 1 << 20):
            self.wfile.write(view[at:at + (1 << 20)])

    def trickle(self, data, bps):
        step = max(1, bps // 10)
        for at in range(0, len(data), step):
            self.send(data[at:at + step])
            time.sleep(step / bps)

    def answer(self, code, data, *headers):
        self.head(code, ("Content-Length", len(data)), *headers)
        if self.bps:
            self.trickle(data, self.bps)
        else:
            self.send(data)

    def last_bytes(self):
        """No keep-alive: the close is part of the answer."""
        self.close_connection = True

    def rst(self):
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Hangup

    def silence(self):
        """Until the client gives up."""
        self.wfile.flush()
        self.connection.settimeout(self.number("s", 600))
        try:
            self.connection.recv(1)
        except OSError:
            pass
        raise Hangup

    def range_start(self):
        m = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        return int(m[1]) if m else None

    def ranged(self, content):
        size, tag = len(content.data), ("ETag", content.tag)
        start = self.range_start()
        if start is None or self.headers.get("If-Range", content.tag) != content.tag:
            self.answer(200, content.data, tag, ("Accept-Ranges", "bytes"))
        elif start >= size:
            self.answer(416, b"", tag, ("Content-Range", "bytes */%d" % size))
        else:
            self.answer(206, content.data[start:], tag,
                        ("Content-Range", "bytes %d-%d/%d" % (start, size - 1, size)))

    def cut(self, content, *headers):
        """Promises all of it and stops on the way."""
        self.head(200, ("Content-Length", len(content.data)), ("ETag", content.tag), *headers)
        self.send(content.data[:self.number("at", len(content.data) // 2)])
        self.last_bytes()

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        path = urllib.parse.unquote(parts.path).lstrip("/")
        name, _, self.rest = path.partition("/")
        self.bps = 0
        try:
            if not name.startswith("_"):
                self.count = self.note(parts.path)
            self.dispatch(name)
        except Hangup:
            self.close_connection = True
        except OSError:
            self.close_connection = True

    def note(self, path):
        with STATS_LOCK:
            s = STATS.setdefault(path, {"requests": 0, "ranges": [], "if_ranges": [], "auth": []})
            s["requests"] += 1
            s["ranges"].append(self.headers.get("Range"))
            s["if_ranges"].append(self.headers.get("If-Range"))
            s["auth"].append(self.headers.get("Authorization"))
            s["last"] = dict(self.headers)
            ASKED[self.path] += 1
            return ASKED[self.path]

    def dispatch(self, name):
        few = re.fullmatch(r"(.+)x(\d+)", name)
        if few:
            name = few[1] if self.count <= int(few[2]) else "range"
        if re.fullmatch(r"\d{3}", name):
            return httpd_modes.send_status(self, int(name))
        if name not in MODES:
            return self.answer(404, b"no such mode\n")
        if MODES[name].__code__.co_argcount == 1:
            return MODES[name](self)
        content = self.content()
        if content is None:
            return self.answer(404, b"no such file\n")
        return MODES[name](self, content)


# About the server itself


@mode("_stats")
def stats(r):
    with STATS_LOCK:
        r.answer(200, json.dumps(STATS, indent=1).encode(), ("Content-Type", "application/json"))


@mode("_reset")
def stats_reset(r):
    with STATS_LOCK:
        STATS.clear()
        ASKED.clear()
    r.answer(204, b"")


@mode("_ping")
def ping(r):
    r.answer(204, b"")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__ + "\n" + httpd_modes.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("directory")
    parser.add_argument("--port-file")
    parser.add_argument("--tls", metavar="PEM")
    args = parser.parse_args()
    server = Server(("127.0.0.1", args.port), Request)
    server.directory = args.directory
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    if args.port_file:
        with open(args.port_file + ".new", "w") as f:
            f.write("%d\n" % server.server_address[1])
        os.rename(args.port_file + ".new", args.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
