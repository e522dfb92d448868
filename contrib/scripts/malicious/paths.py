"""Names: traversal, the root's entry, names that are odd, in the way, or made for terminals."""
from cases import CORRUPT, D, F, PATH, SOUND, active, case, either, failed, link, simple, text
from tarbytes import BLK, CHR, FIFO, HARD, SYM, Tar, pad

CANARY = "/tmp/imgstorefs-canary"


def named(name, **how):
    return lambda: Tar().file("before").file(name, **how).end()


# Traversal

for n, name in enumerate(("../x", "a/../../../x", "a/..", "..", "a/../b", "./../x", "a/./../x",
                          "a//..//x", "../" * 30 + "x")):
    simple("trav-dotdot-%d.tar" % n, PATH, named(name))
for n, name in enumerate((CANARY + "/pwned", "/", "//x", "/.", "/../x")):
    simple("trav-abs-%d.tar" % n, PATH, named(name))
simple("trav-dotdot-dir.tar", PATH, lambda: Tar().dir("..", mode=0o777).end())
simple("trav-dotdot-sym.tar", PATH, lambda: Tar().sym("a/../../l", "/").end())
simple("trav-dotdot-node.tar", PATH, lambda: Tar().node("../n", CHR, (1, 3)).end())
simple("trav-dot.tar", active({"x": F}), named(".//x"))
simple("trav-backslash.tar", active({"..\\..\\x": F}), named("..\\..\\x"))
simple("trav-percent.tar", active({"%2e%2e%2fx": F}), named("%2e%2e%2fx"))
simple("trav-lookalike.tar", active({"...": F, "..a": F, "a..": F, "..b/x": F}),
       lambda: Tar().file("...").file("..a").file("a..").file("..b/x").end())
simple("trav-prefix.tar", PATH, named("x", prefix="a/../.."))
simple("trav-prefix-abs.tar", PATH, named("x", prefix="/tmp"))
simple("trav-gnu-long.tar", PATH, lambda: Tar().gnu(b"L", "../" * 50 + "x").file("ok").end())
simple("trav-pax.tar", PATH, lambda: Tar().pax(("path", "../x")).file("ok").end())
simple("trav-pax-last.tar", PATH,
       lambda: Tar().pax(("path", "ok"), ("path", "../x")).file("ok").end())
simple("trav-pax-first.tar", active({"ok": F}),
       lambda: Tar().pax(("path", "../x"), ("path", "ok")).file("no").end())
simple("trav-pax-global.tar", either(PATH, active({"ok": F})),
       lambda: Tar().pax(("path", "../x"), kind=b"g").file("ok").end())
simple("trav-sun.tar", PATH, lambda: Tar().pax(("path", "../x"), kind=b"X").file("ok").end())
simple("trav-hdrcharset.tar", PATH, lambda: Tar().pax(
    ("hdrcharset", "BINARY"), ("path", b"../\xff")).file("ok").end())


@case("trav-sparse-name.tar", PATH)
def _():
    t = Tar().pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("path", "ok"),
                  ("GNU.sparse.name", "../x"), ("GNU.sparse.realsize", "1"))
    return t.file("ok", pad(b"1\n0\n1\n") + b"x").end()


for n, key in enumerate(("path", "linkpath", "GNU.sparse.name", "uname", "gname")):
    simple("trav-nul-%d.tar" % n, CORRUPT,
           lambda key=key: Tar().pax((key, b"ok\0/../../x")).sym("ok", "t").end())
simple("trav-nul-second.tar", CORRUPT,
       lambda: Tar().file("a").pax(("mtime", "1"), ("path", b"b\0c")).file("b").end())
simple("trav-nul-key.tar", CORRUPT, lambda: Tar().pax((b"SCHILY.xattr.user.a\0b", "1"))
       .file("a").end())
simple("trav-nul-value.tar", active({"a": dict(F, xattrs={"user.a": "x\0y"})}),
       lambda: Tar().pax(("SCHILY.xattr.user.a", b"x\0y")).file("a").end())

# The root's own entry

for n, kind in enumerate((SYM, HARD, CHR, BLK, FIFO, b"0")):
    for m, name in enumerate((".", "./", "././.")):
        simple("root-%d-%d.tar" % (n, m), either(PATH, CORRUPT, failed("unsafe-link"),
                                                 active({}, entries=1)) if kind == b"0"
               else failed("unsafe-path", "unsafe-link", "corrupt-archive"),
               lambda kind=kind, name=name: Tar().header(name, kind, link=CANARY)
               .file("pwned").end())
simple("root-dir.tar", active({"": dict(D, mode=0o755), "x": F}, entries=1),
       lambda: Tar().dir("./", mode=0o777).file("./x").end(),
       active({"": dict(D, mode=0o777), "x": F}, entries=1))
