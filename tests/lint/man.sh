#!/bin/sh
# mandoc and man have nothing to say of the man pages; nor are they wider than a terminal.
# usage: man.sh ROOT
set -eu
cd "$1/contrib/man"
if ! command -v mandoc >/dev/null; then
    echo "needs mandoc"
    exit 77
fi
# Which other pages are installed here says nothing of ours; tests/lint/manual.py looks at these.
said=$(mandoc -Tlint -W all ./*.[1-9] 2>&1 |
    grep -v -e 'STYLE: referenced manual not found: ' -e 'outdated mandoc.db lacks' || true)
if command -v man >/dev/null; then
    for page in *.[1-9]; do
        said=$said$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "./$page" 2>&1 >/dev/null |
            sed "s/^/man: $page: /")
    done
else
    echo "without man, whose --warnings are not seen"
fi
wide=$(for page in *.[1-9]; do
    mandoc -Tutf8 -O width=78 "$page" | LC_ALL=C.UTF-8 sed 's/.\x08//g' |
        LC_ALL=C.UTF-8 grep -E '^.{81,}' | sed "s/^/wider than 80 columns: $page: /" || true
done)
if [ -n "$said$wide" ]; then
    printf '%s\n' "$said" "$wide"
    exit 1
fi
echo "all man pages are as they should be"
