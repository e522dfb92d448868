#!/bin/sh
# All C is as clang-format would have it.
# usage: format.sh ROOT
set -eu
if ! command -v clang-format >/dev/null; then
    echo "needs clang-format"
    exit 77
fi
cd "$1"
find fs backend tests -name '*.[ch]' -print0 | sort -z |
    xargs -0 clang-format --dry-run --Werror --ferror-limit=3
echo "all C is formatted"
