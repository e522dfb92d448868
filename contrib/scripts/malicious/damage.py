"""What is no archive, or no whole one: formats, compression, header damage."""
import random

from cases import CORRUPT, F, NO_TAR, SOUND, active, either, failed, simple, text
from tarbytes import Tar, bzip2, gz, gz_zeros, seal, xz, xz_dictionary, zst

NO_IMAGE = failed("unsupported-format", "corrupt-archive")


def noise(n, seed=1):
    return random.Random(seed).randbytes(n)


def small():
    return Tar().file("f", noise(20000)).file("g", b"end\n").end()


# Other formats: none is read, whatever else a library could read

FORMATS = {"empty": b"", "noise": noise(4096), "text": b"no archive\n" * 100,
           "html": b"<html><body>Sign in</body></html>\n", "zip": b"PK\x03\x04" + bytes(200),
           "7z": b"7z\xbc\xaf\x27\x1c" + bytes(200), "rar": b"Rar!\x1a\x07\x00" + bytes(200),
           "cpio": b"070701" + b"0" * 104 + b"../pwned\0", "ar": b"!<arch>\n" + b"x" * 200,
           "mtree": b"#mtree\n./f type=file contents=/etc/passwd\n",
           "cab": b"MSCF" + bytes(200), "iso": bytes(32769) + b"CD001\x01" + bytes(4096),
           "grzip": b"GRZipII\x00\x02\x04:)" + bytes(500), "lrzip": b"LRZI" + bytes(500),
           "compress": b"\x1f\x9d\x90" + noise(500), "lz4": b"\x04\x22\x4d\x18" + noise(500),
           "lzip": b"LZIP\x01" + noise(500), "lzma": b"\x5d\x00\x00\x80\x00" + bytes(500),
           "uu": b"begin 644 x\n" + b"M" + b"`" * 60 + b"\n`\nend\n", "one-byte": b"x",
           "sh": b"#!/bin/sh\ntouch /tmp/pwned\n", "block": noise(512)}
for key, data in FORMATS.items():
    # What begins with zeros is a tar of nothing.
    due = either(active(entries=0), NO_IMAGE) if data[:512] == bytes(512) else NO_IMAGE
    simple("fmt-%s.tar" % key, due, lambda data=data: data)
    if data:
        simple("fmt-%s.tar.gz" % key, due, lambda data=data: gz(data))
simple("fmt-zeros.tar", either(active(entries=0), NO_IMAGE), lambda: bytes(10240))
simple("fmt-v7.tar", active({"f": F}), lambda: Tar().file("f", magic=bytes(8)).end())

# Compression

