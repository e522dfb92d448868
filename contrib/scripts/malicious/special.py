"""Nodes, modes, xattrs and flags that would do harm, or make an image that cannot be removed."""
from cases import CORRUPT, D, F, SOUND, active, either, failed, simple
from tarbytes import BLK, CHR, FIFO, Tar

NODES = {"null": (CHR, (1, 3)), "mem": (CHR, (1, 1)), "loop": (BLK, (7, 0)), "fifo": (FIFO, (0, 0)),
         "sda": (BLK, (8, 0))}
for key, (kind, dev) in NODES.items():
    simple("sp-%s.tar" % key, active({key: None, "f": F}, entries=1, skipped=1),
           lambda key=key, kind=kind, dev=dev: Tar().node(key, kind, dev, mode=0o666).file("f").end(),
           active({key: {"type": "special"}, "f": F}, entries=2, skipped=0))
# To overlayfs, a name that is not there.
simple("sp-whiteout.tar", active({"w": None, "f": F}, entries=1, skipped=1),
       lambda: Tar().node("w", CHR, (0, 0)).file("f").end(), active({"f": F}))
simple("sp-whiteout-file.tar", active({"f": F}),
       lambda: Tar().node("f", CHR, (0, 0)).file("f").end())
simple("sp-wh-name.tar", active({".wh.f": F, "f": F, ".wh..wh..opq": F}, entries=3),
       lambda: Tar().file("f").file(".wh.f").file(".wh..wh..opq").end())
simple("sp-fifo-file.tar", active({"f": F}, entries=1),
       lambda: Tar().node("f", FIFO).file("f").end())
simple("sp-file-fifo.tar", SOUND, lambda: Tar().file("f").node("f", FIFO).end())
simple("sp-under-node.tar", failed("unsafe-path"),
       lambda: Tar().node("n", CHR, (1, 3)).file("n/x").end())
simple("sp-body.tar", SOUND, lambda: Tar().node("n", CHR, (1, 3), size=512).bytes(bytes(512))
       .file("f").end())
simple("sp-device-number.tar", SOUND, lambda: Tar().node("n", CHR, (b"7777777\0", b"7777777\0"))
       .file("f").end())
simple("sp-device-base256.tar", SOUND, lambda: Tar().node("n", CHR, (1 << 40, 1 << 40))
       .file("f").end())
for mode in (0o4755, 0o2755, 0o1777, 0o6777, 0o7000, 0o777, 0o666, 0):
    simple("sp-mode-%04o.tar" % mode,
           active({"f": dict(F, mode=mode & 0o755), "d": dict(D, mode=mode & 0o755 | 0o700)}),
           lambda mode=mode: Tar().file("f", mode=mode).dir("d", mode=mode).end(),
           active({"f": dict(F, mode=mode), "d": dict(D, mode=mode)}))

# xattrs


def xattr(name, value="v"):
    def make():
        t = Tar()
        for add, entry in ((t.file, "f"), (t.dir, "d")):
            t.pax(("SCHILY.xattr." + name, value))
            add(entry)
        return t.end()
    return make


def xattrs(**have):
    return active({"f": dict(F, xattrs=have), "d": dict(D, xattrs=have)}, entries=2)


for n, name in enumerate(("trusted.overlay.opaque", "trusted.overlay.redirect",
                          "trusted.overlay.metacopy", "trusted.overlay.origin",
                          "user.overlay.opaque", "user.overlay.redirect", "trusted.overlay.",
                          "user.overlay.", "trusted.overlay.overlay.opaque")):
    simple("sp-overlay-%d.tar" % n, xattrs(), xattr(name, "y"))
simple("sp-user.tar", xattrs(**{"user.a": "v"}), xattr("user.a"))
simple("sp-trusted.tar", xattrs(), xattr("trusted.a"), xattrs(**{"trusted.a": "v"}))
simple("sp-other-space.tar", xattrs(), xattr("os2.a"))
simple("sp-no-space.tar", xattrs(), xattr("plain"))
simple("sp-bare-user.tar", either(CORRUPT, xattrs()), xattr("user."))
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
simple("sp-capability.tar", active({"f": dict(F, xattrs={})}, entries=1),
       lambda: Tar().pax(("SCHILY.xattr.security.capability", CAPABILITY)).file("f").end(),
       active({"f": dict(F, xattrs={"security.capability": CAPABILITY.decode("latin1")})}))
simple("sp-capability-bad.tar", active({"f": dict(F, xattrs={})}, entries=1),
       lambda: Tar().pax(("SCHILY.xattr.security.capability", "x")).file("f").end(), SOUND)
simple("sp-acl-xattr.tar", active({"f": dict(F, xattrs={})}, entries=1),
       lambda: Tar().pax(("SCHILY.xattr.system.posix_acl_access", "x")).file("f").end(), SOUND)
simple("sp-name-255.tar", active({"f": dict(F, xattrs={"user." + "n" * 250: "v"})}),
       lambda: Tar().pax(("SCHILY.xattr.user." + "n" * 250, "v")).file("f").end())
simple("sp-name-256.tar", CORRUPT,
       lambda: Tar().pax(("SCHILY.xattr.user." + "n" * 251, "v")).file("f").end())
simple("sp-name-empty.tar", either(CORRUPT, xattrs()), xattr(""))
simple("sp-libarchive-base64.tar", SOUND, lambda: Tar().pax(
    ("LIBARCHIVE.xattr.user.a", "!!!not base64"), ("LIBARCHIVE.xattr.user%00.b", "Yg=="),
    ("LIBARCHIVE.xattr.%2e%2e", "Yg==")).file("f").end())
simple("sp-libarchive-overlay.tar", xattrs(), lambda: Tar().pax(
    ("LIBARCHIVE.xattr.trusted.overlay%2eopaque", "eQ==")).file("f").pax(
        ("LIBARCHIVE.xattr.user.overlay%2Eopaque", "eQ==")).dir("d").end())
# The ACL's own entries for owner, group and others are the mode, for libarchive.
simple("sp-acl.tar", active({"f": dict(F, xattrs={}), "d": dict(D, xattrs={})}),
       lambda: Tar().pax(("SCHILY.acl.access", "user::rwx,group::rwx,other::rwx,user:x:rwx:9"))
       .file("f").pax(("SCHILY.acl.default", "user::rwx,group::rwx,other::rwx")).dir("d").end())
simple("sp-acl-bad.tar", SOUND, lambda: Tar().pax(
    ("SCHILY.acl.access", "x" * 5000 + ":::::")).file("f").end())
simple("sp-flags.tar", active({"f": F, "d/f": F}), lambda: Tar().pax(
    ("SCHILY.fflags", "schg,uchg,sappnd,nodump,immutable")).file("f").pax(
        ("SCHILY.fflags", "immutable,append")).dir("d").file("d/f").end())
simple("sp-rht-selinux.tar", active({"f": dict(F)}), lambda: Tar().pax(
    ("RHT.security.selinux", "system_u:object_r:shadow_t:s0")).file("f").end())
