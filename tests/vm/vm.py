#!/usr/bin/env python3
"""vm.py SINK TEST…: system tests under Debian 12's own kernel, in a virtual machine.

SINK is what the daemon is told (auto or dir), a TEST a script of tests/system, or of this folder, with
its arguments ("kill ACTIVE"). They run one after the other. The kernel lies where `contrib/setup --vm`
puts it, in $XDG_CACHE_HOME or ~/.cache. The machine has this system's own programs, a disk (ext4) and
no network. It is emulated though there be a /dev/kvm, which in a virtual machine need not work. What
counts are the lines that inside.sh writes to its console, one for each test, and one at the end.
"""
import glob
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
QEMU = "qemu-system-x86_64"
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
TIME_LIMIT = 1800  # seconds for all of it: for two cores that are busy with other things

MODULES = ["virtio_pci", "virtio_blk", "fuse", "overlay", "erofs", "loop"]

# What the tests need beside the daemon.
PROGRAMS = """bash python3 busybox tar gzip xz zstd bzip2 curl sqlite3 awk grep sed find diff mount umount
losetup unshare nsenter setpriv fusermount3 mkfs.ext4 mknod chroot stat df cat cp mv rm ln ls mkdir
rmdir mkfifo touch chmod chown truncate head tail cut tr tac sort uniq wc seq date sleep timeout mktemp
readlink realpath dirname basename sha256sum cksum dd sync env id true false kill tee printf test
ps pgrep dmesg ip flock getfattr setfattr mountpoint pivot_root uname od cmp expr""".split()

PYTHON_SKIPS = ("test", "idlelib", "lib2to3", "ensurepip", "tkinter", "turtledemo", "distutils",
                "pydoc_data", "dist-packages", "site-packages", "config-*")


def skip(why):
    print("SKIP: " + why)
    sys.exit(77)


