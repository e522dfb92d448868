# For tests of the client. Source it after functions.sh.

export IMGSTORE_MOUNT=$mnt

# exits CODE CMD…: it must end with that; what it says is in $out and $err.
exits()
{
    local want=$1 got=0
    shift
    timeout 60 "$@" >"$work/out" 2>"$work/err" || got=$?
    out=$(<"$work/out") err=$(<"$work/err")
    [ "$got" = "$want" ] || fail "exits with $got, not $want: $* ($out $err)"
}

# make_system NAME: a tree as make_tree makes it, and in it what a shell needs, of busybox.
make_system()
{
    local t=$work/trees/$1 program
    make_tree "$1"
    mkdir -p "$t"/{proc,sys,dev,run,root}
    cp "$(command -v busybox)" "$t/bin/busybox"
    for program in sh ls cat echo true false sleep id mount ps tty stty env touch rm kill pwd; do
        ln -s busybox "$t/bin/$program"
    done
    cp "$t/bin/hello" "$t/bin/myshell"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$t/etc/passwd"
    echo 'nameserver 192.0.2.1' >"$t/etc/resolv.conf"
}

# active_system NAME: it, fetched.
active_system()
{
    local sum
    make_system "$1"
    sum=$(pack "$1" tar.gz)
    fetch "$httpd/ok/$1.tar.gz" "$sum" "$1"
    wait_state "$1" ACTIVE
}

# upper NAME: what is in its writable layer, a path each.
upper()
{
    (cd "$store/overlays/$1/upper" && find . -mindepth 1 | sort)
}
