#!/usr/bin/env python3
"""First inputs for the fuzz targets: small, valid, each showing something that others don't.

usage: seeds.py DIR      writes DIR/TARGET/…; needs the zstd program for zstd's
"""
import bz2
import gzip
import io
import lzma
import os
import struct
import subprocess
import sys
import tarfile

A, B = "a" * 64, "0123456789abcdef" * 4
ENTRY, PROGRESS, END, ERROR = 1, 2, 3, 4
FILE, DIR, SYMLINK, HARDLINK, CHARDEV, BLOCKDEV, FIFO, SOCKET = range(1, 9)


def control():
    fetch = (f"http://h/a.tar.gz {A} name\n", f"https://u:p@h:8/x/b.tar.zst?q=1 sha256:{A.upper()}\n",
             f"http://h/a.txz\t{A}\n\n  \nhttp://[::1]/b.tbz2 {B} b\n", f"http://h/a {A}")
    yield from (b"\0" + f.encode() for f in fetch)
    for file in range(1, 6):
        yield bytes([file]) + b"alpha-1.2_3\n"
    yield b"\6run\n"
    yield b"\6 dry-run \n"


def text():
    yield b"plain"
    yield "caf\u00e9 \t\n\r\"\\\x7f\x1b[31m".encode()
    yield from (b"10G", b"500ms", b"max", b"checksum-mismatch", b"9223372036854775807K")


def http_header():
    values = ((0, "12345"), (0, "0018446744073709551616"), (1, "bytes 0-9/100"), (1, "bytes 5-9/*"),
              (2, '"abc-1"'), (2, 'W/"abc"'), (3, "120"), (3, "Wed, 21 Oct 2026 07:28:00 GMT"))
    yield from (bytes([which]) + value.encode() for which, value in values)


def http_url():
    first = "http://canary1:secret1@host.example:8080/a/b.tar?token#frag"
    locations = ("/c", "d", "//other.example/c", "http://host.example:8080/c", "https://host.example/",
                 "http://canary2:secret2@other.example/c", "file:///etc/passwd", "?x", "../..",
                 "http:/x", "HTTP://HOST.example:8080/c", "\\\\other.example\\c", "http://other.example@host.example/")
    yield first.encode()
    for location in locations:
        yield f"{first}\n{location}\n/last".encode()
    yield b"https://user:pass@host.example/\nhttps://host.example:443/x\nhttp://host.example/"
    yield b"http://[fe80::1]:80/\n//[::1]/"
    yield b"http://us%40er:pa%3ass@host.example/"
    yield b"http://one@two@host.example/"


def record(kind, type_=0, path=b"", target=b"", xattrs=b"", mode=0o644, offset=0, size=0, error=0):
    strings = path + target + xattrs
    head = struct.pack("=IIHHIIIIIqIIIIQQQII", 0x696d6701, 88 + len(strings), kind, type_, mode, 0,
                       0, 0, 0, 1700000000, 5, len(path), len(target), len(xattrs), offset, size,
                       10, error, 0)
    head += b"\0" * (88 - len(head))
    return head + strings


def xattr(name, value):
    return struct.pack("=HH", len(name), len(value)) + name + value


def wire():
    tree = (record(ENTRY, DIR, b"./", mode=0o755) + record(ENTRY, DIR, b"etc/")
            + record(ENTRY, FILE, b"etc/f", offset=4096, size=10, xattrs=xattr(b"user.a", b"b"))
            + record(ENTRY, SYMLINK, b"l", b"../etc/f") + record(ENTRY, HARDLINK, b"h", b"etc/f")
            + record(PROGRESS, mode=0) + record(ENTRY, CHARDEV, b"dev/null")
            + record(ENTRY, FIFO, b"x/y/z", mode=0o4777) + record(END, mode=0))
    for first in range(4):
        yield bytes([first]) + tree
    yield b"\0" + record(ERROR, path=b"it went wrong", mode=3, error=5)
    yield b"\0" + record(ENTRY, FILE, b"../x")
    yield b"\1" + record(ENTRY, DIR, b"a", xattrs=xattr(b"trusted.overlay.opaque", b"y"))
    yield b"\0" + tree[:100]


def entry(type_, path, target=None, xattrs=None, numbers=None):
    out = bytes([(type_ - 1) | (0x80 if xattrs else 0) | (0x40 if numbers else 0)])
    out += bytes([len(path)]) + path
    if target is not None:
        out += bytes([len(target)]) + target
    if xattrs:
        out += bytes([len(xattrs)])
        for name, size in xattrs:
            out += bytes([len(name)]) + name + struct.pack("<H", size)
    return out + (numbers or b"")


