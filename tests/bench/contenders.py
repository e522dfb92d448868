"""Who gets an archive from a URL to a root file system, and how. Each is asked for one input at a
time and answers with the milliseconds until its result is ready, as its user would see them."""
import os
import shutil
import subprocess
import tempfile

from inputs import run
from place import Daemon, DaemonEnded, now


class Contender:
    """WORD is what it is asked for by, NAME what it is shown as, ABOUT what it does and leaves out.
    MISSING and UNABLE say why it cannot be tried at all, or on an input; None if it can."""

    peer = False  # installed by --peers
    slow = False  # takes longest, and is measured on the inputs of `quick` alone

    def __init__(self, bench):
        self.bench = bench

    def missing(self):
        if self.peer and not self.bench.peers:
            return "measured with --peers only"
        absent = [p for p in self.programs if not shutil.which(p)]
        return "not installed: " + " ".join(absent) if absent else None

    def unable(self, item):
        return None

    def fetch(self, item, folder):
        """Into FOLDER, which is fresh. Returns the milliseconds and the tree."""
        raise NotImplementedError

    def clear(self, folder):
        """Lets go of what FETCH has left behind."""
        shutil.rmtree(folder)

    def time(self, *args, **more):
        begun = now()
        run(*args, **more)
        return now() - begun

    def url(self, item):
        return f"{self.bench.url}/{item.name}"


class Floor(Contender):
    word = "floor"
    name = "floor"
    about = ("receives and hashes on one thread, inflates and writes one file on another; "
             "no archive kept, no entry looked at, no tree")
    programs = ()

    def fetch(self, item, folder):
        os.mkdir(folder)
        floor = self.bench.build + "/tests/bench/floor"
        return self.time(floor, self.url(item), item.sha256, folder + "/out"), None


class Ours(Contender):
    """The daemon is up, on a fresh store."""

    sink = ""

    def missing(self):
        try:
            with Daemon(self.bench.build, fresh(self.bench.disk), self.sink):
                return None
        except DaemonEnded:
            return "cannot be had here: the daemon says why"

    def fetch(self, item, folder):
        self.daemon = Daemon(self.bench.build, folder, self.sink)
        ms = self.daemon.fetch(self.url(item), item.sha256, "image")
        return ms, self.daemon.rootfs("image")

    def clear(self, folder):
        self.daemon.__exit__()


class OursErofs(Ours):
    word = "imgstorefs"
    name = "imgstorefs"
    sink = "erofs"
    about = ("verified before anything is shown; archive and image kept, both synced when it is "
             "ready; entries checked, a writable overlay mounted")


class OursDir(Ours):
    word = "dir"
    name = "imgstorefs, dir"
    sink = "dir"
    about = "the same, but a directory of files for an erofs image"


class Pipe(Contender):
    """PROGRAMS: what hashes, and what inflates each format."""

    def unable(self, item):
        return None if item.format in self.inflate else f"does not read {item.format}"

    def fetch(self, item, folder):
        os.mkdir(folder)
        tree, told = folder + "/tree", folder + "/sum"
        os.mkdir(tree)
        inflate = self.inflate[item.format]
        # `curl | tee >(hash) | …`, but so that the hash can be waited for.
        script = ('set -o pipefail; { curl -sS "$1" | tee /dev/fd/3 | '
                  + (f"{inflate} | " if inflate else "")
                  + 'tar -x --numeric-owner -C "$3" && ok=1; } '
                  f'3> >({self.hash} >"$2"); wait $! && [ -n "$ok" ]')
        ms = self.time("bash", "-c", script, "bash", self.url(item), told, tree)
        with open(told, encoding="ascii") as f:
            if item.sha256 not in f.read():
                raise RuntimeError(f"{self.name}: another digest")
        return ms, tree


class PipeCoreutils(Pipe):
    word = "sha256sum"
    slow = True
    name = "curl, sha256sum, tar"
    about = "verified only after it has unpacked; no archive kept, not synced"
    programs = ("curl", "sha256sum", "tar", "gzip", "zstd")
    hash = "sha256sum"
    inflate = {"gzip": "gzip -dc", "zstd": "zstd -dqc", "plain": ""}


