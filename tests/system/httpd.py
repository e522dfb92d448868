#!/usr/bin/env python3
"""httpd.py PORT DIR [--port-file F] [--tls PEM]

Serves the files of DIR on 127.0.0.1 and misbehaves as the first component of the path asks.
PORT 0 takes any free port; --port-file receives the number once the server listens.
--tls serves https with the certificate and key in PEM.

  MODE/FILE        the fault, every time
  MODExN/FILE      the fault for the first N requests of that URL, then as `range`

well-behaved:
  ok               200 with Content-Length and ETag; knows no Range
  range            Range, If-Range, ETag, 416
  auth             401 unless Basic u:secret, then as `range`
  nolength         chunked              closelength      no length, ends by close
  slow?bps=N       as `range`, N bytes a second (1000)
  gzip-encoding    says Content-Encoding: gzip; the bytes are FILE's
resuming (each cuts the first request after at= bytes, half by default):
  rangetrunc       then as `range`
  etagchange       the first answer is another content under another ETag
  weaktag          the ETag is weak; a Range is honoured all the same
  rangeignore      a Range is answered by 200 and the whole
  rangelie?how=H   a Range is answered by a 206 that lies: offset, total, garbage, none, etag
cut, late, silent:
  truncate?at=N    closes after N bytes (half)       reset?at=N   the same with a RST
  drop             closes before any byte            hang         never answers
  stall?at=N       silent after N bytes (half)       slowheader?bps=N   a header that trickles (5)
  badchunk         a malformed chunk after half      truncchunk   no last chunk
status:
  CODE             404, 500, 429 ...; ?after=T adds Retry-After: T (a number or any text)
  status/CODE      the same
  redirect/CODE/FILE          to ok/FILE             redirect-chain/N/FILE    N hops, then ok/FILE
  redirect-to?url=U           to U                   redirect-loop            to itself
  redirect-none    302 without Location              redirect-body/FILE       an endless body
lies:
  endless          no length, zeros for ever         endless-chunked
  lie-length?d=N   Content-Length N more (1000) than there is; N may be negative
  huge-length      10^18                             bad-length       -1
  wrong            right length, one byte flipped    empty, html      200 and not the file
  headers/N        N KiB of headers, then ok         header-endless
  http09           a body without a header           badstatus        no number where the code is

/_stats is JSON: {path: {"requests": n, "ranges": [Range or null ...], "if_ranges": [...],
"auth": [Authorization or null ...], "last": {header: value}}}; /_reset clears it; /_ping is 204.
"""
import argparse
import base64
import collections
import email.utils
import hashlib
import http.server
import itertools
import json
import os
import re
import socket
import ssl
import struct
import threading
import time
import urllib.parse

STATS = {}
ASKED = collections.Counter()
STATS_LOCK = threading.Lock()
MODES = {}


def mode(*names):
    def register(function):
        for name in names:
            MODES[name] = function
        return function
    return register


class Hangup(Exception):
    """The connection ends here, whatever was promised."""


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

    def answer(self, code, data, *headers):
        self.head(code, ("Content-Length", len(data)), *headers)
        if self.bps:
            trickle(self, data, self.bps)
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
            return send_status(self, int(name))
        if name not in MODES:
            return self.answer(404, b"no such mode\n")
        if MODES[name].__code__.co_argcount == 1:
            return MODES[name](self)
        content = self.content()
        if content is None:
            return self.answer(404, b"no such file\n")
        return MODES[name](self, content)


# Well-behaved


@mode("ok")
def ok(r, content):
    r.answer(200, content.data, ("ETag", content.tag))


@mode("range")
def ranged(r, content):
    r.ranged(content)


@mode("auth")
def auth(r, content):
    if r.headers.get("Authorization") == "Basic " + base64.b64encode(b"u:secret").decode():
        r.ranged(content)
    else:
        r.answer(401, b"", ("WWW-Authenticate", 'Basic realm="httpd"'))


def send_chunks(r, data):
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        r.send(b"%x\r\n" % len(piece) + piece + b"\r\n")


@mode("nolength")
def nolength(r, content):
    r.head(200, ("Transfer-Encoding", "chunked"), ("ETag", content.tag))
    send_chunks(r, content.data)
    r.send(b"0\r\n\r\n")


@mode("closelength")
def closelength(r, content):
    r.head(200, ("Connection", "close"))
    r.send(content.data)
    r.last_bytes()


