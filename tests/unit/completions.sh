#!/bin/bash
# What a shell offers, over a tree of plain files, asked as the shell itself asks.
# usage: completions.sh IMGSTORE FOLDER none|bash|zsh|fish     FOLDER: contrib/completions
. "${0%/*}/plain_tree.sh"
here=$(cd "${0%/*}" && pwd) folder=$(realpath "$2") shell=$3
if [ "$shell" != none ] && ! command -v "$shell" >/dev/null; then
    echo "SKIP: needs $shell"
    exit 77
fi
mkdir "$dir/bin"
ln -s "$client" "$dir/bin/imgstore"
export PATH=$dir/bin:$PATH IMGSTORE_MOUNT=$tree HOME=$dir
fresh
image web ACTIVE
image web-old STORED
image bad FAILED
snapshot web build ACTIVE
snapshot web broken FAILED
cd "$dir" || exit 99
touch file-1 'file 2'

words_of() { # LINE: $words, as the client gets them
    read -ra words <<<"$1"
    [ "$1" = "${1% }" ] || words+=('')
}

# offered LINE: the candidates for its last word, sorted, with a blank between.
offered() {
    local words
    case $shell in
        none)
            words_of "$1"
            "$client" __complete "${words[@]:1}" | cut -f1
            ;;
        bash) bash -c '
                . "$1/imgstore.bash"
                COMP_LINE=$2 COMP_POINT=${#2} word=
                # As readline cuts it: at blanks, and at each run of : = @.
                IFS=$'"'\n'"' read -rd "" -a COMP_WORDS < <(grep -oE "[:=@]+|[^:=@ ]+" <<<"$2")
                [ "$2" = "${2% }" ] || COMP_WORDS+=("")
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                "_${COMP_WORDS[0]}" "${COMP_WORDS[0]}"
                [ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' - "$folder" "$1" ;;
        fish) fish -c 'source "$argv[1]/imgstore.fish"; complete -C "$argv[2]"' "$folder" "$1" |
            cut -f1 ;;
    esac | sort | tr '\n' ' '
}

offers() { # LINE CANDIDATES
    is "what $shell offers for '$1'" "$(offered "$1")" "${2:+$2 }"
}

# The daemon's own settings are in its --help.
printf '#!/bin/sh\necho "  -h, --help    this text"; echo "  log_level=info  (IMGSTORE_LOG_LEVEL)"\n' \
    >"$dir/bin/imgstorefs"
chmod +x "$dir/bin/imgstorefs"

# Of zsh it is the line that counts: before, and after TAB.
try_zsh_alone() {
    local i got lines=(
        'imgstore deact' 'imgstore deactivate '
        'imgstore activate ' 'imgstore activate web-old '
        'imgstore shell web@' 'imgstore shell web@build '
        'imgstore fetch x y z --wa' 'imgstore fetch x y z --wait '
        'imgstore worker file-' 'imgstore worker file-1 '
        'imgstore --mount=/nowhere activate we' 'imgstore --mount=/nowhere activate we'
        'imgstorefs --log' 'imgstorefs --log_level ')
    local before=() after=()
    for ((i = 0; i < ${#lines[@]}; i += 2)); do
        before+=("${lines[i]}")
        after+=("${lines[i + 1]}")
    done
    mapfile -t got < <(python3 "$here/completions.py" "$folder" "${before[@]}" 2>&1)
    for i in "${!before[@]}"; do
        is "what zsh makes of '${before[i]}'" "${got[i]-}" "${after[i]}"
    done
    finish
}
[ "$shell" != zsh ] || try_zsh_alone

offers 'imgstore deact' deactivate
offers 'imgstore st' status
offers 'imgstore activate ' web-old
offers 'imgstore activate web-old ' ''
offers 'imgstore deactivate ' web
offers 'imgstore retry ' bad
offers 'imgstore cancel ' ''
offers 'imgstore remove we' 'web web-old'
offers 'imgstore remove web we' web-old
offers 'imgstore logs web ' ''
offers 'imgstore shell bad' ''
offers 'imgstore snapshot web b' 'broken build'
offers 'imgstore snapshot web --re' '--remove --rename'
offers 'imgstore shell web --he' ''
offers 'imgstore logs --follow b' bad
offers 'imgstore logs -n 3 b' bad
offers "imgstore --mount $tree retry " bad
offers 'imgstore --mount /nowhere retry ' ''
offers 'imgstore nonsense ' ''
case $shell in
    none)
        offers 'imgstore shell w' 'web web@build'
        offers 'imgstore status web@' 'web@broken web@build'
        offers "imgstore --mount=$tree retry " bad
        offers 'imgstore worker f' :files
        is "described" "$("$client" __complete retry '')" $'bad\tFAILED'
        is "without a tree" "$(IMGSTORE_MOUNT=/nowhere "$client" __complete status '' 2>&1)" ""
        is "nothing at all" "$("$client" __complete)" ""
        "$client" __complete '' | cut -f1 | grep -qx list || is "commands" no list
        "$client" __complete '' | grep -q __complete && is "itself" shown hidden
        "$client" __complete -- | cut -f1 | grep -qx -e --json || is "options" no --json
        ;;
    bash) # what stands before the @ is there already
        offers 'imgstore shell web@' build
        offers 'imgstore status web@b' 'broken build'
        offers "imgstore --mount=$tree retry " bad
        offers 'imgstore worker file' 'file 2 file-1'
        ;;
    fish)
        offers 'imgstore shell w' 'web web@build'
        offers 'imgstore status web@' 'web@broken web@build'
        offers 'imgstore worker file' 'file 2 file-1'
        ;;
esac

if [ "$shell" != none ]; then
    offers 'imgstorefs --' '--help --log_level'
    offers 'imgstorefs --log' '--log_level'
    offers 'imgstorefs file-' file-1
fi
finish
