"""The scripts that make bash, zsh and fish complete kdiag's command line: each asks `kdiag __complete`, so that none of
them knows a command or an option, and none grows old.
"""

from __future__ import annotations

import re

SHELLS = ("bash", "zsh", "fish")

#: bash breaks words at `:` and `=` (COMP_WORDBREAKS): kdiag gets the line, and answers what comes after the last break.
_BASH = r"""# bash completion for kdiag
_kdiag() {
    local IFS=$'\n' program=${1/#\~\//$HOME/} typed=${COMP_LINE:0:COMP_POINT} head line
    local -a found
    COMPREPLY=()
    mapfile -t found < <("$program" __complete bash "$typed" "$COMP_WORDBREAKS" 2>/dev/null)
    head=${found[0]-}
    for line in "${found[@]:1}"; do
        COMPREPLY+=("${line%%$'\t'*}")
    done
    case $head in
    *" open") compopt -o nospace ;;
    esac
    case $head in
    files*) compopt -o default ;;
    directories*) compopt -o dirnames ;;
    command*)
        head=${head#command }
        if declare -F _comp_command_offset >/dev/null; then
            _comp_command_offset "${head%% *}"
        elif declare -F _command_offset >/dev/null; then
            _command_offset "${head%% *}"
        elif ((COMP_CWORD == ${head%% *})); then
            mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
        else
            compopt -o default
        fi
        ;;
    esac
}
complete -F _kdiag kdiag
"""

_ZSH = r"""#compdef kdiag
# zsh completion for kdiag
_kdiag() {
    local head line
    local -a found values shown closed
    found=("${(@f)$("${(Q)words[1]/#\~\//$HOME/}" __complete zsh "${(@Q)words[1,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
    head=$found[1]
    shift found
    for line in $found; do
        [[ -n $line ]] || continue
        values+=("${line%%$'\t'*}")
        if [[ -n ${line#*$'\t'} ]]; then
            shown+=("${line%%$'\t'*}  -- ${line#*$'\t'}")
        else
            shown+=("${line%%$'\t'*}")
        fi
    done
    if (($#values)); then
        [[ $head == *" open" ]] && closed=(-S '')
        compadd -M 'm:{a-z}={A-Z}' $closed -l -d shown -a values
        return
    fi
    case $head in
    files*) _files ;;
    directories*) _files -/ ;;
    command*)
        head=${${head#command }%% *}
        shift $head words
        ((CURRENT -= head))
        _normal
        ;;
    esac
}
if [[ $funcstack[1] == _kdiag ]]; then
    _kdiag "$@"
else
    (($+functions[compdef])) || { autoload -Uz compinit && compinit }
    compdef _kdiag kdiag
fi
"""

_FISH = r"""# fish completion for kdiag
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
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


#: Where a script says which word it completes.
_WORD = re.compile(
    r"(?<=^complete -F _kdiag )kdiag|(?<=compdef _kdiag )kdiag|(?<=^#compdef )kdiag|(?<=^complete -c )kdiag",
    re.M,
)


def script(shell: str, name: str = "kdiag") -> str:
    """The script for one of `SHELLS`. name: what kdiag is called."""
    return _SCRIPTS[shell] if name == "kdiag" else _WORD.sub(name, _SCRIPTS[shell])