def policy():
    numbers = struct.pack("<HBBBB", 0o4755, 0, 1, 2, 3)
    tree = (entry(DIR, b"./a") + entry(FILE, b"a/b", numbers=numbers + bytes([10, 0, 1, 12]))
            + entry(SYMLINK, b"a/s", b"../../up") + entry(HARDLINK, b"h", b"a/b")
            + entry(HARDLINK, b"h2", b"a/s") + entry(FIFO, b"x/y/z") + entry(HARDLINK, b"p", b"x/y/z")
            + entry(DIR, b"h") + entry(FILE, b"h") + entry(SYMLINK, b"abs", b"/etc/passwd"))
    for first in range(4):
        yield bytes([first]) + struct.pack("<HBB", 30, 200, 250) + tree
    head = b"\0\0\0\0\0"
    yield head + entry(DIR, b"d", xattrs=[(b"user.a", 3), (b"security.capability", 20), (b"user.overlay.x", 1)])
    yield b"\1" + head[1:] + entry(CHARDEV, b"c", xattrs=[(b"trusted.x", 3), (b"user.y", 3)])
    yield head + entry(FILE, b"a/../b")
    yield head + entry(SYMLINK, b"l", b"/") + entry(FILE, b"l/f")
    yield head + bytes([0, 0xff, 2, 0xff, 0x07]) + b"a/"  # a/ 2,047 times
    yield head + bytes([0, 0xff, 1, 0x00, 0x01]) + b"n"  # a name of 256


def archive(members, format_=tarfile.PAX_FORMAT, pax=None):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_, pax_headers=pax) as tar:
        for name, type_, value in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime = type_, 0o755, 1700000000.5 if pax else 1700000000
            if type_ == tarfile.REGTYPE:
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value))
                continue
            if type_ in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = value
            elif isinstance(value, dict):
                info.pax_headers = value
            tar.addfile(info)
    return out.getvalue()


