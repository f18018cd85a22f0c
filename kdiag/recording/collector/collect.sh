#!/bin/sh
# kdiag collector: writes down what kdiag reads of this machine, for machines without Python.
#
#   sh collect.sh -o FILE.tar                 then, where kdiag is:  kdiag check --from FILE.tar
#   ssh HOST sh -s < collect.sh > FILE.tar    or:  ssh HOST sh -s < collect.sh | kdiag check --from -
#
# Requires sh, cat and tar (with mkdir and rm); uses ls, awk, gzip, tr, id, dd and uname where they are. Changes nothing, runs no program of
# the machine but these, makes no calls of eBPF, and writes only into a private directory that it removes. Names,
# addresses and parameters that may be secrets are replaced or left out. Made by kdiag @VERSION@; do not edit.
set -eu
LC_ALL=C
export LC_ALL
umask 077
# For the tools of this script; programs are looked for in the caller's.
asked_path=${PATH:-}
PATH=/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}
export PATH

# Words of kdiag record: names that tell nothing, parameters of the kernel that may go out, and their values.
COMMON='@COMMON@'
PARAMETERS='@PARAMETERS@'
VALUES='@VALUES@'
WORDS='@WORDS@'
# Functions whose traceability the checks ask for.
FUNCTIONS='@FUNCTIONS@'

say() { printf '%s\n' "collect.sh: $*" >&2; }
die() {
    say "$@"
    exit 2
}
has() { command -v "$1" >/dev/null 2>&1; }

usage() {
    cat <<'USAGE'
usage: sh collect.sh [-o FILE] [-z]
       ssh HOST sh -s < collect.sh > FILE

Writes a recording of this machine that `kdiag check --from FILE` reads.

  -o FILE   write there; FILE must not exist. Without it, to a pipe or a redirected output
  -z        compress with gzip (FILE ending in .gz or .tgz does so as well)
  -h        show this text

It requires sh, cat and tar (with mkdir and rm), and a directory that it can write to: $TMPDIR, /tmp, /var/tmp, /dev/shm or /run.
What only system calls can tell (bpf(2), perf_event_open(2)) is unknown in the recording.
USAGE
}

# -- words of JSON -----------------------------------------------------------------------------------------------------

# The text as a string of JSON, in Q. Fails for what is not printable ASCII.
quoted() {
    case $1 in
    *[!\ -~]*) return 1 ;;
    *[\"\\]*) ;;
    *)
        Q=\"$1\"
        return 0
        ;;
    esac
    rest=$1 Q=''
    while :; do
        case $rest in
        *[\"\\]*)
            head=${rest%%[\"\\]*}
            rest=${rest#"$head"}
            Q=$Q$head\\${rest%"${rest#?}"}
            rest=${rest#?}
            ;;
        *) break ;;
        esac
    done
    Q=\"$Q$rest\"
}

# An entry of a table of the index. Each table is a file.
add() {
    if [ -s "$room/index/$1" ]; then comma=,; else comma=; fi
    printf '%s\n  %s' "$comma" "$2" >>"$room/index/$1"
}

absent() { if quoted "$1"; then add absent "$Q"; fi; }

# Why there is no answer: key, reason, errno.
gap() {
    quoted "$1" || return 0
    key=$Q
    quoted "$2" || Q='"it cannot be told"'
    add unavailable "$key: {\"reason\": $Q, \"errno\": ${3:-null}}"
}

# The errno and its words in E and W, by what a program said about it.
why() {
    case $1 in
    *"ermission denied"*) E=13 W='EACCES: Permission denied' ;;
    *"peration not permitted"*) E=1 W='EPERM: Operation not permitted' ;;
    *"nput/output error"* | *"I/O error"*) E=5 W='EIO: Input/output error' ;;
    *"o such device or address"*) E=6 W='ENXIO: No such device or address' ;;
    *"o such device"*) E=19 W='ENODEV: No such device' ;;
    *"nvalid argument"*) E=22 W='EINVAL: Invalid argument' ;;
    *"unction not implemented"*) E=38 W='ENOSYS: Function not implemented' ;;
    *"ot supported"*) E=95 W='EOPNOTSUPP: Operation not supported' ;;
    *"oo many levels of symbolic links"*) E=40 W='ELOOP: Too many levels of symbolic links' ;;
    *"resource temporarily unavailable"* | *"Resource temporarily unavailable"*) E=11 W='EAGAIN: Resource temporarily unavailable' ;;
    *) E=null W='it cannot be opened' ;;
    esac
}

