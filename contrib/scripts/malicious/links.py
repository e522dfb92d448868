"""Symbolic and hard links that lead out, in circles, or to nothing."""
from cases import (CORRUPT, D, F, LINK, PATH, active, case, either, failed, link, simple, text)
from paths import CANARY
from tarbytes import CHR, FIFO, Tar, gz, zst

# Symlinks: data, never followed


def under(target, member="d/pwned"):
    return lambda: Tar().sym("d", target).file(member).end()


for n, target in enumerate((CANARY, "/", "/proc/self/root", "/proc/self/cwd", "/proc/self/fd/3",
                            "/dev/fd", "usr", ".", "d", "nothing")):
    simple("sym-write-%d.tar" % n, PATH, under(target))
    simple("sym-mkdir-%d.tar" % n, PATH, under(target, "d/new/deep/pwned"))
    simple("sym-keep-%d.tar" % n, active({"d": link(target)}, entries=1),
           lambda target=target: Tar().sym("d", target).end())
for n, (name, target, rises) in enumerate((
        ("l", "../../../etc/passwd", True), ("l", "..", False), ("l", "../x", False),
        ("l", "a/../../../x", True), ("a/l", "../../x", False), ("a/l", "../../../x", True),
        ("a/b/l", "../../../../x", True), ("a/l", "./.././../.././../x", True),
        ("l", "//../../x", False), ("l", "../" * 1300 + "x", True), ("l", "...//..././x", False))):
    kept = active({name: link(target)})
    simple("sym-climb-%d.tar" % n, LINK if rises else kept,
           lambda name=name, target=target: Tar().pax(("linkpath", target)).sym(name, "x").end(),
           kept)
simple("sym-K.tar", PATH, lambda: Tar().gnu(b"K", CANARY + "/" * 120).sym("d", "x")
       .file("d/pwned").end())
simple("sym-loop.tar", PATH, lambda: Tar().sym("a", "b").sym("b", "a").file("a/x").end())
simple("sym-loop-kept.tar", active({"a": link("b"), "b": link("a")}, entries=2),
       lambda: Tar().sym("a", "b").sym("b", "a").end())
simple("sym-in-sym.tar", PATH, lambda: Tar().sym("d", CANARY).sym("d/l", "x").end())
simple("sym-dir-in-sym.tar", PATH, lambda: Tar().sym("d", CANARY).dir("d/new").end())
simple("sym-node-in-sym.tar", PATH, lambda: Tar().sym("d", CANARY).node("d/n", FIFO).end())
simple("sym-file.tar", active({"f": text("mine\n")}, entries=1),
       lambda: Tar().sym("f", CANARY + "/victim.txt").file("f", b"mine\n").end())
simple("sym-fixup.tar", active({"d": link(CANARY + "/victim-dir")}, entries=1),
       lambda: Tar().dir("d", mode=0o777, mtime=1).sym("d", CANARY + "/victim-dir").end())
simple("sym-to-dir.tar", active({"d": D, "d/x": F}, entries=2),
       lambda: Tar().sym("d", CANARY).dir("d").file("d/x").end())
simple("sym-lib.tar", PATH, lambda: Tar().dir("usr/lib").sym("lib", "usr/lib")
       .file("lib/x.so").end())
simple("sym-acl.tar", active({"l": link(CANARY + "/victim.txt")}, entries=1),
       lambda: Tar().pax(("SCHILY.acl.access", "user::rwx,group::rwx,other::rwx"))
       .sym("l", CANARY + "/victim.txt").end())
simple("sym-xattr.tar", active({"l": dict(link(CANARY + "/victim.txt"), xattrs={})}, entries=1),
       lambda: Tar().pax(("SCHILY.xattr.user.a", "b"), ("SCHILY.xattr.security.x", "b"))
       .sym("l", CANARY + "/victim.txt").end(),
       active({"l": link(CANARY + "/victim.txt")}, entries=1))
simple("sym-empty.tar", CORRUPT, lambda: Tar().sym("l", "").end())
simple("sym-4095.tar", active({"l": link("t" * 4095)}, entries=1),
       lambda: Tar().pax(("linkpath", "t" * 4095)).sym("l", "x").end())
