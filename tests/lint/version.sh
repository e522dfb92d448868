#!/bin/sh
# The Debian package's version is the program's.
# usage: version.sh ROOT
set -eu
program=$(sed -n "s/^  version: '\(.*\)',$/\1/p" "$1/meson.build")
package=$(sed -n '1s/^imgstorefs (\(.*\)) .*/\1/p' "$1/contrib/debian/changelog")
if [ "$program" != "$package" ]; then
    echo "meson.build says version $program, contrib/debian/changelog $package"
    exit 1
fi
echo "both are $program"