simple("root-closed.tar", active({"": dict(D, mode=0o700)}, entries=1),
       lambda: Tar().dir(".", mode=0).file("x").end(), active({"": dict(D, mode=0)}, entries=1))
simple("root-twice.tar", active({"": dict(D, mode=0o750)}, entries=1),
       lambda: Tar().dir(".", mode=0o755).file("x").dir(".", mode=0o750).end())

# Odd names: kept to the byte

ODD = {"newline": "a\nb", "return": "a\rb", "escape": "\x1b[2Ja", "bell": "\x07", "delete": "\x7f",
       "tab": "\t", "space": " ", "latin1": "caf\udce9", "utf8": "caf\u00e9", "nfd": "cafe\u0301",
       "bidi": "\u202egnp.exe", "overlong": "\udcc0\udcaf", "dash": "-rf", "star": "*",
       "quote": "'\"`$(x)", "unlinked": ".trash-1", "part": "x.part"}
for key, name in ODD.items():
    simple("nm-%s.tar" % key, active({name: F}, entries=2),
           lambda name=name: Tar().file("before").file(name).end())
    simple("nm-pax-%s.tar" % key, either(active({name: F}, entries=1), CORRUPT),
           lambda name=name: Tar().pax(("path", name)).file("b").end())
    # The same in an error: one line, of printable characters.
    simple("nm-bad-%s.tar" % key, PATH, lambda name=name: Tar().file(name + "/../../x").end())
    simple("nm-link-%s.tar" % key, active({"l": link(name)}, entries=1),
           lambda name=name: Tar().sym("l", name).end())
simple("nm-error-line.tar", PATH,
       lambda: Tar().file("x\nACTIVE\n\x1b]0;pwned\x07/../y").end())
simple("nm-long-bad.tar", PATH, lambda: Tar().gnu(b"L", "\n" * 3000 + "/../x").file("x").end())
simple("nm-engine.tar", active({n: F for n in ("state", "error", "rootfs", "upper", "work",
                                               "merged", "info", "data")}, entries=8),
       lambda: Tar().file("state").file("error").file("rootfs").file("upper").file("work")
       .file("merged").file("info").file("data").end())
simple("nm-empty.tar", SOUND, lambda: Tar().file("").end())
simple("nm-pax-empty.tar", SOUND, lambda: Tar().pax(("path", "")).file("").file("x").end())
simple("nm-slash-file.tar", active({"a": D}), lambda: Tar().header("a/", size=0).end())
simple("nm-slashes.tar", active({"a/b/c": F}, entries=4), named("a//b///c"))
simple("nm-hdrcharset.tar", active({"caf\udce9": F}, entries=1), lambda: Tar().pax(
    ("hdrcharset", "BINARY"), ("path", b"caf\xe9")).file("x").end())

# Order: the later entry of a path replaces the earlier

simple("od-file-file.tar", active({"a": text("2\n")}, entries=1),
       lambda: Tar().file("a", b"1\n").file("a", b"2\n").end())
simple("od-file-dir.tar", active({"a": D, "a/x": F}, entries=2),
       lambda: Tar().file("a").dir("a").file("a/x").end())
simple("od-dir-file.tar", active({"a": F}, entries=1),
       lambda: Tar().dir("a").file("a").end())
simple("od-full-dir-file.tar", either(PATH, CORRUPT, active({"a": F}, entries=1)),
       lambda: Tar().dir("a").file("a/x").file("a").end())
simple("od-full-dir-sym.tar", either(PATH, CORRUPT, active({"a": link("/")}, entries=1)),
       lambda: Tar().dir("a").file("a/x").sym("a", "/").end())
simple("od-implied-file.tar", either(PATH, CORRUPT, active({"a": F}, entries=1)),
       lambda: Tar().file("a/x").file("a").end())
simple("od-under-file.tar", PATH, lambda: Tar().file("a").file("a/x").end())
simple("od-dir-dir.tar", active({"a": dict(D, mode=0o700), "a/x": F}, entries=2),
       lambda: Tar().dir("a", mode=0o755).file("a/x").dir("a", mode=0o700).end())
simple("od-closed.tar", active({"a": dict(D, mode=0o700), "a/b/x": F}, entries=3),
       lambda: Tar().dir("a", mode=0).dir("a/b", mode=0).file("a/b/x").end(),
       active({"a": dict(D, mode=0), "a/b/x": F}, entries=3))
simple("od-case.tar", active({"Dir/x": F, "dir": link("/")}, entries=3),
       lambda: Tar().dir("Dir").sym("dir", "/").file("Dir/x").end())
simple("od-implied.tar", active({"a": dict(D, mode=0o755), "a/b": dict(D, mode=0o755)}, entries=3),
       lambda: Tar().file("a/b/c").end())