simple("sym-4096.tar", PATH, lambda: Tar().pax(("linkpath", "t" * 4096)).sym("l", "x").end())


@case("sym-hops.tar", failed("unsafe-path", "unsafe-link"))
def _():
    t, name = Tar(), "h"
    for _ in range(30):
        t.sym(name, "..")
        name += "/h"
    return t.file(name + "/pwned").end()


# Hard links: to what is in the image, and was before


def hard(target, **how):
    return lambda: Tar().file("before").hard("h", target, **how).end()


for n, target in enumerate(("../../../etc/passwd", "/etc/passwd", CANARY + "/victim.txt",
                            "nothing", "h", "before/x", "a/../before", "..")):
    simple("hl-out-%d.tar" % n, failed("unsafe-link", "unsafe-path"), hard(target))
simple("hl-empty.tar", failed("unsafe-link", "corrupt-archive"), hard(""))
simple("hl-root.tar", failed("unsafe-link", "corrupt-archive"), hard("."))
simple("hl-in.tar", active({"before": F, "h": {"same_as": "before"}}, entries=2), hard("./before"))
simple("hl-dir.tar", failed("unsafe-link", "corrupt-archive"),
       lambda: Tar().dir("d").hard("h", "d").end())
simple("hl-forward.tar", LINK, lambda: Tar().hard("h", "f").file("f").end())
simple("hl-via-sym.tar", failed("unsafe-link", "unsafe-path"),
       lambda: Tar().sym("d", CANARY).hard("h", "d/victim.txt").end())
simple("hl-in-sym.tar", PATH,
       lambda: Tar().file("f").sym("d", CANARY).hard("d/pwned", "f").end())
simple("hl-sym.tar", active({"h": link(CANARY + "/victim.txt")}, entries=2),
       lambda: Tar().sym("l", CANARY + "/victim.txt").hard("h", "l", mode=0o777).end())
simple("hl-sym-shallow.tar", LINK,
       lambda: Tar().sym("x/y/z/l", "../../../t").hard("h", "x/y/z/l").end(),
       active({"h": link("../../../t")}, entries=5))
simple("hl-body.tar", CORRUPT,
       lambda: Tar().file("f").pax(("mtime", "1")).hard("h", "f", size=5).bytes(b"pwned".ljust(512, b"\0")).end())
simple("hl-body-out.tar", failed("corrupt-archive", "unsafe-link"),
       lambda: Tar().pax(("mtime", "1")).hard("h", CANARY + "/victim.txt", size=5)
       .bytes(b"pwned".ljust(512, b"\0")).end())
simple("hl-replaced.tar", active({"f": text("1\n"), "h": text("2\n")}, entries=2),
       lambda: Tar().file("f", b"1\n").hard("h", "f").file("h", b"2\n").end())
simple("hl-source-replaced.tar", active({"f": text("2\n"), "h": text("1\n")}, entries=2),
       lambda: Tar().file("f", b"1\n").hard("h", "f").file("f", b"2\n").end())
simple("hl-node.tar", either(LINK, active({"h": None, "n": None})),
       lambda: Tar().node("n", CHR, (1, 3)).hard("h", "n").end(),
       active({"h": {"same_as": "n"}}, entries=2))
simple("hl-mode.tar", active({"f": dict(F, mode=0o755)}),
       lambda: Tar().file("f", mode=0o755).hard("h", "f", mode=0o4777).end(), active())


@case("hl-amplify.tar.zst", active({"f": dict(F, size=8 << 20)}, entries=1001, disk=24 << 20))
def _():
    links = Tar()
    for n in range(1000):
        links.hard("h%d" % n, "f")
    return zst(Tar().header("f", size=8 << 20).data, 8 << 20, links.end())


@case("hl-chain.tar.gz", active({"h0": {"same_as": "f"}, "h999": {"same_as": "f"}}, entries=1001))
def _():
    t = Tar().file("f")
    for n in range(1000):
        t.hard("h%d" % n, "h%d" % (n - 1) if n else "f")
    return gz(t.end())
