"""Where everything is measured, and what serves it: a fresh journaled ext4 in a loop file with
direct I/O, nginx, and the daemon. The caller lives in mount and process namespaces of its own, with
which all of this ends, however it ends."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from inputs import run, say

GIB = 1 << 30
LIBC = ctypes.CDLL(None, use_errno=True)


def now():
    """Milliseconds."""
    return time.monotonic() * 1e3


def sync_fs(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        if LIBC.syncfs(fd) != 0:
            raise OSError(ctypes.get_errno(), "syncfs", path)
    finally:
        os.close(fd)


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
        f.write("3")


def read_through(path):
    """It is in the page cache then."""
    with open(path, "rb") as f:
        while f.read(1 << 24):
            pass


def make_tmpfs(folder):
    """What does not wait for other people's writes, where speed means nothing."""
    os.mkdir(folder + "/mnt")
    run("mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", folder + "/mnt")
    return folder + "/mnt"


def make_disk(folder, gib):
    """A mounted ext4. Its file is written, not only allocated, so that no run pays for first use;
    and has no name any more, so that it goes with its mount."""
    mount, file = folder + "/mnt", folder + "/disk"
    os.mkdir(mount)
    if os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize < (gib + 1) * GIB:
        raise SystemExit(f"bench: needs {gib + 1} GiB in {folder}: set TMPDIR to a disk's folder")
    say(f"making a disk of {gib} GiB")
    run("fallocate", "-l", f"{gib}G", file)
    run("dd", "if=/dev/zero", f"of={file}", "bs=4M", f"count={gib * 256}", "oflag=direct",
        "conv=notrunc", "status=none")
    run("mkfs.ext4", "-qF", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", file)
    loop = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", file], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
    try:
        run("mount", "-t", "ext4", loop, mount)
    finally:
        run("losetup", "-d", loop)  # once it is unmounted
    os.unlink(file)
    return mount


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process):
    end = now() + 10000
    while now() < end and process.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"bench: {process.args[0]} does not listen")


NGINX = """daemon off; master_process off; worker_processes 1; pid {0}/nginx.pid;
events {{ worker_connections 64; }}
http {{ access_log off; sendfile on; sendfile_max_chunk 2m; tcp_nopush on; etag on;
    default_type application/octet-stream; gzip off;
    client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fastcgi;
    uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
    server {{ listen 127.0.0.1:{1}; root {2}; }} }}
"""


def start_busybox(folder, root):
    """The URL that ROOT is served at."""
    port = free_port()
    wait_for_port(port, subprocess.Popen(["busybox", "httpd", "-f", "-p", f"127.0.0.1:{port}",
                                          "-h", root]))
    return f"http://127.0.0.1:{port}"


def start_nginx(folder, root):
    """The same, as fast as it gets."""
    folder = tempfile.mkdtemp(dir=folder)
    port, conf = free_port(), os.path.join(folder, "nginx.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write("user root;\n" + NGINX.format(folder, port, root))
    process = subprocess.Popen(["/usr/sbin/nginx", "-e", folder + "/nginx.log", "-c", conf])
    wait_for_port(port, process)
    return f"http://127.0.0.1:{port}"


class DaemonEnded(Exception):
    pass


class Daemon:
    """Ours, on a fresh store in DIR."""

    OPTIONS = "max_files=max,max_file_size=max,log_level=warn"

    def __init__(self, build, folder, sink, options=""):
        self.build, self.folder = build, folder
        self.mnt, self.store = folder + "/mnt", folder + "/store"
        os.makedirs(self.mnt)
        helper = build + "/backend/helper/imgstorefs-unpack"
        self.process = subprocess.Popen(
            [build + "/fs/imgstorefs", "-f", "-o", f"db={folder}/db,store={self.store}",
             "-o", f"helper={helper},sink={sink},{self.OPTIONS}{options}", self.mnt],
            stdin=subprocess.DEVNULL)
        while not os.path.exists(self.mnt + "/version"):
            if self.process.poll() is not None:
                shutil.rmtree(folder)
                raise DaemonEnded(f"with {self.process.returncode}")
            time.sleep(0.005)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.folder)

    def probe(self, *args):
        return [float(word) for word in subprocess.run(
            [self.build + "/tests/bench/probe", *args], check=True, stdout=subprocess.PIPE,
            text=True).stdout.split()]

    def fetch(self, url, sha256, name):
        """Milliseconds until it is ACTIVE."""
        return self.probe("active", self.mnt, name, f"{url} {sha256} {name}\n")[0]

    def write(self, control, line):
        with open(f"{self.mnt}/ctl/{control}", "w", encoding="ascii") as f:
            f.write(line + "\n")

    def rootfs(self, name):
        return os.path.realpath(f"{self.mnt}/images/{name}/rootfs")
