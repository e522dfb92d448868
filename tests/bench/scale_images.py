#!/usr/bin/env python3
"""scale_images tars DIR COUNT URL: COUNT archives of a few files each, DIR/N.tar, all different;
prints a line for ctl/fetch for each, of the name aN.

scale_images rest DATABASE STORE NAMES DIGESTS: the daemon being stopped, adds images rN that are
STORED until there are NAMES in all, over DIGESTS digests in all: copies of what the program itself
made of a1, rows, history, files and layers, under digests that nothing has."""
import hashlib
import io
import os
import shutil
import sqlite3
import sys
import tarfile


def tars(folder, count, url):
    for i in range(1, int(count) + 1):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, data in (("etc/name", b"%d\n" % i), ("bin/hello", b"#!/bin/sh\n" * 100)):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        with open(f"{folder}/{i}.tar", "wb") as f:
            f.write(out.getvalue())
        print(url + f"/{i}.tar", hashlib.sha256(out.getvalue()).hexdigest(), f"a{i}")


def copy_image(store, pattern, sha256):
    shutil.copytree(f"{store}/images/{pattern}", f"{store}/images/{sha256}")
    shutil.copyfile(f"{store}/blobs/{pattern}.tar", f"{store}/blobs/{sha256}.tar")


def make_layer(store, name):
    for folder in ("upper", "work/work"):
        os.makedirs(f"{store}/overlays/{name}/{folder}")


def rest(database, store, names, digests):
    db = sqlite3.connect(database)
    db.row_factory = sqlite3.Row
    images = db.execute("SELECT * FROM images").fetchall()
    pattern = dict(next(i for i in images if i["name"] == "a1"))
    history = [dict(h) for h in db.execute("SELECT * FROM history WHERE name = 'a1' ORDER BY seq")]
    have = sorted({i["sha256"] for i in images})

    def insert(table, row, key):
        row = {k: v for k, v in row.items() if k != key}
        db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                   list(row.values()))
        return db.execute("SELECT last_insert_rowid()").fetchone()[0]

    for n in range(len(images), int(names)):
        sha256 = have[n % len(have)]
        if n < int(digests):
            sha256 = hashlib.sha256(b"rest %d" % n).hexdigest()
            copy_image(store, pattern["sha256"], sha256)
            have.append(sha256)
        row = {**pattern, "name": f"r{n}", "sha256": sha256, "state": "STORED", "want": "stored"}
        image = insert("images", row, "id")
        for h in history:
            insert("history", {**h, "image": image, "name": row["name"]}, "seq")
        make_layer(store, row["name"])
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


if __name__ == "__main__":
    {"tars": tars, "rest": rest}[sys.argv[1]](*sys.argv[2:])
