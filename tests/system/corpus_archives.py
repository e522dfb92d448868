"""corpus.py's part `archives`: those of manifest.json and thirdparty/manifest.json."""
import collections
import os
import stat

import memory
from corpus_base import NO_VERDICT, PATIENCE, kept, report


def rootfs_faults(c, name):
    """What must be so of any ACTIVE image under the strict policy."""
    if c.policy != "strict":
        return []
    bad = []
    root = os.fsencode(c.image(name, "rootfs")) + b"/"
    for path, s in c.check.walk(root).items():
        if c.check.kind(s) == "special":
            bad.append("%r is a special file" % path)
        elif not stat.S_ISLNK(s.st_mode) and stat.S_IMODE(s.st_mode) & ~0o755:
            bad.append("%r has mode %o" % (path, stat.S_IMODE(s.st_mode)))
    return bad


def outcome_faults(c, archive, name, state):
    want = archive["expected"]
    if state not in ("ACTIVE", "FAILED"):
        return ["is %s after %d s" % (state, PATIENCE)]
    if want != "SAFE" and state != want:
        return ["is %s, must be %s (%s)" % (state, want, c.read(name, "error").decode().strip())]
    if state == "FAILED":
        code = c.read(name, "error").decode().split(":")[0]
        return (c.error_faults(name) + kept(c, archive)
                + (["its error is " + code] if code in NO_VERDICT else []))
    return rootfs_faults(c, name)


def modes_as_archived(c, archive, name):
    """Under the faithful policy, where the manifest gives the tree."""
    root = os.fsencode(c.image(name, "rootfs")) + b"/"
    bad = []
    for e in archive.get("tree", ()):
        want = e.get("mode_raw")
        path = c.check.bn(e, "path")
        have = stat.S_IMODE(os.lstat(root + path).st_mode)
        if want and e["type"] != "symlink" and have != int(str(want), 8):
            bad.append("%r has mode %04o, %s was archived" % (path, have, want))
    return bad


def tree_faults(c, archive, name):
    # A device 0:0 is a whiteout to overlayfs: it is listed, and cannot be looked at.
    if archive["id"] == "sp-whiteout" and c.policy == "faithful":
        return []
    manifest, root = os.path.join(c.dir, "manifest.json"), c.image(name, "rootfs") + "/"
    bad = c.check.tree(manifest, archive["id"], root, c.policy == "strict")
    return bad if bad or c.policy == "strict" else modes_as_archived(c, archive, name)


def tell(c, asked, states, watch):
    """The figures, and what is in order but might be better."""
    ended = collections.Counter(
        "ACTIVE" if states.get(n) == "ACTIVE" else
        "FAILED " + c.read(n, "error").decode().split(":")[0].strip() for n in asked)
    print("NOTE %s: %d archives: %s" % (c.policy, len(asked), ", ".join(
        "%d %s" % (n, word) for word, n in sorted(ended.items()))))
    print("NOTE %s: peak memory: daemon %d KiB, helper %d KiB" % (
        c.policy, watch.daemon_peak, watch.helper_peak))
    for name, (archive, file) in asked.items():
        if archive.get("prefer") == "FAILED" and states.get(name) == "ACTIVE":
            print("NOTE %s: %s is ACTIVE, FAILED is preferred" % (c.policy, file))


def archives(c):
    # id "e.X" of the manifest, "t.N" of the third parties: by number, as their names are long.
    asked = {"e." + a["id"]: (a, a["file"]) for a in c.manifest}
    asked.update({"t.%d" % i: (a, "thirdparty/" + a["file"]) for i, a in enumerate(c.thirdparty)})
    with memory.Watch(c.daemon) as watch:
        c.fetch(["%s/ok/%s %s %s" % (c.server, file, a["sha256"], name)
                 for name, (a, file) in asked.items()])
        states = c.settled(asked)
    for name, (archive, file) in asked.items():
        faults = outcome_faults(c, archive, name, states[name])
        if states[name] == "ACTIVE" and name.startswith("e."):
            faults += tree_faults(c, archive, name)
        report("%s archive %s" % (c.policy, file), faults)
    tell(c, asked, states, watch)
    report("archives: no helper is left", memory.children(c.daemon))
    report("archives: good one", c.good_one("after-archives"))
    c.remove(list(asked) + ["after-archives"])
    report("archives: all can be removed", [n for n in os.listdir(os.path.join(c.mnt, "images"))])