# -- names that must not go out ----------------------------------------------------------------------------------------

# A line each: this machine's, and those of its users.
secret_names() {
    {
        # shellcheck disable=SC3028  # bash has it, and it may be in the environment
        printf '%s\n' "${HOSTNAME:-}" "${USER:-}" "${LOGNAME:-}" "${SUDO_USER:-}" "${DOAS_USER:-}"
        cat /proc/sys/kernel/hostname /etc/hostname 2>/dev/null || :
        if [ -r /etc/passwd ]; then
            while IFS=: read -r name _ number _; do
                case $number in '' | *[!0-9]*) continue ;; esac
                if [ "$number" -ge 1000 ] && [ "$number" -lt 60514 ]; then printf '%s\n' "$name"; fi
            done </etc/passwd
        fi
    } | while read -r name _; do
        name=${name%%.*}
        case " $COMMON " in *" $name "*) continue ;; esac
        case $name in '' | ? | ?? | *[!A-Za-z0-9._-]*) continue ;; esac
        printf '%s\n' "$name"
    done
}

# Whether a text has one of these names in it, or what looks like an address of the network or a key.
telling() {
    case $1 in
    *://*:*@* | *-----BEGIN* | *[Pp]assword[=:]* | *[Ss]ecret[=:]* | *[Tt]oken[=:]*) return 0 ;;
    esac
    for name in $names; do
        case " $1 " in *[!A-Za-z0-9]"$name"[!A-Za-z0-9]*) return 0 ;; esac
    done
    return 1
}

