# The application's volume and how to refuse; in front of database.sh and repository.sh.
#
# Environment: CONFIG_DIR (the volume), SCRATCH (a folder that the containers of the pod share).
# Exit code 78 (EX_CONFIG): refused, nothing was changed, and trying again cannot help.
set -eu
umask 077
data=$CONFIG_DIR
# Holds the id of a backup from before the first thing is exchanged until the last one is. While it is there no backend starts.
marker=$data/.restoring
# What a restore fetched (new) and what was there before (old), on the same file system: the exchange is renames.
work=$data/.restore
backup=$SCRATCH/backup

refuse() {
    echo "REFUSED: $*" >&2
    exit 78
}

# Removes what was fetched when nothing is exchanged after all.
tidy() {
    [ $? = 0 ] || [ -e "$marker" ] || rm -rf "$work"
}

# Whether an entry of the volume is the application's: not a filer's snapshots, not lost+found, not a folder of another file
# system or of another user. The copy of the secret key, and what a restore notes, never leave the volume.
is_ours() {
    [ -e "$1" ] || [ -L "$1" ] || return 1
    case ${1##*/} in
    secret_key | .key-fingerprint | .key-fingerprint.new | .restoring | .restore | lost+found) return 1 ;;
    .snapshot | .snapshots | '~snapshot' | .zfs) return 1 ;;
    esac
    [ -L "$1" ] || [ ! -d "$1" ] && return
    # By mode, since a backup sees the volume read-only.
    [ -n "$(find "$1" -prune \( -user "$(id -u)" -o -perm -020 -o -perm -002 \))" ] &&
        [ "$(stat -c %d "$1")" = "$(stat -c %d "$data")" ]
}
