# What the tests of imports share. Source it behind functions.sh.

imports_left()
{
    find "$store/blobs" -name '.import-*' -print
    find "$store/images" -maxdepth 1 -name 'import-*' -print
}

none_listed()
{
    [ -z "$(ls -A "$mnt/import")" ]
}

no_imports_left()
{
    [ -z "$(imports_left)" ]
}

# Neither a file of an import, nor a part of what was unpacked of it, nor its name.
nothing_of_imports()
{
    eventually 10 no_imports_left
    eventually 10 none_listed
}

# broken_off NAME WORD: import/NAME has left nothing but its line, which holds WORD.
broken_off()
{
    eventually 10 logged "$1" "$2"
    [ ! -e "$mnt/images/$1" ] || fail "$1 was broken off, and is an image"
    eventually 10 [ ! -e "$mnt/import/$1" ]
    nothing_of_imports
}

logged()
{
    grep -Eq "^$time_re import/$1 .*$2" "$mnt/ctl/error_log"
}
