# fish completion for kdiag
function __kdiag_complete
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l found ($program __complete fish $words (commandline -ct) 2>/dev/null)
    set -l head $found[1]
    if set -q found[2]
        printf '%s\n' $found[2..-1]
        return
    end
    switch "$head"
        case 'files*'
            __fish_complete_path (commandline -ct)
        case 'directories*'
            __fish_complete_directories (commandline -ct)
        case 'command*'
            __fish_complete_subcommand --fcs-skip=2
    end
end
complete -c kdiag -f -a '(__kdiag_complete)'
