# fish completion for imgstore and imgstorefs: what may stand there, `imgstore __complete` knows.

function __imgstore_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] "$word" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$word"
        else
            echo $line
        end
    end
end

# Its settings are in its --help, "  name=default  (ENVIRONMENT)" each.
function __imgstorefs_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    if string match -q -- '-*' "$word"
        $words[1] --help 2>/dev/null | sed -n \
            -e 's/^  \([a-z_]*\)\(=[^ ]*\)\{0,1\}  (IMGSTORE_.*/--\1/p' \
            -e 's/^  .*\(--[a-z-]*\).*/\1/p'
    else
        __fish_complete_path "$word"
    end
end

complete -c imgstore -f -a '(__imgstore_complete)'
complete -c imgstorefs -f -a '(__imgstorefs_complete)'
