"""What is due of each archive: the cases, by class, register here.

  @case("id.tar.gz", due, faithful=due)      a function that returns the archive's bytes

due is failed("code", ...) or active(path=fact, ...), or either(due, ...) where the contract leaves
it open. A fact is a dict (type, mode, size, text, target, xattrs, same_as), or None: no such path.
"""
CASES = {}


class Case:
    def __init__(self, file, make, strict, faithful):
        self.file, self.make = file, make
        self.due = {"strict": strict, "faithful": faithful}


def failed(*codes):
    return [{"state": "FAILED", "codes": list(codes)}]


def active(facts=None, **how):
    """facts: {path: fact}; paths that are no UTF-8 are spelt with surrogates, as os.fsdecode does.
    how: entries (how many below the root), disk (bytes at most), skipped (as info says)."""
    return [dict(how, state="ACTIVE", facts=facts or {})]


def either(*dues):
    return [d for due in dues for d in due]


def case(file, strict, faithful=None):
    def register(make):
        assert file not in CASES, file
        CASES[file] = Case(file, make, strict, faithful or strict)
        return make
    return register


def simple(file, strict, make, faithful=None):
    case(file, strict, faithful)(make)


CORRUPT, PATH, LINK = failed("corrupt-archive"), failed("unsafe-path"), failed("unsafe-link")
NO_TAR = failed("unsupported-format")
BIG, MANY, TOTAL = (failed("too-large-file"), failed("too-many-files"), failed("too-large-total"))
# Where no verdict is wrong, but a crash, a hang or a fault of the machine's is.
SOUND = either(active(), CORRUPT, PATH, LINK, NO_TAR, BIG, MANY, TOTAL)
F = {"type": "file"}
D = {"type": "dir"}


def link(target):
    return {"type": "symlink", "target": target}


def text(s, **more):
    return dict(more, type="file", text=s)