# The path as it is recorded, in P: a home says whose it is.
as_recorded() {
    P=$1
    case ${HOME:-} in '' | / | /root | /nonexistent | /var/* | /usr/*) return 0 ;; esac
    case $P in
    "$HOME") P=/home/user-1 ;;
    "$HOME"/*) P=/home/user-1${P#"$HOME"} ;;
    esac
}

# -- questions ---------------------------------------------------------------------------------------------------------

# 0 if a path is there, 1 if not, 2 if that cannot be told: E, W.
there() {
    if [ -e "$1" ] || [ -L "$1" ]; then return 0; fi
    above=$1
    while [ "$above" != / ]; do
        above=${above%/*}
        [ -n "$above" ] || above=/
        if [ -d "$above" ]; then
            if [ -x "$above" ]; then return 1; fi
            E=13 W='EACCES: Permission denied'
            return 2
        fi
        if [ -L "$above" ]; then
            said=$(ls -ld "$1" 2>&1) && return 0
            case $said in *"o such file"* | *"ot a directory"*) return 1 ;; esac
            why "$said"
            return 2
        fi
        if [ -e "$above" ]; then return 1; fi
    done
    return 1
}

# Notes a path that is not there, or of which that cannot be told, for a question; fails then.
found() {
    as_recorded "$2"
    there "$2" && return 0 || state=$?
    if [ "$state" = 1 ]; then absent "$P"; else gap "$1$P${3:-}" "$P: $W" "$E"; fi
    return 1
}

# `ls FLAGS PATH`, taken apart: KIND MODE OWNER GROUP SIZE TARGET.
look() {
    path=$2
    if ! has ls; then
        E=null W='the collector found no ls to tell its owner and mode'
        return 1
    fi
    if ! line=$(ls "$1" "$path" 2>&1); then
        why "$line"
        return 1
    fi
    set -f
    # shellcheck disable=SC2086  # it is to be split
    set -- $line
    set +f
    TARGET=
    case $1 in
    -*) KIND='file' ;;
    d*) KIND=dir ;;
    l*) KIND=link TARGET=${line#*" $path -> "} ;;
    p*) KIND=fifo ;;
    s*) KIND=socket ;;
    c*) KIND=char ;;
    b*) KIND=block ;;
    *) KIND=unknown ;;
    esac
    OWNER=${3:-} GROUP=${4:-} SIZE=${5:-}
    case $KIND in char | block) SIZE=0 ;; esac
    case $OWNER$GROUP$SIZE in '' | *[!0-9]*)
        E=null W="ls says nothing that can be read"
        return 1
        ;;
    esac
    rest=${1#?} special=0 plain=
    for bit in 4 2 1; do
        three=${rest%"${rest#???}"}
        rest=${rest#???}
        value=0
        case $three in r??) value=4 ;; esac
        case $three in ?w?) value=$((value + 2)) ;; esac
        case $three in ??[xst]) value=$((value + 1)) ;; esac
        case $three in ??[sStT]) special=$((special + bit)) ;; esac
        plain=$plain$value
    done
    MODE=$special$plain
}

# What stat(2) or lstat(2) says: key, flags, path.
noted() {
    if ! look "$2" "$3"; then
        gap "$1" "$P: $W" "$E"
        return 0
    fi
    quoted "$1" || return 0
    key=$Q link=''
    if [ "$KIND" = link ]; then
        real=$P
        as_recorded "$TARGET"
        quoted "$P" || Q='""'
        P=$real
        link=", \"target\": $Q"
    fi
    add stats "$key: {\"kind\": \"$KIND\", \"mode\": \"$MODE\", \"uid\": $OWNER, \"gid\": $GROUP, \"size\": $SIZE$link}"
}

lstat() { if found 'lstat ' "$1"; then noted "$P" -ldn "$1"; fi; }

stat() {
    found '' "$1" ' ->' || return 0
    if [ -e "$1" ]; then noted "$P ->" -ldnL "$1"; else
        said=$(ls -ldL "$1" 2>&1) || :
        case $said in *"o such file"* | *"ot a directory"*) absent "$P ->" ;; *)
            why "$said"
            gap "$P ->" "$P: $W" "$E"
            ;;
        esac
    fi
}

listdir() {
    found 'listdir ' "$1" || return 0
    if [ ! -d "$1" ]; then
        absent "listdir $P"
        return 0
    fi
    if has ls && ! said=$(ls "$1" 2>&1 >/dev/null); then
        why "$said"
        gap "listdir $P" "$P: $W" "$E"
        return 0
    fi
    quoted "$P" || return 0
    key=$Q comma=''
    {
        printf '%s: [' "$key"
        for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
            if [ -e "$entry" ] || [ -L "$entry" ]; then
                entry=${entry##*/}
                case $1 in */apt/lists | */apt/sources.list.d) public_list "$entry" || continue ;; esac
                if quoted "$entry"; then
                    printf '%s%s' "$comma" "$Q"
                    comma=', '
                fi
            fi
        done
        printf ']'
    } >"$room/listing"
    add listings "$(cat "$room/listing")"
}

