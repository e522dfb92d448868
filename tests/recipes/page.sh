# shellcheck shell=bash
# What the tests of the recipes share: the commands, taken from the page, and a place to run them in.
# Source it after functions.sh.
page=${BASH_SOURCE[0]%/*}/../../contrib/doc/recipes.md
page=$(realpath "$page")

# recipe NAME: its commands as the page has them.
recipe()
{
    awk -v mark="<!-- recipe: $1 -->" '
        $0 == mark { here = 1; next }
        here && $0 == "```" { exit }
        here && inside { print }
        here && $0 == "```sh" { inside = 1 }' "$page"
}

# The page's places and names are replaced by the test's: `instead FROM TO` adds one.
replaced=()
instead()
{
    local from
    from=$(sed 's/[][\.*^$|]/\\&/g' <<<"$1")
    replaced+=(-e "s|$from|$2|g")
}

# cooks NAME: runs it, where there is nothing else; its output is in $work/out and $work/err.
cooks()
{
    local script=$work/$1.sh
    recipe "$1" | sed "${replaced[@]}" -e "s|/run/imgstore|$mnt|g" >"$script"
    [ -s "$script" ] || fail "$page has no recipe $1"
    rm -rf "$work/kitchen"
    mkdir "$work/kitchen"
    [ ! -e "$work/images.txt" ] || cp "$work/images.txt" "$work/kitchen/"
    (cd "$work/kitchen" && exec timeout 120 bash -euo pipefail "$script") >"$work/out" 2>"$work/err" \
        </dev/null 9<&-
}

# cooked NAME: the same, and it must succeed.
cooked()
{
    cooks "$1" || fail "$1 ends with $?: $(cat "$work/out" "$work/err")"
}

# cooking NAME: the same in the background; $cook is its process.
cooking()
{
    cooks "$1" &
    cook=$!
    in_background $cook
}

# with PROGRAM…: needs them, and says which versions they are.
with()
{
    local p
    needs_program "$@"
    for p; do
        echo "with $("$p" --version 2>&1 | head -n1)"
    done
}

# The client, as it is called on the page.
mkdir "$work/bin"
ln -s "$IMGSTORE" "$work/bin/imgstore"
PATH=$work/bin:$PATH
export IMGSTORE_MOUNT=$mnt

# The test image in a folder, with a job in it that says it has begun, and goes on until it is told to
# stop.
make_plain()
{
    "${page%/doc/*}/scripts/create-test-image.sh" "$work/plain.tar" >/dev/null
    mkdir "$work/plain"
    tar -C "$work/plain" -xf "$work/plain.tar"
    cat >"$work/plain/srv/job" <<'END'
#!/bin/sh
cat /etc/os-release > /srv/began
until [ -e /srv/stop ]; do usleep 20000; done
echo "I have done it."
END
    chmod 755 "$work/plain/srv/job"
}

# And as an archive.
pack_web()
{
    tar -C "$work/plain" -c . | gzip -1 >"$www/web.tar.gz"
}

# fetch_web NAME…
fetch_web()
{
    local sum name
    sum=$(digest "$www/web.tar.gz")
    for name; do
        fetch "$httpd/ok/web.tar.gz" "$sum" "$name"
    done
}
