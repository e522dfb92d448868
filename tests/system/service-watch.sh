#!/usr/bin/env bash
# A path unit of systemd's sees what changes in the tree: watch-tools.sh, under a systemd of its own.
. "${0%/*}/functions.sh"
. "${0%/*}/box.sh"
needs_box
needs_test_points
box_boot
in_box env -u TMPDIR PATH="$PATH" IMGSTOREFS="$bindir/imgstorefs" IMGSTORE="$bindir/imgstore" \
    IMGSTORE_HELPER="$bindir/${IMGSTORE_HELPER##*/}" bash "$here/watch-tools.sh" systemd