# The magic of the file system that is mounted exactly there, else of the one around it.
filesystem() {
    found 'statfs ' "$1" || return 0
    # Looking into debugfs/tracing mounts tracefs there.
    if [ -e "$1/." ]; then cat /proc/self/mountinfo >"$room/mountinfo" 2>/dev/null || :; fi
    type='' best=''
    while read -r _ _ _ _ at _ tail; do
        case $1/ in "${at%/}"/*) ;; *) continue ;; esac
        case $at in "$best"*) ;; *) continue ;; esac
        tail=" $tail"
        tail=${tail#* - }
        type=${tail%% *} best=$at
    done <"$room/mountinfo" || :
    case $type in
@MAGICS@
    *) magic= ;;
    esac
    if [ -z "$magic" ]; then
        gap "statfs $P" "$P: the collector does not know the file system ${type:-there}"
        return 0
    fi
    if quoted "$P"; then add filesystems "$Q: $magic"; fi
}

which() {
    found=
    old=$IFS IFS=:
    set -f
    for directory in $asked_path; do
        case $directory in /*) ;; *) continue ;; esac
        if [ -f "$directory/$1" ] && [ -x "$directory/$1" ]; then
            found=$directory/$1
            break
        fi
    done
    set +f
    IFS=$old
    Q=null
    eval "in_$2=\${found%/*}"
    if [ -n "$found" ]; then
        as_recorded "$found"
        quoted "$P" || Q=null
    fi
    add which "\"$1\": $Q"
}

# A variable of the environment; the values of some are about the machine, not about the tools.
env() {
    eval "isset=\${$1+yes} value=\${$1-}"
    Q=null
    if [ -n "$isset" ]; then
        as_recorded "$value"
        value=$P
        case $1 in @PRIVATE@) value=redacted-1 ;; esac
        if [ -n "$value" ] && telling "$value"; then value=redacted-1; fi
        quoted "$value" || Q='"redacted-1"'
    fi
    add env "\"$1\": $Q"
}

# The content of a regular file of at most so many bytes: limit, rule, path. A file that waits is none of these.
read_file() {
    limit=$1 rule=$2
    found 'read ' "$3" || return 0
    target=$room/recording/root$P
    if [ -e "$target" ]; then return 0; fi
    case $3 in
    *trace_pipe* | */kmsg | /dev/*)
        gap "read $P" "$P: a file that waits for something; kdiag record reads it by system calls"
        return 0
        ;;
    esac
    if [ ! -f "$3" ]; then
        kind=thing
        if look -ldnL "$3"; then kind=$KIND; fi
        gap "read $P" "$P: a $kind, not a file"
        return 0
    fi
    SIZE=0
    look -ldnL "$3" || :
    if [ "$SIZE" -gt "$limit" ]; then
        gap "read $P" "$P: $SIZE bytes, more than the $limit that a sane one has"
        return 0
    fi
    if [ "$SIZE" -gt @KEEP@ ]; then
        gap "read $P" "$P: its $SIZE bytes were left out of the recording"
        return 0
    fi
    case $rule in
    left_out)
        gap "read $P" "$P: left out; only kdiag record makes it small, or free of secrets"
        return 0
        ;;
    esac
    mkdir -p "${target%/*}"
    if ! cat "$3" >"$room/copy" 2>"$room/said"; then
        why "$(cat "$room/said")"
        gap "read $P" "$P: $W" "$E"
        return 0
    fi
    if "rule_$rule" <"$room/copy" >"$target"; then return 0; fi
    rm -f "$target"
    gap "read $P" "$P: left out, since it may hold names or secrets of this machine"
}

# The first bytes of a file that may be large: size, path.
head_of() {
    found 'head ' "$2" || return 0
    if [ ! -f "$2" ]; then
        gap "head $P" "$P: not a file"
        return 0
    fi
    target=$room/recording/root$P
    if [ -e "$target" ]; then return 0; fi
    mkdir -p "${target%/*}"
    if ! has dd; then
        gap "head $P" "$P: the collector found no dd to read its first bytes"
        return 0
    fi
    if ! dd if="$2" bs="$1" count=1 >"$room/copy" 2>"$room/said"; then
        why "$(cat "$room/said")"
        gap "head $P" "$P: $W" "$E"
        return 0
    fi
    case $2 in
    /proc/kallsyms) rule_symbols <"$room/copy" >"$target" ;;
    *) cat "$room/copy" >"$target" ;;
    esac
    if quoted "$P"; then add heads "$Q: $1"; fi
}

# -- rules: what of a file may go out ----------------------------------------------------------------------------------

rule_opaque() { cat; }

# Text without a secret is kept as it is; one with a name in it is left out.
rule_text() {
    text=$(cat 2>/dev/null; printf .) 2>/dev/null
    text=${text%.}
    if telling "$text"; then return 1; fi
    cat "$room/copy"
}

# Addresses say where the kernel lies.
rule_symbols() {
    while read -r address rest; do
        case $address in *[!0]*) address=ffffffffff000001 ;; esac
        printf '%s %s\n' "$address" "$rest"
    done
}

# Parameters that the checks know, with values of the kernel's own words; of others the name.
rule_command_line() {
    read -r line || :
    result='' ours=yes
    set -f
    for word in $line; do
        name=${word%%=*}
        case $word in
        --) ours= ;;
        *=*)
            case " $PARAMETERS " in
            *" $name "*)
                value=${word#*=} bad=''
                old=$IFS IFS=,
                for part in $value; do
                    case " $VALUES " in *" $part "*) ;; *) case $part in ? | ?? | ??? | ????) case $part in *[!0-9]*) bad=yes ;; esac ;; *) bad=yes ;; esac ;; esac
                done
                IFS=$old
                if [ -n "$bad" ]; then word=$name=redacted-1; fi
                ;;
            *) word=redacted-1 ;;
            esac
            ;;
        *) case " $WORDS " in *" $word "*) ;; *) word=redacted-1 ;; esac ;;
        esac
        if [ -z "$ours" ] && [ "$word" != -- ]; then word=redacted-1; fi
        result="$result${result:+ }$word"
    done
    set +f
    printf '%s\n' "$result"
}

# mountinfo(5): whose volume, share or image is mounted tells of a machine.
rule_mounts() {
    set -f
    while read -r id parent device root at options tail; do
        tail=" $tail"
        optional=${tail%% - *}
        tail=${tail#* - }
        type=${tail%% *}
        tail=${tail#* }
        source=${tail%% *}
        super=${tail#* }
        case $root in / | /proc | /sys | /null | /zero | /full | /random | /urandom | /tty) ;; *) root=/redacted-1 ;; esac
        if telling "$at"; then at=/redacted-1; fi
        case $at in /home/?*) at=/home/user-1 ;; esac
        case $source in
        "$type" | none | systemd-1 | udev | shm | cgroup | cgroup2 | tmpfs | devtmpfs | overlay | rootfs | sunrpc | nsfs | lxcfs) ;;
        /dev/root | /dev/fuse | /dev/[shv]d[a-z] | /dev/[shv]d[a-z][0-9] | /dev/nvme[0-9]n[0-9] | /dev/nvme[0-9]n[0-9]p[0-9]) ;;
        *) source=redacted-1 ;;
        esac
        result=
        old=$IFS IFS=,
        for option in $super; do
            case $option in
            mode=* | size=* | nr_inodes=* | gid=* | uid=* | hidepid=* | subset=*) case ${option#*=} in *[!0-9A-Za-z.%-]*) option=${option%%=*}=redacted-1 ;; esac ;;
            *=*) option=${option%%=*}=redacted-1 ;;
            *) if telling "$option"; then option=redacted-1; fi ;;
            esac
            result="$result${result:+,}$option"
        done
        IFS=$old
        printf '%s %s %s %s %s %s%s - %s %s %s\n' "$id" "$parent" "$device" "$root" "$at" "$options" "$optional" "$type" "$source" "$result"
    done
    set +f
}

rule_processors() {
    while IFS= read -r line; do
        case $line in [Ss]erial*) ;; *) printf '%s\n' "$line" ;; esac
    done
}

# Who built a distribution's kernel is public, who built one at home is not.
rule_kernel_version() {
    IFS= read -r line || :
    case $line in
    @BUILDERS@) ;;
    "Linux version "*" ("*@*") "*)
        before=${line%%" ("*} after=${line#*" ("}
        line="$before (user-1@host-1) ${after#*") "}"
        ;;
    esac
    printf '%s\n' "$line"
}

# Only strings can tell secrets, most of all a command line that is built in.
rule_kernel_config() {
    IFS= read -r line || :
    case $line in
    "$(printf '\037\213')"*)
        has gzip || return 1
        gzip -dc <"$room/copy" 2>/dev/null >"$room/config" || return 1
        rule_options <"$room/config"
        ;;
    *) rule_options <"$room/copy" ;;
    esac
}
rule_options() {
    while IFS= read -r line; do
        case $line in
        CONFIG_CMDLINE=* | CONFIG_BOOT_CONFIG*=\"*) printf '%s=""\n' "${line%%=*}" ;;
        CONFIG_*=\"*\") if telling "$line"; then printf '%s=""\n' "${line%%=*}"; else printf '%s\n' "$line"; fi ;;
        *) printf '%s\n' "$line" ;;
        esac
    done
}

# Variables that are about the tools; the others not even by name.
rule_environment() {
    has tr || return 1
    tr '\0' '\n' | while IFS= read -r line; do
        case $line in
        @ENVIRONMENT@) if ! telling "$line"; then printf '%s\0' "$line"; fi ;;
        esac
    done
}

rule_dpkg() {
    has awk || return 1
    awk '
    function flush() { if (keep) printf "%s\n", stanza; stanza = ""; keep = 0 }
    /^Package:/ { keep = $2 ~ /@INTERESTING@/; headers = $2 ~ /headers/ }
    /^(Package|Status|Version|Architecture):/ { stanza = stanza $0 "\n" }
    /^Depends:/ { if (headers) stanza = stanza $0 "\n" }
    /^$/ { flush() }
    END { flush() }'
}

rule_apk() {
    has awk || return 1
    awk '/^[PVA]:/ { print } /^$/ { print }'
}

# Of apt: which suites are used. Whose mirror they come from stays only where it is everybody's.
rule_sources() {
    set -f
    while IFS= read -r line; do
        # shellcheck disable=SC2086  # it is to be split
        set -- $line
        [ $# -gt 0 ] || {
            printf '\n'
            continue
        }
        case $1 in
        deb)
            shift
            case ${1:-} in '['*) while [ $# -gt 0 ]; do
                last=$1
                shift
                case $last in *']') break ;; esac
            done ;; esac
            public_uri "${1:-}"
            printf 'deb %s %s main\n' "$U" "${2:-}"
            ;;
        Types:) printf '%s\n' "$line" ;;
        URIs:)
            public_uri "${2:-}"
            printf 'URIs: %s\n' "$U"
            ;;
        Suites:) printf '%s\n' "$line" ;;
        Enabled:) printf '%s\n' "$line" ;;
        esac
    done
    set +f
}
public_uri() {
    U=http://mirror.invalid/
    case $1 in *@* | *\?*) ;;
    @PUBLIC_URIS@) U=$1 ;;
    esac
}
public_list() {
    case $1 in
    lock | partial | auxfiles | *.bak | @PUBLIC_FILES@ | @PUBLIC_LISTS@) return 0 ;;
    esac
    return 1
}

# Lines of the functions that are asked for.
rule_functions() {
    while read -r name rest; do
        case " $FUNCTIONS " in *" $name "*) printf '%s\n' "$name${rest:+ }$rest" ;; esac
    done
}

# -- who asks, and which kernel -----------------------------------------------------------------------------------------

kernel() {
    system=$(cat /proc/sys/kernel/ostype 2>/dev/null) || system=Linux
    release=$(cat /proc/sys/kernel/osrelease 2>/dev/null) || release=$(uname -r 2>/dev/null) || release=
    version=$(cat /proc/sys/kernel/version 2>/dev/null) || version=$(uname -v 2>/dev/null) || version=
    machine=$(uname -m 2>/dev/null) || machine=$(cat /proc/sys/kernel/arch 2>/dev/null) || machine=
    case $release$machine in *[!A-Za-z0-9._+~-]*) die "this is no release and machine of a kernel: $release, $machine" ;; esac
    uname=null
    if [ -n "$release" ] && [ -n "$machine" ] && quoted "$version"; then
        uname="{\"sysname\": \"$system\", \"release\": \"$release\", \"version\": $Q, \"machine\": \"$machine\"}"
    fi
}

# Numbers of the user and its groups, and how much memory it may lock.
user() {
    uid='' euid='' groups='' soft=-1 hard=-1
    while read -r name first second rest; do
        case $name in
        Uid:) uid=$first euid=$second ;;
        Groups:)
            for number in $first $second $rest; do groups=$groups${groups:+, }$number; done
            ;;
        esac
    done 2>/dev/null </proc/self/status || :
    if [ -z "$uid" ]; then uid=$(id -ru 2>/dev/null) && euid=$(id -u 2>/dev/null) || uid=; fi
    identity=null
    limits=
    while read -r name word third fourth fifth _; do
        if [ "$name $word $third" = "Max locked memory" ]; then soft=$fourth hard=$fifth limits=yes; fi
    done 2>/dev/null </proc/self/limits || :
    [ "$soft" != unlimited ] || soft=-1
    [ "$hard" != unlimited ] || hard=-1
    if [ -n "$uid" ] && [ -n "$limits" ]; then
        identity="{\"uid\": $uid, \"euid\": $euid, \"groups\": [$groups], \"memlock\": [$soft, $hard], \"interpreter\": \"\"}"
    fi
}

# -- the questions of the checks -----------------------------------------------------------------------------------------

questions() {
    :
@QUESTIONS@
}

# -- from here to a tar ------------------------------------------------------------------------------------------------

make_room() {
    for place in "${TMPDIR:-}" /tmp /var/tmp /dev/shm /run /mnt; do
        if [ -n "$place" ] && [ -d "$place" ] && [ -w "$place" ]; then
            room=$(mktemp -d "$place/kdiag-collect.XXXXXX" 2>/dev/null) || room=
            if [ -z "$room" ] && mkdir "$place/kdiag-collect.$$" 2>/dev/null; then room=$place/kdiag-collect.$$; fi
            if [ -n "$room" ]; then return 0; fi
        fi
    done
    # shellcheck disable=SC2016  # the name is meant
    die 'there is no directory to write to ($TMPDIR, /tmp, /var/tmp, /dev/shm, /run are read-only or not there). As root,' \
        'mount one and try again: mount -t tmpfs tmpfs /mnt; in a container: docker run --tmpfs /tmp ...'
}

write_index() {
    {
        printf '{\n "schema": "kdiag.recording/1",\n "kdiag": "@VERSION@",\n "collector": "@VERSION@",\n "root": "/"'
        printf ',\n "redacted": {},\n "uname": %s,\n "identity": %s' "$uname" "$identity"
        for table in env stats listings filesystems which heads unavailable; do
            printf ',\n "%s": {' "$table"
            if [ -e "$room/index/$table" ]; then cat "$room/index/$table"; fi
            printf '\n }'
        done
        printf ',\n "absent": ['
        if [ -e "$room/index/absent" ]; then cat "$room/index/absent"; fi
        printf '\n ]\n}\n'
    } >"$room/recording/recording.json"
}

# A tar without names of users: GNU tar and busybox take other options.
packed() {
    cd "$room"
    for options in '--owner=0 --group=0 --numeric-owner' --numeric-owner ''; do
        # shellcheck disable=SC2086  # several options
        if tar $options -cf packed.tar recording/recording.json recording/root 2>/dev/null; then break; fi
        rm -f packed.tar
    done
    cd /
    [ -s "$room/packed.tar" ] || die "tar cannot write a tar; is there room left in $room?"
    if [ -n "$compress" ]; then
        gzip -c "$room/packed.tar" >"$room/packed.gz"
        archive=$room/packed.gz
    else
        archive=$room/packed.tar
    fi
}

main() {
    output='' compress=''
    while getopts ho:z option; do
        case $option in
        h)
            usage
            exit 0
            ;;
        o) output=$OPTARG ;;
        z) compress=yes ;;
        *)
            usage >&2
            exit 2
            ;;
        esac
    done
    shift $((OPTIND - 1))
    [ $# = 0 ] || die "unexpected argument: $1; the options are -o FILE, -z, -h"
    if [ -z "$output" ] && [ -t 1 ]; then die 'where to? -o FILE, or send the output to a file or a pipe'; fi
    case $output in *.gz | *.tgz) compress=yes ;; esac
    if [ -n "$output" ] && { [ -e "$output" ] || [ -L "$output" ]; }; then die "$output exists; name a new file"; fi
    case $output in '' | /*) ;; *) output=$(pwd)/$output ;; esac
    for tool in cat tar mkdir rm; do has "$tool" || die "$tool is not there, which is required"; done
    if [ -n "$compress" ]; then has gzip || die 'gzip is not there: leave out -z'; fi
    [ -r /proc/self/mountinfo ] || say '/proc is not mounted: most answers will be unknown'
    room=
    trap '[ -z "$room" ] || rm -rf "$room"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' HUP TERM
    make_room
    mkdir "$room/index" "$room/recording" "$room/recording/root"
    cat /proc/self/mountinfo >"$room/mountinfo" 2>/dev/null || :
    names=$(secret_names)
    kernel
    user
    questions
    write_index
    packed
    if [ -n "$output" ]; then
        set -C
        cat "$archive" >"$output" || die "$output cannot be written"
        say "$output: play it back with: kdiag check --from $output"
    else
        cat "$archive"
    fi
}

main "$@"
