"""Limits, each at its bound and one over; bombs; sparse maps; headers without end. The test's
daemon runs with max_total_size=160M, and the rest as it is by default."""
from cases import BIG, CORRUPT, D, F, MANY, PATH, TOTAL, active, case, either, failed, simple
from tarbytes import BLOCK, FIFO, Tar, gz, gz_zeros, number, pad, seal, zst

MIB = 1 << 20


def zeros(*sizes):
    def make():
        pieces = []
        for n, size in enumerate(sizes):
            pieces += [Tar().header("z%d" % n, size=size).data, size + -size % 512]
        return zst(*[p for p in pieces if p], Tar().end())
    return make


simple("lim-file.tar.zst", active({"z0": dict(F, size=100 * MIB)}), zeros(100 * MIB))
simple("lim-file-over.tar.zst", BIG, zeros(100 * MIB + 1))
simple("lim-total.tar.zst", active({"z1": dict(F, size=60 * MIB)}), zeros(100 * MIB, 60 * MIB))
simple("lim-total-over.tar.zst", TOTAL, zeros(100 * MIB, 60 * MIB, 1))
simple("lim-total-6g.tar.zst", TOTAL, zeros(*[100 * MIB] * 61))
simple("lim-total-gz.tar.gz", TOTAL, lambda: gz_zeros(
    Tar().header("a", size=90 * MIB).data, 90 * MIB,
    Tar().header("b", size=90 * MIB).data))


def many(n, add):
    def make():
        t = Tar()
        for i in range(n):
            add(t, i)
        return gz(t.end(), 1)
    return make


KINDS = {"files": lambda t, i: t.header("f%d" % i), "dirs": lambda t, i: t.dir("d%d" % i),
         "syms": lambda t, i: t.sym("s%d" % i, "x"),
         "hard": lambda t, i: t.hard("h%d" % i, "f") if i else t.header("f"),
         "fifos": lambda t, i: t.node("n%d" % i, FIFO), "same": lambda t, i: t.header("f")}
for key, add in KINDS.items():
    simple("lim-%s.tar.gz" % key, active(), many(10000, add))
    simple("lim-%s-over.tar.gz" % key, MANY, many(10001, add))


def deep(files, levels=1999):
    """Each file implies that many directories."""
    def make():
        t = Tar()
        for n in range(files):
            t.pax(("path", "%d/" % n + "d/" * (levels - 1) + "f")).file("f")
        return gz(t.end(), 1)
    return make


simple("lim-implied.tar.gz", active(entries=10000), deep(5))
simple("lim-implied-over.tar.gz", MANY, deep(5, 2000))
simple("lim-implied-114000.tar.gz", MANY, deep(57, 2000))
simple("lim-name-255.tar", active({"n" * 255: F, "d" * 255: D}),
       lambda: Tar().gnu(b"L", "n" * 255).file("n").gnu(b"L", "d" * 255).dir("d").end())
simple("lim-name-256.tar", PATH, lambda: Tar().gnu(b"L", "n" * 256).file("n").end())
simple("lim-name-256-implied.tar", PATH,
       lambda: Tar().pax(("path", "n" * 256 + "/f")).file("n").end())
simple("lim-path-4095.tar", active({"/".join("d" * 2048): F}, entries=2048),
       lambda: Tar().pax(("path", "/".join("d" * 2048))).file("n").end())
simple("lim-path-4096.tar", PATH,
       lambda: Tar().pax(("path", "/".join("d" * 2047) + "/dd")).file("n").end())
simple("lim-path-20k.tar", PATH, lambda: Tar().pax(("path", "/".join("d" * 10000))).file("n").end())
simple("lim-link-4096.tar", failed("unsafe-path", "unsafe-link"),
       lambda: Tar().file("f").pax(("linkpath", "/".join("d" * 2049))).hard("h", "f").end())

# xattrs of one entry: names and values together


def xattrs(kind, total, name="user.a"):
    value = "v" * (total - len(name))

    def make():
        t = Tar().pax(("SCHILY.xattr." + name, value))
        return (t.dir("e") if kind == "dir" else t.file("e")).end()
    return make


for kind in ("file", "dir"):
    simple("lim-xattr-%s.tar" % kind, active(
        {"e": {"type": kind, "xattrs": {"user.a": "v" * 3066}}}), xattrs(kind, 3072))
    simple("lim-xattr-%s-over.tar" % kind, BIG, xattrs(kind, 3073))
simple("lim-xattr-left-out.tar", BIG, xattrs("file", 3073, "trusted.overlay.x"))
simple("lim-xattr-900k.tar.gz", BIG, lambda: gz(xattrs("file", 900000)()))
simple("lim-xattr-5000.tar.gz", BIG, lambda: gz(Tar().pax(
    *[("SCHILY.xattr.user.%d" % n, "v") for n in range(5000)]).file("f").end()))

# Headers without end


def claims(kind, size):
    return lambda: zst(Tar().header("pax", kind=kind, size=size).data, size, Tar().file("f").end())


# Nothing of a tar was seen before, for some.
ENDLESS = failed("corrupt-archive", "unsupported-format")
for key, kind in {"x": b"x", "g": b"g", "L": b"L", "K": b"K"}.items():
    simple("lim-header-%s-400m.tar.zst" % key, ENDLESS, claims(kind, 400 * MIB))
    simple("lim-header-%s-8e.tar" % key, ENDLESS, lambda kind=kind:
           Tar().header("pax", kind=kind, size=(1 << 62)).file("f").end())
    simple("lim-header-%s-many.tar.gz" % key, ENDLESS, lambda kind=kind: gz(
        (Tar().pax(("comment", "x"), kind=kind) if kind in b"xg" else
         Tar().gnu(kind, "x")).data * 50000 + Tar().file("f").end()))