class PipeOpenssl(Pipe):
    word = "openssl"
    name = "curl, openssl, igzip, tar"
    about = "the same with faster tools for two of the steps"
    programs = ("curl", "openssl", "tar", "igzip", "zstd")
    hash = "openssl dgst -sha256 -r"
    inflate = {"gzip": "igzip -dc", "zstd": "zstd -dqc", "plain": ""}


class SystemdPull(Contender):
    peer = True
    word = "systemd"
    name = "systemd-pull tar"
    about = ("what `machinectl pull-tar` runs, without the second copy that it makes (--direct): "
             "verified after it has unpacked, no archive kept, not synced (--sync=no)")
    program = "/lib/systemd/systemd-pull"
    programs = (program, "tar")

    def unable(self, item):
        return "does not read zstd" if item.format == "zstd" else None

    def fetch(self, item, folder):
        os.mkdir(folder)
        tree = folder + "/tree"
        ms = self.time(self.program, "tar", "--direct", "--btrfs-subvol=no", "--settings=no",
                       "--sync=no", "--verify=" + item.sha256, self.url(item), tree,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return ms, tree


class FromRegistry(Contender):
    """From a registry on this machine, which has the archive as an image's only layer."""

    peer = slow = True

    def unable(self, item):
        return "layers of images are compressed" if item.format == "plain" else None

    def image(self, item):
        return self.bench.registry.image(item)

    def env(self, folder):
        os.mkdir(folder)
        os.mkdir(folder + "/tmp")
        return dict(os.environ, TMPDIR=folder + "/tmp")


class Podman(FromRegistry):
    word = "podman"
    name = "podman pull"
    about = ("from a registry: verified (the archive's digest, and the plain tar's); no archive "
             "kept, not synced, no container made")
    programs = ("podman", "skopeo", "docker-registry")

    def podman(self, folder, *args):
        return ["podman", "--root", folder + "/root", "--runroot", self.runroot,
                "--storage-driver", "overlay", *args]

    def fetch(self, item, folder):
        env, image = self.env(folder), self.image(item)
        self.runroot = tempfile.mkdtemp(dir="/run")  # podman takes no long path for it
        ms = self.time(*self.podman(folder, "pull", "-q", "--tls-verify=false", image), env=env,
                       stdout=subprocess.DEVNULL)
        tree = subprocess.run(self.podman(folder, "image", "mount", image), check=True, env=env,
                              stdout=subprocess.PIPE, text=True).stdout.split()[-1]
        return ms, tree

    def clear(self, folder):
        run(*self.podman(folder, "image", "unmount", "--all", "--force"), stdout=subprocess.DEVNULL)
        subprocess.run(["umount", folder + "/root/overlay"], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.runroot)
        super().clear(folder)


class Umoci(FromRegistry):
    word = "umoci"
    name = "skopeo copy, umoci unpack"
    about = "from a registry: verified (both digests); archive kept, not synced"
    programs = ("skopeo", "umoci", "docker-registry")

    def unable(self, item):
        return "does not read zstd" if item.format == "zstd" else super().unable(item)

    def fetch(self, item, folder):
        env, image = self.env(folder), self.image(item)
        begun = now()
        run("skopeo", "copy", "-q", "--src-tls-verify=false", "docker://" + image,
            f"oci:{folder}/image:latest", env=env)
        run("umoci", "unpack", "--image", folder + "/image:latest", folder + "/bundle", env=env)
        return now() - begun, folder + "/bundle/rootfs"


ALL = [Floor, OursErofs, OursDir, PipeCoreutils, PipeOpenssl, SystemdPull, Podman, Umoci]


def sinks(bench):
    """Those of ours that this kernel has."""
    return [c.sink for c in (OursErofs, OursDir) if not c(bench).missing()]


def tree_size(root):
    """Entries below ROOT."""
    return sum(len(dirs) + len(files) for _, dirs, files in os.walk(root))


def fresh(folder):
    return tempfile.mktemp(prefix="run.", dir=folder)
