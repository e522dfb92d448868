#!/bin/sh
# The settings in the man page, and those in the README where it has a table of them, are the ones
# that fs/settings.def gives, and `imgstorefs --help` has every one of them.
# usage: settings.sh ROOT [IMGSTOREFS]
set -eu
if [ ! -e "$1/fs/settings.def" ]; then
    echo "needs fs/settings.def"
    exit 77
fi
if ! "$1/contrib/scripts/settings-table" --check; then
    echo "contrib/scripts/settings-table --update puts it right"
    exit 1
fi
[ $# -gt 1 ] || exit 0
help=$("$2" --help)
"$1/contrib/scripts/settings-table" --names | while read -r name; do
    if ! echo "$help" | grep -qw -e "$name"; then
        echo "imgstorefs --help has no $name"
        exit 1
    fi
done
echo "the man page and --help have every setting"
