"""What the daemon is doing when it dies. Each scenario: what is there before, without a fault, and
the run in which each step is the last one once.

  SCENARIOS = {name: (prepare(world, model, images), options, body(world, model, images))}

The body begins with the daemon up. images: {name: (file, digest)}, see crash.py.
"""
import os
import signal


def line(world, images, mode, image, name, end="ACTIVE", code=None):
    file, digest = images[image]
    mode, _, query = mode.partition("?")
    return world.url("%s/%s" % (mode, file)) + "&" + query, digest, name, end, code


# An empty store; two names of one digest in one write, and another format

def first_prepare(world, model, images):
    pass


def first(world, model, images):
    model.fetch(line(world, images, "ok", "web", "web"), line(world, images, "ok", "web", "twin"))
    model.fetch(line(world, images, "closelength", "zst", "zst"))
    for name in ("web", "twin", "zst"):
        model.reached(name)
    model.write_layer("web", "etc/mine", "written\n")
    model.write_layer("twin", "etc/image-name", "changed\n")
    world.stop()


# Adopted, and everything that can be asked of what there is

def full(world, model, images):
    """Two names with a layer each, another image, and one that has failed."""
    world.start()
    model.fetch(line(world, images, "ok", "web", "web"), line(world, images, "ok", "web", "twin"),
                line(world, images, "ok", "zst", "zst"),
                line(world, images, "404", "xz", "xz", "FAILED", "http-status"))
    for name in ("web", "twin", "zst", "xz"):
        model.reached(name)
    model.write_layer("web", "etc/mine", "written\n")
    model.write_layer("twin", "etc/image-name", "changed\n")


def life_prepare(world, model, images):
    full(world, model, images)
    world.kill()


def life(world, model, images):
    model.change("deactivate", "twin", "STORED")
    model.change("activate", "twin", "ACTIVE")
    model.reached("twin")
    model.change("deactivate", "web", "STORED")
    model.remove("zst")
    model.request("cleanup", "run\n", lambda images: None)
    model.remove("twin")
    world.stop()


# What fails, is tried again, cancelled, fetched anew under the other policy

def again_prepare(world, model, images):
    world.start()
    model.fetch(line(world, images, "ok", "web", "web"),
                line(world, images, "404", "xz", "xz", "FAILED", "http-status"))
    model.reached("web")
    model.reached("xz")
    world.stop()


def again(world, model, images):
    model.change("retry", "xz", "FAILED", "http-status")
    model.fetch(line(world, images, "slow?bps=60000", "zst", "zst"), policy="faithful")
    world.until(lambda: world.value("zst") == "DOWNLOADING", "download")
    model.change("cancel", "zst", "FAILED", "cancelled")
    model.reached("xz")
    model.fetch(line(world, images, "rangetrunc", "xz", "xz"))
    model.fetch(line(world, images, "ok", "rich", "rich"), policy="faithful")
    model.fetch(line(world, images, "wrong", "bz2", "bz2", "FAILED", "checksum-mismatch"),
                policy="faithful")
    model.reached("xz")
    model.reached("rich")
    model.reached("bz2")
    world.stop(signal.SIGUSR2)


# A name that is used anew, at once: nothing of the first image's layer may be seen in the second's

def anew(world, model, images):
    model.remove("web")
    model.fetch(line(world, images, "ok", "zst", "web"))
    model.remove("twin")
    model.fetch(line(world, images, "ok", "xz", "twin"))
    model.reached("web")
    model.reached("twin")
    model.write_layer("web", "etc/mine", "new\n")
    world.stop()


# The machine was off: nothing is mounted, all is unpacked, the database has a log to take in

def reboot_prepare(world, model, images):
    full(world, model, images)
    model.change("deactivate", "twin", "STORED")
    world.kill()
    world.power_cut()


def reboot(world, model, images):
    for name in ("web", "zst"):
        model.reached(name)
    world.stop()


# Snapshots: adopted, made, renamed, reset, removed; of what is ACTIVE and of what is STORED

def snaps_prepare(world, model, images):
    world.start()
    model.fetch(line(world, images, "ok", "web", "web"), line(world, images, "ok", "zst", "zst"))
    model.reached("web")
    model.reached("zst")
    model.change("deactivate", "zst", "STORED")
    for name in ("old", "other"):
        model.make("web", name)
        model.write_layer("web", "etc/mine", name + "\n", name)
    model.write_layer("web", "etc/image-name", "web\n")
    world.kill()


def snaps(world, model, images):
    model.make("web", "a")
    model.write_layer("web", "etc/mine", "a\n", "a")
    model.export("web", "a")
    model.rename("web", "old", "new")
    model.reset("web", "new")
    model.reset("web")
    model.write_layer("web", "etc/mine", "again\n")
    model.export("web")
    model.make("zst", "b")
    model.remove_snapshot("web", "a")
    model.change("deactivate", "web", "STORED")
    model.reset("web")
    model.remove_snapshot("web", "new")
    world.stop()


# The same after the machine was off: they are mounted again

def snaps_off_prepare(world, model, images):
    snaps_prepare(world, model, images)
    world.power_cut()


def snaps_off(world, model, images):
    world.settle(("web", "zst"))
    model.rename("web", "old", "a")
    model.remove_snapshot("web", "other")
    world.stop()


# Archives that are written here: to their end, broken off in three ways, of what is there already

def imports_prepare(world, model, images):
    """And what two imports have left: one that was named already, and one that was not."""
    world.start()
    model.fetch(line(world, images, "ok", "web", "web"))
    model.reached("web")
    world.stop()
    file, digest = images["xz"]
    blobs = world.store + "/blobs/"
    with open(blobs + ".import-8", "wb") as f:
        f.write(world.archive(file))
    with open(blobs + ".import-9", "wb") as f:
        f.write(b"a beginning")
    os.link(blobs + ".import-8", "%s%s.tar.xz" % (blobs, digest))


def imports(world, model, images):
    model.make_import("zst", images["zst"])
    model.break_import("half", images["xz"], 30000)
    model.break_import("gone", images["xz"], unlink=True)
    model.reached("zst")
    model.make_import("twin", images["web"])
    model.write_layer("zst", "etc/mine", "written\n")
    model.make_import("bz2", images["bz2"])
    model.reached("twin")
    model.reached("bz2")
    model.remove("zst")
    model.make_import("zst", images["zst"])
    model.reached("zst")
    world.stop()


SCENARIOS = {
    "first": (first_prepare, (), first),
    "life": (life_prepare, (), life),
    "again": (again_prepare, ("-o", "policy=faithful"), again),
    "anew": (life_prepare, (), anew),
    "reboot": (reboot_prepare, (), reboot),
    "snaps": (snaps_prepare, (), snaps),
    "snaps-off": (snaps_off_prepare, (), snaps_off),
    "imports": (imports_prepare, (), imports),
}

# (scenario, how and at which function's steps, the middle one, it dies first): then each step of the
# start that follows is the last one once. Chosen to leave much to be done.
RECOVERIES = (
    ("first", "power", "syncfs"),  # unpacked, and not synced
    ("life", "before", "renameat2"),  # half removed
    ("again", "before", "fchown"),  # half unpacked
    ("reboot", "after", "move_mount"),  # half mounted
    ("snaps", "before", "renameat2"),  # half reset
)
