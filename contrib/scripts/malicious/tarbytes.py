"""Tar archives byte by byte, sound or not, and what they may be wrapped in; the same call gives the
same bytes."""
import bz2
import lzma
import struct
import zlib

BLOCK = 512
FILE, HARD, SYM, CHR, BLK, DIR, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"


def raw(s):
    return s if isinstance(s, bytes) else s.encode("utf-8", "surrogateescape")


def pad(data):
    return data + bytes(-len(data) % BLOCK)


def number(value, width):
    """Octal, or base 256 where that does not hold it; bytes go in as they are."""
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    sign = 0xff if value < 0 else 0x80
    tail = (value & (1 << 8 * (width - 1)) - 1).to_bytes(width - 1, "big")
    return bytes([sign]) + tail


def record(key, value):
    body = b" " + raw(key) + b"=" + raw(value) + b"\n"
    n = len(body)
    while len(b"%d" % n) + len(body) != n:
        n = len(b"%d" % n) + len(body)
    return b"%d" % n + body


def seal(block):
    """With a checksum that holds."""
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


class Tar:
    """Each method adds to what is there and returns the whole."""

    def __init__(self):
        self.parts = []

    @property
    def data(self):
        return b"".join(self.parts)

    def bytes(self, data):
        self.parts.append(data)
        return self

    def header(self, name, kind=FILE, size=0, link=b"", mode=0o644, uid=0, gid=0,
               mtime=1700000000, prefix=b"", dev=(0, 0), magic=b"ustar\x0000"):
        block = raw(name)[:100].ljust(100, b"\0") + number(mode, 8) + number(uid, 8)
        block += number(gid, 8) + number(size, 12) + number(mtime, 12) + b" " * 8 + kind
        block += raw(link)[:100].ljust(100, b"\0") + magic + bytes(64)
        block += number(dev[0], 8) + number(dev[1], 8) + raw(prefix)[:155].ljust(155, b"\0")
        return self.bytes(seal(block.ljust(BLOCK, b"\0")))

    def file(self, name, data=b"x\n", **how):
        return self.header(name, size=len(data), **how).bytes(pad(data))

    def dir(self, name, **how):
        how.setdefault("mode", 0o755)
        return self.header(name, kind=DIR, **how)

    def sym(self, name, target, **how):
        return self.header(name, kind=SYM, link=target, mode=0o777, **how)

    def hard(self, name, target, **how):
        return self.header(name, kind=HARD, link=target, **how)

    def node(self, name, kind, dev=(0, 0), **how):
        return self.header(name, kind=kind, dev=dev, **how)

    def records(self, data, kind=b"x"):
        return self.header("pax", kind=kind, size=len(data)).bytes(pad(data))

    def pax(self, *pairs, kind=b"x"):
        return self.records(b"".join(record(k, v) for k, v in pairs), kind)

    def gnu(self, kind, text):
        data = raw(text) + b"\0"
        return self.header("././@LongLink", kind=kind, size=len(data)).bytes(pad(data))

    def end(self):
        return self.bytes(bytes(2 * BLOCK)).data


def gz(data, level=9):
    c = zlib.compressobj(level, zlib.DEFLATED, 31)
    return c.compress(data) + c.flush()


def gz_zeros(before, zeros, after=b""):
    c = zlib.compressobj(9, zlib.DEFLATED, 31)
    out = [c.compress(before)]
    for _ in range(zeros >> 20):
        out.append(c.compress(bytes(1 << 20)))
    return b"".join(out) + c.compress(bytes(zeros & (1 << 20) - 1) + after) + c.flush()


def xz(data, **how):
    return lzma.compress(data, format=lzma.FORMAT_XZ, preset=1, **how)


def xz_dictionary(data, exponent):
    """An xz whose first block asks for another dictionary than it needs."""
    out = bytearray(xz(data))
    n = (out[12] + 1) * 4
    at = out.index(b"\x21\x01", 12)
    out[at + 2] = exponent
    out[12 + n - 4:12 + n] = struct.pack("<I", zlib.crc32(out[12:12 + n - 4]))
    return bytes(out)


def bzip2(data):
    return bz2.compress(data)


ZSTD = b"\x28\xb5\x2f\xfd"
BLOCK_MAX = 128 << 10


def zst(*pieces, head=b"\x00\x58"):
    """A zstd frame (2 MiB window, no size, no checksum) of raw blocks, and, where a piece is a
    number, of that many zeros in run-length blocks: 4 bytes for 128 KiB."""
    blocks = []
    for piece in pieces:
        if isinstance(piece, int):
            runs = [BLOCK_MAX] * (piece // BLOCK_MAX) + [piece % BLOCK_MAX]
            blocks += [(n << 3 | 1 << 1, b"\0") for n in runs if n]
        else:
            blocks += [(len(piece[at:at + BLOCK_MAX]) << 3, piece[at:at + BLOCK_MAX])
                       for at in range(0, len(piece), BLOCK_MAX)]
    blocks[-1] = (blocks[-1][0] | 1, blocks[-1][1])
    return ZSTD + head + b"".join(struct.pack("<I", n)[:3] + body for n, body in blocks)
