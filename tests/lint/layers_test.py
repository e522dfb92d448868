#!/usr/bin/env python3
"""The include-layer test can fail: on a small bad tree it finds each wrong include, and no other."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import layers  # noqa: E402

HEADERS = ["fs/tree.h", "fs/client/tree.h", "backend/backend.h", "backend/engine/engine.h",
           "backend/stages/stage.h", "backend/store/db.h", "backend/helper/helper.h",
           "backend/base/err.h", "tests/extra.h"]

# A file, its include line, and whether it is right.
CASES = [
    ("fs/a.c", '#include "backend/backend.h"', True),
    ("fs/a.c", '#include "fs/tree.h"', True),
    ("fs/a.c", '#include "base/err.h"', True),
    ("fs/a.c", "#include <fuse_lowlevel.h>", True),
    ("fs/a.c", "#include <stdio.h>", True),
    ("fs/a.c", '#include "engine/engine.h"', False),
    ("fs/a.c", '#include "backend/engine/engine.h"', False),
    ("fs/a.c", '#  include  "../backend/store/db.h"', False),
    ("fs/a.c", "#include <store/db.h>", False),
    ("fs/a.c", "#include <sqlite3.h>", False),
    ("fs/a.c", '#include "fs/client/tree.h"', False),
    ("fs/a.c", '#include "tests/extra.h"', False),
    ("fs/a.c", '#include "nowhere.h"', False),
    ("fs/client/a.c", '#include "fs/client/tree.h"', True),
    ("fs/client/a.c", "#include <jansson.h>", True),
    ("fs/client/a.c", "#include <fuse.h>", False),
    ("fs/client/a.c", '#include "backend/backend.h"', False),
    ("backend/backend.h", '#include "base/err.h"', True),
    ("backend/backend.h", '#include "engine/engine.h"', False),
    ("backend/engine/a.c", '#include "store/db.h"', True),
    ("backend/engine/a.c", '#include "stages/stage.h"', True),
    ("backend/engine/a.c", '#include "fs/tree.h"', False),
    ("backend/engine/a.c", "#include <fuse3/fuse.h>", False),
    ("backend/engine/a.c", "#include <sqlite3.h>", False),
    ("backend/engine/a.c", "#include <jansson.h>", False),
    ("fs/log_to.c", "#include <jansson.h>", True),
    ("fs/show.c", "#include <jansson.h>", False),
    ("backend/stages/a.c", '#include "store/db.h"', True),
    ("backend/stages/a.c", '#include "engine/engine.h"', False),
    ("backend/stages/a.c", '#include "helper/helper.h"', False),
    ("backend/stages/a.c", "#include <openssl/evp.h>", False),
    ("backend/stages/digest.c", "#include <openssl/evp.h>", True),
    ("backend/store/seal.c", "#include <openssl/evp.h>", True),
    ("backend/store/images.c", "#include <openssl/evp.h>", False),
    ("backend/stages/fetch/http.c", "#include <curl/curl.h>", True),
    ("backend/stages/fetch/http_range.c", "#include <curl/curl.h>", True),
    ("backend/stages/fetch/fetch.c", "#include <curl/curl.h>", False),
    ("backend/stages/unpack/a.c", "#include <zlib.h>", False),
    ("backend/stages/unpack/a.c", "#include <archive_entry.h>", False),
    ("backend/store/a.c", "#include <sqlite3.h>", True),
    ("backend/store/a.c", '#include "stages/stage.h"', False),
    ("backend/helper/a.c", "#include <archive.h>", True),
    ("backend/helper/a.c", "#include <isa-l/igzip_lib.h>", True),
    ("backend/helper/a.c", "#include <linux/seccomp.h>", True),
    ("backend/helper/a.c", '#include "base/err.h"', True),
    ("backend/helper/a.c", '#include "store/db.h"', False),
    ("backend/base/a.c", '#include "store/db.h"', False),
    ("backend/base/a.c", "#include <seccomp.h>", False),
    ("backend/a.c", "", False),
]


def write(root, path, text):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def found(path, line):
    with tempfile.TemporaryDirectory() as root:
        for header in HEADERS:
            write(root, header, "")
        write(root, path, f"/* one line before */\n{line}\n")
        return list(layers.findings(root))


def main():
    wrong = [(path, line) for path, line, right in CASES if bool(found(path, line)) == right]
    for path, line in wrong:
        print(f"misjudged: {path}: {line}: {found(path, line)}")
    print(f"{len(CASES)} cases, {len(wrong)} misjudged")
    sys.exit(1 if wrong else 0)


main()