class Root:
    """A root directory of this system's files, under the same paths."""

    def __init__(self, folder):
        self.folder, self.seen = folder, set()
        for name in ("bin", "sbin", "lib", "lib64"):
            os.makedirs(folder + "/usr/" + name)
            os.symlink("usr/" + name, folder + "/" + name)
        for name in ("dev", "proc", "sys", "run", "tmp", "etc", "root", "var/tmp"):
            os.makedirs(folder + "/" + name)
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"
                                 "nobody:x:65534:65534:nobody:/:/bin/false\n")
        self.write("etc/group", "root:x:0:\nnogroup:x:65534:\n")
        os.symlink("/proc/self/mounts", folder + "/etc/mtab")

    def write(self, path, text):
        with open(self.folder + "/" + path, "w") as f:
            f.write(text)

    def add(self, path):
        """A file, where links lead to, and the libraries that it is linked to."""
        real = os.path.realpath(path)
        link = os.path.realpath(os.path.dirname(path)) + "/" + os.path.basename(path)
        if link != real and link not in self.seen:
            self.seen.add(link)
            os.makedirs(self.folder + os.path.dirname(link), exist_ok=True)
            os.symlink(real, self.folder + link)
        if real in self.seen:
            return
        self.seen.add(real)
        os.makedirs(self.folder + os.path.dirname(real), exist_ok=True)
        shutil.copy2(real, self.folder + real)
        self.add_libraries([real])

    def add_libraries(self, files):
        said = subprocess.run(["ldd", *files], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", said):
            self.add(library)

    def add_tree(self, path, *skips):
        shutil.copytree(path, self.folder + path, symlinks=True,
                        ignore=shutil.ignore_patterns(*skips), dirs_exist_ok=True)

    def add_program(self, name):
        found = shutil.which(name)
        if found:
            self.add(found)

    def add_python(self):
        python = shutil.which("python3")
        folder = subprocess.run([python, "-c", "import os; print(os.path.dirname(os.__file__))"],
                                capture_output=True, text=True, check=True).stdout.strip()
        self.add(python)
        self.add_tree(folder, *PYTHON_SKIPS)
        extensions = glob.glob(folder + "/lib-dynload/*.so")
        if extensions:
            self.add_libraries(extensions)


def module_files(folder):
    """In the order in which they can be loaded."""
    files = {}
    for path in glob.glob(folder + "/lib/modules/*/kernel/**/*.ko", recursive=True):
        files[os.path.basename(path)[:-3].replace("-", "_")] = path
    order = []

    def visit(name):
        if name not in files or files[name] in order:
            return  # built in
        with open(files[name], "rb") as f:
            data = f.read()
        found = re.findall(rb"\0(?:depends=|softdep=pre: )([^\0]*)\0", data)
        for needed in re.findall(r"\w+", b" ".join(found).decode().replace("-", "_")):
            visit(needed)
        order.append(files[name])

    for name in MODULES:
        visit(name)
    return order


def make_initramfs(kernel, folder, out):
    """Loads the modules and goes to the disk."""
    os.makedirs(folder + "/bin")
    os.makedirs(folder + "/modules")
    shutil.copy2(shutil.which("busybox"), folder + "/bin/busybox")
    shutil.copy2(HERE + "/init.sh", folder + "/init")
    for number, path in enumerate(module_files(kernel)):
        shutil.copy2(path, "%s/modules/%02d-%s" % (folder, number, os.path.basename(path)))
    with open(out, "wb") as f:
        names = subprocess.run(["find", "."], cwd=folder, capture_output=True, check=True).stdout
        subprocess.run(["busybox", "cpio", "-o", "-H", "newc"], cwd=folder, input=names, stdout=f,
                       stderr=subprocess.DEVNULL, check=True)


def make_disk(folder, tests, out):
    root = Root(folder)
    for name in PROGRAMS:
        root.add_program(name)
    root.add_python()
    for path in glob.glob("/usr/lib/*/gconv"):
        root.add_tree(path)
    # Under their own paths: the daemon knows none of the others.
    for variable in ("IMGSTOREFS", "IMGSTORE", "IMGSTORE_HELPER"):
        root.add(os.environ[variable])
    shutil.copytree(os.path.dirname(HERE) + "/system", folder + "/tests/system")
    shutil.copytree(HERE, folder + "/tests/vm")
    root.write("tests/environment", "".join(
        "export %s=%s\n" % (v, os.path.realpath(os.environ[v]))
        for v in ("IMGSTOREFS", "IMGSTORE", "IMGSTORE_HELPER")))
    root.write("tests/list", "".join(t + "\n" for t in tests))
    with open(out, "wb") as f:
        f.truncate(2 << 30)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", folder, out], check=True)


def boot(kernel, initramfs, disk, sink, log):
    return subprocess.Popen(
        [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
         "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max",
         "-smp", "2", "-m", "1024", "-serial", "stdio",
         "-kernel", glob.glob(kernel + "/boot/vmlinuz-*")[0], "-initrd", initramfs,
         "-append", "console=ttyS0 panic=-1 loglevel=3 mitigations=off sink=%s" % sink,
         "-drive", "file=%s,format=raw,if=virtio,cache=unsafe" % disk],
        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def read_console(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read().replace("\r", "")


def judge(console, tests):
    """What the machine said of each test; a word missing is a failure, and so is a skip: the machine
    has all that they need."""
    said = dict(re.findall(r"^VM: (.+): (PASS|FAIL|SKIP)(?: .*)?$", console, re.M))
    wrong = [t for t in {**said, **dict.fromkeys(tests)} if said.get(t) != "PASS"]
    for line in re.findall(r"^VM: .*$", console, re.M):
        print(line)
    for test in wrong:
        print("%s: %s" % (test, said.get(test, "no word of it")))
    return not wrong and "\nVM: END" in console


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    os.environ["PATH"] = PATH  # this system's own programs
    sink, tests = sys.argv[1], sys.argv[2:]
    kernel = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")) + "/imgstorefs-vm"
    if not glob.glob(kernel + "/boot/vmlinuz-*"):
        skip("needs Debian's kernel: contrib/setup --vm")
    for program in (QEMU, "mke2fs", "busybox"):
        if not shutil.which(program):
            skip("needs %s: contrib/setup --vm" % program)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="imgstorefs-vm.", dir="/var/tmp") as work:
        make_initramfs(kernel, work + "/initramfs", work + "/initramfs.cpio")
        make_disk(work + "/root", tests, work + "/disk")
        began = time.monotonic()
        with open(work + "/console", "wb") as log:
            machine = boot(kernel, work + "/initramfs.cpio", work + "/disk", sink, log)
            try:
                machine.wait(TIME_LIMIT)
            except subprocess.TimeoutExpired:
                print("the machine hangs: no end after %d s" % TIME_LIMIT)
            finally:
                machine.kill()
                machine.wait()
        console = read_console(work + "/console")
        good = judge(console, tests)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print("%d tests, sink %s, %.0f s, %.0f s of processor time" % (
            len(tests), sink, time.monotonic() - began, used.ru_utime + used.ru_stime))
        if not good:
            print("---- the console\n" + console[-60000:])
    sys.exit(0 if good else 1)


main()
