#!/usr/bin/env bash
# A few hostile archives of our own making: FAILED with their code, and nothing outside is touched.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
"$python" -SE - "$www" "$work" <<'END'
import io, sys, tarfile
www, work = sys.argv[1:]
def make(name, *members):
    with tarfile.open(f"{www}/{name}.tar", "w") as t:
        for path, kind, target in members:
            m = tarfile.TarInfo(path)
            m.type, m.linkname, m.mode = kind, target, 0o755
            body = b"pwned\n" if kind == tarfile.REGTYPE else b""
            m.size = len(body)
            t.addfile(m, io.BytesIO(body))
F, D, L, H = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
make("dotdot", ("a/../../../../pwned", F, ""))
make("absolute", (work + "/pwned", F, ""))
make("through", ("d", L, work), ("d/pwned", F, ""))
make("hard", ("h", H, "../../../../etc/passwd"))
make("hard-nothing", ("h", H, "nothing"))
make("under-file", ("f", F, ""), ("f/x", F, ""))
make("root-file", (".", L, "/"), ("x", F, ""))
END
head -c 100000 /dev/urandom >"$www/noise.tar"
make_image cut tar.gz 200 >/dev/null
truncate -s 100000 "$www/cut.tar.gz"
make_image flip tar.gz 200 >/dev/null
printf 'X' | dd of="$www/flip.tar.gz" bs=1 seek="$(($(stat -c %s "$www/flip.tar.gz") - 6))" conv=notrunc 2>/dev/null
cp "$www/cut.tar.gz" "$www/tail.tar.gz"
make_image tail tar.gz 20 >/dev/null
echo trailing >>"$www/tail.tar.gz"
: >"$www/empty.tar"

start_daemon
while read -r file code; do
    fetch "$httpd/ok/$file" "$(digest "$www/$file")" "${file%%.*}"
    failed_with "${file%%.*}" "$code"
done <<END
dotdot.tar unsafe-path
absolute.tar unsafe-path
through.tar unsafe-path
hard.tar unsafe-link
hard-nothing.tar unsafe-link
under-file.tar unsafe-path
root-file.tar (unsafe-path|unsafe-link|corrupt-archive)
noise.tar (unsupported-format|corrupt-archive)
cut.tar.gz corrupt-archive
flip.tar.gz corrupt-archive
tail.tar.gz corrupt-archive
empty.tar (unsupported-format|corrupt-archive)
END
[ ! -e "$work/pwned" ] || fail "something was written outside"
is "what is kept unpacked" "$(find "$store/images" -mindepth 1 -maxdepth 1 ! -name '.trash-*')" ""
active good
