"""What was asked for, and so must be: the images that a crash must not forget.

A request that was answered is in the model. One that was under way may have taken effect or not, but
wholly: there are two worlds then, and one of them must be found.
"""
import copy
import errno
import io
import os
import tarfile

from world import CLEAN_ERROR, Refused, Wrong, read, tree_of


class Image:
    """ends: the pairs (state, error code or None) of which it must reach one."""

    def __init__(self, digest, ends, policy="strict"):
        self.digest, self.ends, self.policy = digest, frozenset(ends), policy
        self.layer = {}
        self.snapshots = {}  # {id: layer}

    def __repr__(self):
        return " or ".join(":".join(filter(None, end)) for end in sorted(self.ends, key=str))


class Model:
    def __init__(self, world, trees):
        self.world, self.trees = world, trees
        self.images, self.asked = {}, None
        self.seen = set()  # digests that someone has asked for; their blobs may be kept

    def ask(self, effect, do, *args):
        """do(*args) is what asks for it; effect(images) is what that does to them."""
        asked = copy.deepcopy(self.images)
        effect(asked)
        self.asked = asked
        do(*args)
        self.images, self.asked = asked, None
        self.seen |= {image.digest for image in asked.values()}

    def request(self, file, text, effect):
        """One write; effect(images) is what it does to them."""
        self.ask(effect, self.world.control, file, text)

    def make_import(self, name, image, policy="strict"):
        """image: (file, digest)"""
        file, digest = image

        def effect(images):
            images[name] = Image(digest, {("ACTIVE", None)}, policy)
        self.ask(effect, self.world.write_import, name, self.world.archive(file))

    def break_import(self, name, image, bytes=None, unlink=False):
        """So many bytes of it, which is not all; or all, but it is removed before it is closed."""
        data = self.world.archive(image[0])[:bytes]
        try:
            self.world.write_import(name, data, unlink)
        except Refused as e:
            if e.number not in (errno.EINVAL, errno.ECANCELED):
                raise
            return
        raise Wrong("%d bytes of %s were taken for all" % (len(data), image[0]))

    def fetch(self, *lines, policy="strict"):
        """lines: (URL, digest, name, end, code)"""
        def effect(images):
            for _, digest, name, end, code in lines:
                images[name] = Image(digest, {(end, code)}, policy)
        self.request("fetch", "".join("%s %s %s\n" % line[:3] for line in lines), effect)

    def change(self, file, name, end, code=None):
        def effect(images):
            images[name].ends = frozenset({(end, code)})
        self.request(file, name + "\n", effect)

    def remove(self, name):
        self.request("remove", name + "\n", lambda images: images.pop(name))

    def make(self, name, snapshot):
        self.ask(lambda images: images[name].snapshots.update({snapshot: {}}), self.world.change,
                 os.mkdir, "%s/snapshots/%s" % (name, snapshot))
        if not os.path.exists("%s/images/%s/snapshots/%s/rootfs/etc" % (
                self.world.mnt, name, snapshot)):
            self.world.until(lambda: False, "root file system of a new snapshot") # or it has died

    def remove_snapshot(self, name, snapshot):
        self.ask(lambda images: images[name].snapshots.pop(snapshot), self.world.change,
                 os.rmdir, "%s/snapshots/%s" % (name, snapshot))

    def rename(self, name, snapshot, to):
        def effect(images):
            images[name].snapshots[to] = images[name].snapshots.pop(snapshot)
        self.ask(effect, self.world.change, os.rename, "%s/snapshots/%s" % (name, snapshot),
                 "%s/snapshots/%s" % (name, to))

    def layer_of(self, images, name, snapshot=None):
        return images[name].snapshots[snapshot] if snapshot else images[name].layer

    def reset(self, name, snapshot=None):
        self.request("reset", "/".join(filter(None, (name, snapshot))) + "\n",
                     lambda images: self.layer_of(images, name, snapshot).clear())

    def write_layer(self, name, path, text, snapshot=None):
        """Written through the rootfs and synced."""
        place = ".snap/%d" % self.world.snapshots(name)[snapshot] if snapshot else name
        with open("%s/active/%s/%s" % (self.world.store, place, path), "w") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        self.layer_of(self.images, name, snapshot)[path] = text

    def export(self, name, snapshot=None):
        """What is exported has what was written; it asks for nothing."""
        data = self.world.export("%s@%s" % (name, snapshot) if snapshot else name)
        layer = self.layer_of(self.images, name, snapshot)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for path, text in layer.items():
                found = tar.extractfile("./" + path).read().decode()
                if found != text:
                    raise Wrong("exported, %s of %s is %r" % (path, name, found))

    def reached(self, name):
        self.world.wait_state(name, next(iter(self.images[name].ends))[0])

    # What is found

    def check(self):
        found = sorted(os.listdir(self.world.mnt + "/images"))
        self.world.settle(found)
        states = {name: self.world.value(name) for name in found}
        self.world.check_store(states)
        self.world.check_images(self.trees)
        reasons = []
        for images in [self.images] + ([self.asked] if self.asked is not None else []):
            try:
                self.check_world(images, states)
                self.images, self.asked = images, None
                return
            except Wrong as e:
                reasons.append(str(e))
        raise Wrong("; nor ".join(reasons))

    def check_world(self, images, states):
        if sorted(states) != sorted(images):
            raise Wrong("there are %s, asked for were %s" % (states, images))
        unknown = self.world.blobs() - self.seen - {image.digest for image in images.values()}
        if unknown:
            raise Wrong("nobody has asked for the blobs %s" % unknown)
        for name, image in images.items():
            self.check_image(name, image, states[name])

    def check_image(self, name, image, state):
        world, info = self.world, self.world.info(name)
        want = "stored" if state == "STORED" else "active"
        error = read("%s/images/%s/error" % (world.mnt, name))
        code = error.partition(":")[0] or None
        if (state, code) not in image.ends:
            raise Wrong("%s is %s, not %s: %s" % (name, state, image, error))
        if (info["sha256"], info["policy"], info["want"]) != (image.digest, image.policy, want):
            raise Wrong("%s: info is %s" % (name, info))
        if state == "FAILED" and not CLEAN_ERROR.fullmatch(error):
            raise Wrong("%s: error is %r" % (name, error))
        if state == "ACTIVE":
            self.check_tree("%s/images/%s/" % (world.mnt, name), image.digest, image.layer)
        if state == "STORED":
            self.check_layer("%s/overlays/%s/upper/" % (world.store, name), image.layer)
        self.check_snapshots(name, image)

    def check_snapshots(self, name, image):
        found = self.world.snapshots(name)
        if sorted(found) != sorted(image.snapshots):
            raise Wrong("snapshots of %s are %s, not %s" % (name, found, image.snapshots))
        for snapshot, layer in image.snapshots.items():
            folder = "%s/images/%s/snapshots/%s/" % (self.world.mnt, name, snapshot)
            if read(folder + "state") != "ACTIVE\n":
                raise Wrong("%s/%s is %s" % (name, snapshot, read(folder + "state")))
            self.check_tree(folder, image.digest, layer)

    def check_layer(self, root, layer):
        for path, text in layer.items():
            if not os.path.exists(root + path) or read(root + path) != text:
                raise Wrong("%s is not what was written and synced" % path)

    def check_tree(self, folder, digest, layer):
        root = folder + "rootfs/"
        self.check_layer(root, layer)
        shown = tree_of(root)
        want = dict(self.trees[digest])
        for path in layer:
            want.pop(path, None)
            shown.pop(path)
        if shown != want:
            raise Wrong("%s does not show its tree: %s" % (
                folder, set(shown.items()) ^ set(want.items())))