def trickle(r, data, bps):
    step = max(1, bps // 10)
    for at in range(0, len(data), step):
        r.send(data[at:at + step])
        time.sleep(step / bps)


@mode("slow")
def slow(r, content):
    r.bps = r.number("bps", 1000)
    r.ranged(content)


@mode("gzip-encoding")
def gzip_encoding(r, content):
    r.answer(200, content.data, ("Content-Encoding", "gzip"))


# Resuming


@mode("rangetrunc")
def rangetrunc(r, content):
    if r.count == 1:
        r.cut(content)
    else:
        r.ranged(content)


@mode("etagchange")
def etagchange(r, content):
    if r.count == 1:
        r.cut(content.altered())
    else:
        r.ranged(content)


@mode("weaktag")
def weaktag(r, content):
    content.tag = "W/" + content.tag
    if r.count == 1:
        r.cut(content)
    else:
        r.ranged(content)


@mode("rangeignore")
def rangeignore(r, content):
    if r.count == 1:
        r.cut(content)
    else:
        ok(r, content)


def lying_range(how, start, content):
    size = len(content.data)
    return {
        "offset": "bytes %d-%d/%d" % (start - 1, size - 2, size),
        "total": "bytes %d-%d/%d" % (start, size - 1, size + 4096),
        "garbage": "bytes 99999999999999999999-x/y",
        "etag": "bytes %d-%d/%d" % (start, size - 1, size),
    }.get(how)


@mode("rangelie")
def rangelie(r, content):
    start = r.range_start()
    if start is None:
        return r.cut(content) if r.count == 1 else ok(r, content)
    how = r.word("how", "offset")
    says = lying_range(how, start, content)
    data = content.altered().data if how == "etag" else content.data
    first = start - 1 if how == "offset" else start
    r.answer(206, data[first:first + len(data) - start],
             ("ETag", '"other"' if how == "etag" else content.tag),
             *([("Content-Range", says)] if says else []))


# Cut, late, silent


@mode("truncate")
def truncate(r, content):
    r.cut(content)


@mode("reset")
def reset(r, content):
    r.cut(content)
    time.sleep(0.05)
    r.rst()


@mode("drop")
def drop(r):
    raise Hangup


@mode("hang")
def hang(r):
    r.silence()


@mode("stall")
def stall(r, content):
    r.cut(content)
    r.silence()


@mode("slowheader")
def slowheader(r):
    r.send(b"HTTP/1.1 200 OK\r\n")
    trickle(r, b"X: a\r\n" * 10000, r.number("bps", 5))


@mode("badchunk")
def badchunk(r, content):
    r.head(200, ("Transfer-Encoding", "chunked"), ("ETag", content.tag))
    send_chunks(r, content.data[:len(content.data) // 2])
    r.send(b"zz\r\n")
    r.last_bytes()


@mode("truncchunk")
def truncchunk(r, content):
    r.head(200, ("Transfer-Encoding", "chunked"), ("ETag", content.tag))
    send_chunks(r, content.data)
    r.last_bytes()


# Status


def send_status(r, code):
    after = r.word("after")
    if after == "date":
        after = email.utils.formatdate(time.time() + r.number("in", 2), usegmt=True)
    r.answer(code, b"<html>no\n", *([("Retry-After", after)] if after else []))


@mode("status")
def status(r):
    send_status(r, int(r.rest.partition("/")[0]))


@mode("redirect")
def redirect(r):
    code, _, path = r.rest.partition("/")
    r.answer(int(code), b"moved\n", ("Location", "/ok/" + path))


@mode("redirect-chain")
def redirect_chain(r):
    left, _, path = r.rest.partition("/")
    left = int(left)
    to = "/redirect-chain/%d/%s" % (left - 1, path) if left > 1 else "/ok/" + path
    r.answer(302, b"moved\n", ("Location", to))


@mode("redirect-to")
def redirect_to(r):
    r.answer(302, b"", ("Location", r.word("url")))


@mode("redirect-loop")
def redirect_loop(r):
    r.answer(302, b"", ("Location", r.path))


@mode("redirect-none")
def redirect_none(r):
    r.answer(302, b"")


@mode("redirect-body")
def redirect_body(r):
    r.head(302, ("Location", "/ok/" + r.rest), ("Connection", "close"))
    send_zeros(r, lambda piece: piece)


# Lies


def send_zeros(r, wrap):
    piece = wrap(bytes(65536))
    for _ in itertools.count():
        r.send(piece)


@mode("endless")
def endless(r):
    r.head(200, ("Connection", "close"))
    send_zeros(r, lambda piece: piece)


@mode("endless-chunked")
def endless_chunked(r):
    r.head(200, ("Transfer-Encoding", "chunked"))
    send_zeros(r, lambda piece: b"%x\r\n" % len(piece) + piece + b"\r\n")


@mode("lie-length")
def lie_length(r, content):
    r.head(200, ("Content-Length", len(content.data) + r.number("d", 1000)))
    r.send(content.data)
    r.last_bytes()


@mode("huge-length")
def huge_length(r, content):
    r.head(200, ("Content-Length", 10 ** 18))
    r.send(content.data)
    r.silence()


@mode("bad-length")
def bad_length(r, content):
    r.head(200, ("Content-Length", -1))
    r.send(content.data)
    r.last_bytes()


@mode("wrong")
def wrong(r, content):
    ok(r, content.altered())


@mode("empty")
def empty(r):
    r.answer(200, b"")


@mode("html")
def html(r):
    r.answer(200, b"<html>Please log in</html>\n", ("Content-Type", "text/html"))


@mode("headers")
def headers(r):
    amount, _, r.rest = r.rest.partition("/")
    content = r.content()
    r.answer(200, content.data if content else b"",
             *[("X-%d" % i, "h" * 1000) for i in range(int(amount))])


@mode("header-endless")
def header_endless(r):
    r.send(b"HTTP/1.1 200 OK\r\n")
    for i in itertools.count():
        r.send(b"X-%d: %s\r\n" % (i, b"h" * 1000))


@mode("http09")
def http09(r):
    r.send(b"just bytes\n" * 100)
    r.last_bytes()


@mode("badstatus")
def badstatus(r):
    r.send(b"HTTP/1.1 abc what\r\nContent-Length: 0\r\n\r\n")
    r.last_bytes()


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
    parser = argparse.ArgumentParser(description=__doc__,
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