simple("lim-header-1m.tar.gz", CORRUPT, lambda: gz(Tar().pax(
    ("comment", "c" * (MIB + 100))).file("f").end()))
simple("lim-header-64k.tar.gz", active({"f": F}), lambda: gz(Tar().pax(
    ("comment", "c" * 65536)).file("f").end()))
simple("lim-headers-all.tar.gz", either(CORRUPT, MANY), lambda: gz(
    (Tar().pax(("comment", "c" * 900000)).file("f").data * 80) + Tar().end(), 1))
simple("lim-tail.tar.zst", active({"f": F}), lambda: zst(Tar().file("f").end(), 8 * MIB))
simple("lim-tail-4g.tar.zst", CORRUPT, lambda: zst(Tar().file("f").end(), 4 << 30))
simple("lim-skipped-4g.tar.zst", failed("corrupt-archive", "too-large-file"), lambda: zst(
    Tar().node("n", b"3", (1, 3), size=4 << 30).data, 4 << 30, Tar().file("f").end()))

# Sparse files: counted by logical size; a map that is no map


def pax01(size, regions, data, key="GNU.sparse.map"):
    pairs = [("GNU.sparse.size", "%d" % size), ("GNU.sparse.numblocks", "%d" % len(regions)),
             (key, ",".join("%d,%d" % r for r in regions))]
    return Tar().pax(*pairs).file("s", data).end()


def pax00(size, regions, data):
    pairs = [("GNU.sparse.size", "%d" % size), ("GNU.sparse.numblocks", "%d" % len(regions))]
    for at, n in regions:
        pairs += [("GNU.sparse.offset", "%d" % at), ("GNU.sparse.numbytes", "%d" % n)]
    return Tar().pax(*pairs).file("s", data).end()


def pax10(size, regions, data):
    lines = "%d\n" % len(regions) + "".join("%d\n%d\n" % r for r in regions)
    return Tar().pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
                     ("GNU.sparse.name", "s"), ("GNU.sparse.realsize", "%d" % size)).file(
                         "GNUSparseFile.0/s", pad(lines.encode()) + data).end()


def gnu(size, regions, data):
    h = bytearray(Tar().header("s", kind=b"S", size=len(data), magic=b"ustar  \0").data)
    for n, (at, length) in enumerate(regions[:4]):
        h[386 + 24 * n:410 + 24 * n] = number(at, 12) + number(length, 12)
    h[483:495] = number(size, 12)
    return Tar().bytes(seal(bytes(h[:BLOCK]))).bytes(pad(data)).end()


BAD_MAPS = {"overlap": (4096, [(0, 512), (256, 512)], 1024),
            "backward": (4096, [(2048, 512), (0, 512)], 1024),
            "beyond": (4096, [(4000, 512)], 512), "far": (4096, [((1 << 62) - 1, 512)], 512),
            "negative": (4096, [(-512, 512)], 512), "minus": (4096, [(0, -512)], 512),
            "longer": (4096, [(0, 4096)], 512)}
for key, make in {"00": pax00, "01": pax01, "10": pax10, "gnu": gnu}.items():
    simple("sparse-%s.tar" % key, active({"s": dict(F, size=100 * MIB)}, disk=2 * MIB),
           lambda make=make: make(100 * MIB, [(4096, 512), (100 * MIB, 0)], b"s" * 512))
    simple("sparse-%s-over.tar" % key, BIG,
           lambda make=make: make(100 * MIB + 1, [(4096, 512)], b"s" * 512))
    simple("sparse-%s-8e.tar" % key, failed("too-large-file", "corrupt-archive"),
           lambda make=make: make((1 << 62) + 5, [(4096, 512)], b"s" * 512))
    simple("sparse-%s-total.tar" % key, TOTAL, lambda make=make: b"".join(
        make(90 * MIB, [(4096, 512)], b"s" * 512)[:-1024] for _ in range(2)) + bytes(1024))
    for bad, (size, regions, n) in BAD_MAPS.items():
        simple("sparse-%s-%s.tar" % (key, bad), either(
            CORRUPT, BIG, active({"s": dict(F, size=size)}, disk=2 * MIB)),
            lambda make=make, size=size, regions=regions, n=n: make(size, regions, b"s" * n))
simple("sparse-00-map-1m.tar.gz", either(CORRUPT, BIG, active({"s": dict(F, size=4096)})),
       lambda: gz(pax01(4096, [(i, 0) for i in range(80000)], b"")))
simple("sparse-10-map-bomb.tar.zst", failed("corrupt-archive", "too-large-file"), lambda: zst(
    Tar().pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s"),
              ("GNU.sparse.realsize", "1")).header("s", size=40 << 20).data,
    b"4000000\n" + b"0\n" * 8000000, (40 << 20) - 16000008, Tar().end()))
simple("sparse-10-garbage.tar", CORRUPT, lambda: Tar().pax(
    ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s"),
    ("GNU.sparse.realsize", "9")).file("s", pad(b"not a number\n")).end())


@case("sparse-gnu-chain.tar.gz", failed("corrupt-archive", "too-large-file"))
def _():
    """Old GNU: an extension block that always promises another one."""
    h = bytearray(Tar().header("s", kind=b"S", size=0, magic=b"ustar  \0").data)
    h[482] = 1
    h[483:495] = number(1, 12)
    more = (number(0, 12) + number(0, 12)) * 21 + b"\x01" + bytes(7)
    return gz(seal(bytes(h[:BLOCK])) + more * 40000)
