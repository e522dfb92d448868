#!/bin/sh
# The README's settings table is the one that fs/settings.def gives, and `imgstorefs --help` has
# every setting in it.
# usage: settings.sh ROOT [IMGSTOREFS]
set -eu
if [ ! -e "$1/fs/settings.def" ]; then
    echo "needs fs/settings.def"
    exit 77
fi
if ! "$1/contrib/scripts/settings-table" --check; then
    echo "README.md differs: contrib/scripts/settings-table --update puts it right"
    exit 1
fi
[ $# -gt 1 ] || exit 0
help=$("$2" --help)
"$1/contrib/scripts/settings-table" | sed -n 's/^| `\([^`]*\)`.*/\1/p' | while read -r name; do
    if ! echo "$help" | grep -qw -e "$name"; then
        echo "imgstorefs --help has no $name"
        exit 1
    fi
done
echo "README.md and --help have every setting"
