
# ---- as an ordinary user: see ordinary.sh

needs_mounts()
{
    [ "$(stat -f -c %T "$work")" != overlayfs ] ||
        skip "$work lies on an overlay, which cannot hold writable layers: set TMPDIR"
}

# What he has mounted he takes away himself.
let_go()
{
    local m
    while read -r m; do
        fusermount3 -uz "$m"
    done < <(mounts_below "$work" | tac)
}

# served: how many processes serve writable layers.
served()
{
    pgrep -r D,R,S,T -u "$UID" -c -x fuse-overlayfs || true
}

none_served()
{
    [ "$(served)" = 0 ]
}