PACK = {"gz": gz, "xz": xz, "zst": zst, "bz2": bzip2}
for ext, pack in PACK.items():
    simple("cmp-good.tar." + ext, active({"f": F, "g": text("end\n")}, entries=2),
           lambda pack=pack: pack(small()))
    for percent in (1, 10, 50, 90, 99):
        simple("cmp-cut-%d.tar.%s" % (percent, ext), NO_IMAGE, lambda pack=pack, percent=percent:
               (lambda d: d[:len(d) * percent // 100])(pack(small())))
    simple("cmp-twice.tar." + ext, NO_TAR, lambda pack=pack: pack(pack(small())))
    if ext != "zst":  # these frames have no checksum
        simple("cmp-flip.tar." + ext, CORRUPT, lambda pack=pack: (
            lambda d: d[:len(d) // 2] + bytes([d[len(d) // 2] ^ 4]) + d[len(d) // 2 + 1:])(
                pack(small())))
    simple("cmp-tail.tar." + ext, either(CORRUPT, active({"f": F})),
           lambda pack=pack: pack(small()) + noise(5000))
    simple("cmp-members.tar." + ext, active({"f": F, "g": F}, entries=2),
           lambda pack=pack: pack(small()[:7000]) + pack(small()[7000:]))
simple("cmp-gz-crc.tar.gz", CORRUPT, lambda: gz(small())[:-8] + b"abcd" + gz(small())[-4:])
simple("cmp-gz-length.tar.gz", CORRUPT, lambda: gz(small())[:-4] + b"abcd")
simple("cmp-gz-empty-members.tar.gz", either(active({"f": F}), CORRUPT),
       lambda: gz(b"") * 50000 + gz(small()))
simple("cmp-gz-extra.tar.gz", active({"f": F}), lambda: gz(small())[:3] + b"\x0c" +
       gz(small())[4:10] + b"\xff\xff" + noise(65535) + b"n" * 100000 + b"\0" + gz(small())[10:])
simple("cmp-gz-bomb-twice.tar.gz", NO_TAR, lambda: gz(gz_zeros(
    Tar().header("z", size=900 << 20).data, 900 << 20, bytes(1024))))
simple("cmp-xz-dictionary.tar.xz", failed("unsupported-format", "corrupt-archive"),
       lambda: xz_dictionary(small(), 40))
simple("cmp-xz-dictionary-64m.tar.xz", active({"f": F}), lambda: xz_dictionary(small(), 28))
simple("cmp-zst-window.tar.zst", failed("unsupported-format", "corrupt-archive"),
       lambda: zst(small(), head=b"\x00\xf8"))
simple("cmp-zst-window-64m.tar.zst", active({"f": F}), lambda: zst(small(), head=b"\x00\x80"))
simple("cmp-zst-one-segment.tar.zst", failed("unsupported-format", "corrupt-archive"),
       lambda: zst(small(), head=b"\xe0" + (1 << 40).to_bytes(8, "little")))
simple("cmp-zst-size-lie.tar.zst", CORRUPT,
       lambda: zst(small(), head=b"\xa0" + (5000).to_bytes(4, "little")))
simple("cmp-zst-dictionary.tar.zst", failed("unsupported-format", "corrupt-archive"),
       lambda: zst(small(), head=b"\x01\x58\x07"))
simple("cmp-zst-skippable.tar.zst", active({"f": F}), lambda: b"".join(
    b"\x50\x2a\x4d\x18\x04\0\0\0skip" for _ in range(10000)) + zst(small()))
simple("cmp-zst-reserved.tar.zst", CORRUPT, lambda: zst(small(), head=b"\x08\x58"))

# Headers

simple("hd-cut-header.tar", CORRUPT, lambda: Tar().file("f").header("g").data[:-200])
simple("hd-cut-body.tar", CORRUPT, lambda: Tar().file("f", noise(5000)).data[:2000])
simple("hd-no-end.tar", active({"f": F}), lambda: Tar().file("f").data)
simple("hd-one-end.tar", active({"f": F}), lambda: Tar().file("f").data + bytes(512))
simple("hd-after-end.tar", active({"f": F}, entries=1), lambda: Tar().file("f").end() +
       Tar().file("../pwned").end())
simple("hd-tail.tar", active({"f": F}, entries=1), lambda: Tar().file("f").end() + noise(65536))
simple("hd-sum.tar", NO_IMAGE, lambda: b"X" + Tar().file("f").end()[1:])
simple("hd-sum-mid.tar", CORRUPT, lambda: Tar().file("f").data + b"X" + Tar().file("g").end()[1:])
simple("hd-null-mid.tar", active({"f": F}, entries=1), lambda: Tar().file("f").bytes(bytes(512))
       .file("g").end())
for n, size in enumerate((-1, -(1 << 62), 1 << 63, 1 << 80, b"77777777777\0", b"99999999999\0",
                          b"-0000000001\0", b"           \0", b"\x80" + b"\xff" * 11)):
    simple("hd-size-%d.tar" % n, SOUND if size in (b"99999999999\0", b"           \0") else
           failed("corrupt-archive", "too-large-file", "unsupported-format"), lambda size=size: Tar().file("a")
           .header("f", size=size).bytes(bytes(512)).end())
for n, ids in enumerate(({"uid": -1}, {"gid": (1 << 32) - 1}, {"uid": 1 << 40})):
    simple("hd-owner-%d.tar" % n, either(CORRUPT, active()), lambda ids=ids: Tar().file("f", **ids).end())
for n, value in enumerate(("4294967295", "-1", "99999999999999999999", "x", "")):
    simple("hd-pax-uid-%d.tar" % n, either(CORRUPT, active({"f": F})),
           lambda value=value: Tar().pax(("uid", value)).file("f").end())
for n, value in enumerate(("nan", "1e300", "-1", "9" * 30, "", "1.", ".5", "-9223372036854775808",
                           "1.99999999999999")):
    simple("hd-mtime-%d.tar" % n, either(CORRUPT, active({"f": F})),
           lambda value=value: Tar().pax(("mtime", value)).file("f").end())
for n, value in enumerate(("-1", "9" * 30, "x", "", "0x10", "104857601")):
    simple("hd-pax-size-%d.tar" % n, either(failed("corrupt-archive", "too-large-file"),
                                            active()) if value in ("x", "", "0x10") else
           failed("corrupt-archive", "too-large-file"),
           lambda value=value: Tar().pax(("size", value)).file("f").end())
for n, bad in enumerate((b"path=x\n", b"0 path=x\n", b"99 path=x\n", b"-9 path=x\n", b"5 =x\n",
                         b"10 path=xyz", b"9 path=xyz\n", b"7 path\n", b"1\n", b" 9 path=x\n",
                         b"99999999999999999999999 path=x\n", b"+9 path=x\n", b"\n", b"8 path=x")):
    simple("hd-pax-record-%d.tar" % n, CORRUPT,
           lambda bad=bad: Tar().records(bad).file("f").end())
simple("hd-pax-size-on-long.tar", CORRUPT, lambda: Tar().pax(("size", "1024")).gnu(b"L", "name")
       .file("f", b"x" * 1024).end())
simple("hd-pax-size-twice.tar", CORRUPT, lambda: Tar().pax(("size", "2")).pax(("mtime", "1"))
       .file("f").end())
simple("hd-inner.tar", active({"inner.tar": F, "after": F, "pwned": None}, entries=2),
       lambda: (lambda inner: Tar().pax(("size", "%d" % len(inner))).header("inner.tar", size=0)
                .bytes(inner).file("after").end())(Tar().file("pwned").end()))
simple("hd-inner-other.tar", SOUND,
       lambda: (lambda inner: Tar().pax(("size", "0")).header("inner.tar", size=len(inner))
                .bytes(inner).file("after").end())(Tar().file("pwned").end()))
simple("hd-long-at-end.tar", CORRUPT, lambda: Tar().file("f").gnu(b"L", "name").end())
simple("hd-pax-at-end.tar", CORRUPT, lambda: Tar().file("f").pax(("path", "x")).end())
simple("hd-only-pax.tar", CORRUPT, lambda: Tar().pax(("path", "x"), kind=b"g").end())
simple("hd-long-empty.tar", SOUND, lambda: Tar().header("L", kind=b"L", size=0).file("f").end())
simple("hd-long-nul.tar", active({"short": F}), lambda: Tar().gnu(b"L", b"short\0long").file("f").end())
for kind in "ADMNVS":
    simple("hd-kind-%s.tar" % kind, SOUND, lambda kind=kind: Tar().file("a").header(
        "k", kind=kind.encode()).file("b").end())
    simple("hd-kind-body-%s.tar" % kind, SOUND, lambda kind=kind: Tar().file("a").header(
        "k", kind=kind.encode(), size=100).bytes(bytes(512)).file("b").end())
simple("hd-kind-unknown.tar", SOUND, lambda: Tar().file("a").header("k", kind=b"~").end())
simple("hd-mode-bits.tar", active({"f": dict(F, mode=0o755)}, entries=1),
       lambda: Tar().file("f", mode=0o147777).end(), active({"f": dict(F, mode=0o7777)}))
simple("hd-size-on-dir.tar", SOUND, lambda: Tar().dir("d", size=512).bytes(bytes(512)).file("f").end())
simple("hd-size-on-sym.tar", SOUND, lambda: Tar().sym("l", "x", size=512).file("f").end())

# Flipped at random: any verdict, but one
for seed in range(60):
    def flipped(seed=seed):
        r = random.Random(seed)
        d = bytearray(Tar().pax(("path", "long/name"), ("SCHILY.xattr.user.a", "b")).file("f")
                      .dir("d").sym("d/l", "../f").hard("h", "long/name").gnu(b"L", "n" * 120)
                      .file("n", noise(700)).end())
        for _ in range(r.choice((1, 2, 20))):
            at = r.randrange(len(d) - 1024)
            d[at] = r.randrange(256)
            if r.random() < .7:  # a checksum that holds lets the damage in
                block = at // 512 * 512
                if bytes(d[block + 257:block + 262]) == b"ustar":
                    d[block:block + 512] = seal(d[block:block + 512])
        return bytes(d)
    simple("flip-%02d.tar" % seed, SOUND, flipped)