def trim(data):
    """An archive's two last blocks of zeros, and not the twenty of its record."""
    return data.rstrip(b"\0").ljust((len(data.rstrip(b"\0")) + 511) // 512 * 512, b"\0") + bytes(1024)


MEMBERS = [("./", tarfile.DIRTYPE, None), ("etc/f", tarfile.REGTYPE, b"hello\n"),
           ("l", tarfile.SYMTYPE, "../x"), ("h", tarfile.LNKTYPE, "etc/f"),
           ("null", tarfile.CHRTYPE, None), ("p", tarfile.FIFOTYPE, None),
           ("empty", tarfile.REGTYPE, b"")]
LONG = [("d/" * 60 + "f", tarfile.REGTYPE, b"x"), ("s", tarfile.SYMTYPE, "t/" * 80)]


def pax_block(records, name=b"f", size=5, body=b"12345"):
    """A pax header with these records, made by hand, then a file."""
    text = b""
    for key, value in records:
        n = len(key) + len(value) + 3
        while len(str(n)) + len(key) + len(value) + 3 != n:
            n = len(str(n)) + len(key) + len(value) + 3
        text += str(n).encode() + b" " + key + b"=" + value + b"\n"
    return header(b"pax", b"x", len(text)) + pad(text) + header(name, b"0", size) + pad(body) + bytes(1024)


def pad(data):
    return data + bytes(-len(data) % 512)


def header(name, type_, size, link=b"", magic=b"ustar\00000", rest=b""):
    h = bytearray(512)
    h[:len(name)] = name
    h[100:108], h[108:116], h[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    h[124:136], h[136:148] = b"%011o\0" % size, b"14523207400\0"
    h[156:157] = type_
    h[157:157 + len(link)] = link
    h[257:265] = magic
    h[345:345 + len(rest)] = rest
    h[148:156] = b" " * 8
    h[148:156] = b"%06o\0 " % sum(h)
    return bytes(h)


def tar():
    for format_ in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield trim(archive(MEMBERS, format_))
    yield trim(archive(LONG, tarfile.GNU_FORMAT))
    yield trim(archive(LONG, tarfile.PAX_FORMAT))
    yield trim(archive(MEMBERS[1:2], pax={"comment": "global"}))
    yield pax_block([(b"SCHILY.xattr.user.a", b"b\0c"), (b"LIBARCHIVE.xattr.user.b", b"Yg=="),
                     (b"mtime", b"1.5"), (b"uid", b"4294967294"), (b"path", "caf\u00e9".encode())])
    yield pax_block([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
                     (b"GNU.sparse.name", b"sp"), (b"GNU.sparse.realsize", b"100000")],
                    size=1024, body=pad(b"1\n8192\n512\n") + b"z" * 512)
    yield pax_block([(b"GNU.sparse.size", b"9000"), (b"GNU.sparse.numblocks", b"1"),
                     (b"GNU.sparse.offset", b"4096"), (b"GNU.sparse.numbytes", b"5")])
    yield pax_block([(b"GNU.sparse.map", b"0,2,8000,3"), (b"GNU.sparse.size", b"8003")])
    old = bytes(41) + b"%011o\0%011o\0" % (4096, 5) + bytes(72) + b"\0" + b"%011o\0" % 9000
    yield header(b"oldsparse", b"S", 5, magic=b"ustar  \0", rest=old) + pad(b"12345") + bytes(1024)
    yield pax_block([(b"SCHILY.acl.access", b"user::rw-,group::r--,other::r--"),
                     (b"linkpath", b"x"), (b"size", b"5"), (b"SCHILY.devmajor", b"1")])
    yield header(b"v7", b"\0", 3, magic=bytes(8)) + pad(b"abc") + bytes(1024)
    yield header(b"dir/", b"0", 0) + header(b"c", b"7", 3) + pad(b"abc") + bytes(1024)
    yield header(b"vol", b"V", 0, magic=b"ustar  \0") + header(b"M", b"M", 0) + bytes(1024)
    yield bytes(1024)
    yield from compressed(trim(archive(MEMBERS, tarfile.USTAR_FORMAT)))


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


def compressed(data):
    yield gzip.compress(data, mtime=0)
    yield zstd(data)
    yield lzma.compress(data)
    yield bz2.compress(data)


TEXT = b"".join(b"line %d of a text that repeats itself\n" % i for i in range(60))
NOISE = bytes((i * 2654435761 >> 13) & 0xff for i in range(700))


def gzip_streams():
    for data in (b"", TEXT, NOISE):
        yield gzip.compress(data, mtime=0)
    yield gzip.compress(TEXT, compresslevel=1, mtime=5) + gzip.compress(NOISE, mtime=0)
    yield gzip.compress(NOISE, compresslevel=0, mtime=0)
    plain = gzip.compress(b"abc", mtime=0)
    yield plain[:3] + b"\x1c" + plain[4:10] + b"\2\0xy" + b"name\0" + b"comment\0" + plain[10:]
    yield gzip.compress(bytes(3_000_000), mtime=0)


def zstd_streams():
    yield zstd(b"")
    yield zstd(TEXT, "--check")
    yield zstd(NOISE, "--no-check")
    yield zstd(TEXT, "-19") + b"\x50\x2a\x4d\x18\3\0\0\0abc" + zstd(NOISE)
    yield zstd(TEXT * 30, "--ultra", "-22", "--long=27")
    yield zstd(bytes(3_000_000))


def xz_streams():
    for check in (lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256):
        yield lzma.compress(TEXT, check=check)
    for filters in ([{"id": lzma.FILTER_DELTA, "dist": 4}], [{"id": lzma.FILTER_X86}]):
        yield lzma.compress(NOISE, filters=filters + [{"id": lzma.FILTER_LZMA2, "preset": 0}])
    yield lzma.compress(b"") + bytes(4) + lzma.compress(TEXT)
    yield lzma.compress(bytes(3_000_000))


def bzip2_streams():
    for data in (b"", TEXT, NOISE):
        yield bz2.compress(data, 1)
    yield bz2.compress(TEXT) + bz2.compress(NOISE)
    yield bz2.compress(bytes(3_000_000))


def recovery():
    yield b"id match\n"
    row = "row name=alpha|state=%s|sha256=@A|policy=%s"
    layer = "dir overlays/alpha\ndir overlays/alpha/upper\nfile overlays/alpha/upper/kept data\n"
    for state in ("NEW", "DOWNLOADING", "DOWNLOADED", "UNPACKING", "UNPACKED", "STORED",
                  "ACTIVATING", "ACTIVE", "FAILED"):
        for policy_ in ("strict", "faithful"):
            yield ("id match\n" + row % (state, policy_) + "\n" + layer).encode()
    yield ("id match\n" + row % ("ACTIVE", "strict") + "\ndir images/@A\ndir images/@A/rootfs\n"
           "file images/@A/info size 5\nfile blobs/@A.tar.gz xyz\ndir active/alpha\n" + layer).encode()
    yield (b"id match\nfile blobs/@A.part xyz\nfile blobs/@B.tar q\ndir images/@A.part\n"
           b"dir images/@A.part/rootfs\ndir overlays/gone\ndir overlays/gone/upper\nlink active/x ../../outside\n")
    yield b"id other\nfile overlays/x y\n"
    yield b"id none\nlink overlays/alpha ../../outside\nlink blobs/@A.part ../../outside/file\n"
    yield b"id match\nfile active x\nfifo blobs/@A.part\n"
    yield b"id match\ndir overlays/.probe\ndir overlays/.trash-1\nfile images/.trash-2-3 x\n"
    yield b"id match\nrow name=..|state=ACTIVE|sha256=@A|policy=strict\n"
    yield b"id match\nrow name=a|state=STORED|sha256=zz|policy=strict|url=ftp://x\n"
    yield b"id match\npatch 18 02\npatch 100 ffff\n"
    yield b"id match\ncut 512\n"
    yield b"id link\nrow name=a|state=DOWNLOADING|sha256=@B|policy=strict|next_retry=99999999999999\n"


TARGETS = {"control": control, "text": text, "http_header": http_header, "http_url": http_url,
           "wire": wire, "policy": policy, "tar": tar, "gzip": gzip_streams,
           "gzip_zlib": gzip_streams, "zstd": zstd_streams, "xz": xz_streams,
           "bzip2": bzip2_streams, "recovery": recovery}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for target, seeds in TARGETS.items():
        folder = os.path.join(sys.argv[1], target)
        os.makedirs(folder, exist_ok=True)
        for number, data in enumerate(seeds()):
            with open(os.path.join(folder, f"seed-{number:02}"), "wb") as f:
                f.write(data)


main()
