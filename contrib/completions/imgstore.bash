# bash completion for imgstore and imgstorefs: what may stand there, `imgstore __complete` knows.

# Bash cuts words at : = @, too. Here they are whole: ${words[@]}, up to and with the one under the
# cursor.
_imgstore_words()
{
    local line=${COMP_LINE:0:COMP_POINT} i word rest
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        rest=${line#"${line%%[![:space:]]*}"}
        if [ "$i" -gt 0 ] && [ "$rest" = "$line" ]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        line=${rest#"$word"}
    done
}

# What bash takes for the beginning of the word is not to be repeated.
_imgstore_offer()
{
    local word=${words[-1]} begun
    begun=${word%"${word##*[:=@]}"}
    COMPREPLY+=("${1#"$begun"}")
}

_imgstore()
{
    local words line candidate
    _imgstore_words
    COMPREPLY=()
    while IFS= read -r line; do
        candidate=${line%%$'\t'*}
        if [ "$candidate" = :files ]; then
            compopt -o filenames -o default 2>/dev/null
            while IFS= read -r candidate; do
                COMPREPLY+=("$candidate")
            done < <(compgen -f -- "${words[-1]}")
            return
        fi
        _imgstore_offer "$candidate"
    done < <("${words[0]/#\~/$HOME}" __complete "${words[@]:1}" 2>/dev/null)
}

# Its settings are in its --help, "  name=default  (ENVIRONMENT)" each.
_imgstorefs()
{
    local words line
    _imgstore_words
    COMPREPLY=()
    case ${words[-1]} in
        -*)
            while IFS= read -r line; do
                COMPREPLY+=("$line")
            done < <(compgen -W "$("${words[0]/#\~/$HOME}" --help 2>/dev/null | sed -n \
                -e 's/^  \([a-z_]*\)\(=[^ ]*\)\{0,1\}  (IMGSTORE_.*/--\1/p' \
                -e 's/^  .*\(--[a-z-]*\).*/\1/p')" -- "${words[-1]}")
            ;;
        *)
            compopt -o filenames -o default 2>/dev/null
            while IFS= read -r line; do
                COMPREPLY+=("$line")
            done < <(compgen -f -- "${words[-1]}")
            ;;
    esac
}

complete -F _imgstore imgstore
complete -F _imgstorefs imgstorefs
