"""What httpd.py does to those who ask: the modes, each a function of the request and, if it serves
one, of the file's content. MODES has them by name.

  MODE/FILE        the fault, every time
  MODExN/FILE      the fault for the first N requests of that URL, then as `range`

well-behaved:
  ok               200 with Content-Length and ETag; knows no Range
  range            Range, If-Range, ETag, 416
  auth             401 unless Basic u:secret, then as `range`
  nolength         chunked              closelength      no length, ends by close
  slow?bps=N       as `range`, N bytes a second (1000)
  continue         100 times 100, then ok       cookie, disposition    ok, with such a header
  gzip-encoding    says Content-Encoding: gzip; the bytes are FILE's
resuming (each cuts the first request after at= bytes, half by default):
  rangetrunc       then as `range`
  etagchange       the first answer is another content under another ETag
  weaktag          the ETag is weak; a Range is honoured all the same
  notag            no ETag, but a Last-Modified; a Range is honoured all the same
  sametag          the first answer is another content under the same ETag
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
  redirect-file/FILE               to the URL that FILE holds
  redirect-none    302 without Location              redirect-body/FILE       an endless body
lies:
  endless          no length, zeros for ever         endless-chunked
  lie-length?d=N   Content-Length N more (1000) than there is; N may be negative
  huge-length      10^18                             bad-length       -1
  two-lengths      Content-Length twice, one of them right
  gzip-bomb-encoding   a gigabyte of zeros as Content-Encoding: gzip
  wrong            right length, one byte flipped    empty, html      200 and not the file
  headers/N        N KiB of headers, then ok         header-endless
  http09           a body without a header           badstatus        no number where the code is
"""
import base64
import email.utils
import gzip
import itertools
import time

MODES = {}


def mode(*names):
    def register(function):
        for name in names:
            MODES[name] = function
        return function
    return register


class Hangup(Exception):
    """The connection ends here, whatever was promised."""


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


@mode("slow")
def slow(r, content):
    r.bps = r.number("bps", 1000)
    r.ranged(content)


@mode("gzip-encoding")
def gzip_encoding(r, content):
    r.answer(200, content.data, ("Content-Encoding", "gzip"))


@mode("continue")
def interim(r, content):
    for _ in range(100):
        r.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    ok(r, content)


@mode("cookie")
def cookie(r, content):
    r.answer(200, content.data, ("Set-Cookie", "a=b; Path=/"))


@mode("disposition")
def disposition(r, content):
    r.answer(200, content.data, ("Content-Disposition", "attachment; filename=../../pwned"))


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


@mode("notag")
def notag(r, content):
    when = ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
    size, start = len(content.data), r.range_start()
    if r.count == 1:
        r.head(200, ("Content-Length", size), when)
        r.send(content.altered().data[:size // 2])
        r.last_bytes()
    elif start is None:
        r.answer(200, content.data, when)
    else:
        r.answer(206, content.data[start:], when,
                 ("Content-Range", "bytes %d-%d/%d" % (start, size - 1, size)))


@mode("sametag")
def sametag(r, content):
    if r.count > 1:
        return r.ranged(content)
    tag = content.tag
    altered = content.altered()
    altered.tag = tag
    r.cut(altered)


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
    r.trickle(b"X: a\r\n" * 10000, r.number("bps", 5))


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


@mode("redirect-file")
def redirect_file(r, content):
    r.answer(302, b"", ("Location", content.data.decode().strip()))


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


@mode("two-lengths")
def two_lengths(r, content):
    r.head(200, ("Content-Length", len(content.data)), ("Content-Length", 5))
    r.send(content.data)
    r.last_bytes()


@mode("gzip-bomb-encoding")
def gzip_bomb_encoding(r):
    data = gzip.compress(bytes(1 << 20)) * 1000
    r.answer(200, data, ("Content-Encoding", "gzip"))


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
