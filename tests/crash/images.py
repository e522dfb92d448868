"""The archives that the scenarios fetch, and the server that has them."""
import collections
import os
import subprocess
import sys
import time

from world import digest_of, tree_of

Made = collections.namedtuple("Made", "images trees")  # {name: (file, digest)}, {digest: tree}
FORMATS = {"web": ("tar.gz", ["gzip", "-1"], 150), "zst": ("tar.zst", ["zstd", "-q", "-1"], 60),
           "xz": ("tar.xz", ["xz", "-1"], 80), "bz2": ("tar.bz2", ["bzip2", "-1"], 2),
           "rich": ("tar", ["cat"], 10)}
LAST_CHANGE = 1700000000


def make_tree(root, name, kib):
    for folder in ("etc", "bin", "tmp"):
        os.makedirs("%s/%s" % (root, folder))
    for path, data in (("etc/image-name", name.encode() + b"\n"), ("bin/hello", b"#!/bin/sh\n"),
                       ("etc/empty", b""), ("payload", os.urandom(kib * 1024))):
        with open("%s/%s" % (root, path), "wb") as f:
            f.write(data)
        os.utime("%s/%s" % (root, path), (LAST_CHANGE, LAST_CHANGE))
        os.chmod("%s/%s" % (root, path), 0o755 if path.startswith("bin") else 0o644)
    os.symlink("../etc/image-name", root + "/tmp/link")
    os.link(root + "/etc/image-name", root + "/etc/other-name")


def enrich(root):
    """All that an archive may hold under the policy faithful. (Older kernels' tmpfs, where the store
    will lie, knows no extended attributes of users.)"""
    os.mkfifo(root + "/tmp/fifo", 0o600)
    os.mkdir(root + "/tmp/sticky")
    os.chmod(root + "/tmp/sticky", 0o1777)
    with open(root + "/holes", "wb") as f:
        f.truncate(1 << 20)
        f.seek(1 << 16)
        f.write(b"data")
        f.truncate(3 << 20)
    if tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 6):
        for path in ("/", "/etc", "/payload"):
            os.setxattr(root + path, "user.test", path.encode())


def make_images(folder):
    images, trees = {}, {}
    os.mkdir(folder + "/www")
    for name, (ext, packer, kib) in FORMATS.items():
        root, file = "%s/trees/%s" % (folder, name), "%s.%s" % (name, ext)
        make_tree(root, name, kib)
        twice = []
        if name == "rich":
            enrich(root)
            twice = ["./payload", "./etc"]
        tar = subprocess.run(["tar", "--numeric-owner", "--xattrs", "--sparse", "-C", root, "-cf",
                              "-", *twice, "."],
                             stdout=subprocess.PIPE, check=True).stdout
        with open("%s/www/%s" % (folder, file), "wb") as out:
            subprocess.run(packer, input=tar, stdout=out, check=True)
        digest = digest_of("%s/www/%s" % (folder, file))
        images[name], trees[digest] = (file, digest), tree_of(root)
    return Made(images, trees)


def serve(folder):
    port = folder + "/port"
    here = os.path.dirname(os.path.abspath(__file__))
    httpd = subprocess.Popen([sys.executable, "-SE", here + "/../system/httpd.py", "0",
                              folder + "/www", "--port-file", port])
    while not os.path.exists(port):
        if httpd.poll() is not None:
            sys.exit("the server did not start")
        time.sleep(0.01)
    with open(port) as f:
        return httpd, "http://127.0.0.1:" + f.read().strip()


def needs(test_points=False):
    """True, said aloud: it cannot be tried here."""
    said = subprocess.run([os.environ["IMGSTOREFS"], "-V"], capture_output=True, text=True).stdout
    if os.getuid() != 0 or not os.path.exists("/dev/fuse"):
        print("SKIP: needs root and /dev/fuse")
    elif test_points and "test-points" not in said:
        print("SKIP: needs a build with -Dtest_points=true")
    else:
        return False
    return True
