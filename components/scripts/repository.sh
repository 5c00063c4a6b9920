# The repository's half of a backup, in restic's image: keep | fetch ID | list
#
# restic encrypts, deduplicates, verifies and forgets; here is only what goes in, and that it comes out again.
# Environment: RESTIC_REPOSITORY, RESTIC_PASSWORD and what an object store asks for; IDENTITY (the stack, restic's host),
# KEEP (how many snapshots stay), RUN (any word that no other run has).

# Old locks of pods that were killed are removed; a lock that is held is waited for.
restic() {
    command restic --quiet --retry-lock=1h "$@"
}

opened() {
    code=0
    restic cat config > /dev/null 2> "$SCRATCH/said" || code=$?
    case $code in
    0) restic unlock ;;
    10) [ "$1" = keep ] || refuse "there is no repository at $RESTIC_REPOSITORY: nothing was ever backed up there" ;;
    12) refuse "the repository at $RESTIC_REPOSITORY has another password. It is another stack's, or backup.password changed" ;;
    *)
        cat "$SCRATCH/said" >&2
        exit "$code"
        ;;
    esac
    [ "$code" = 0 ] || restic init
}

leave_out() {
    if is_ours "$1"; then return; fi
    [ -e "$1" ] || [ -L "$1" ] || return 0
    echo "$1" >> "$SCRATCH/left-out"
    echo "left out: $1"
}

keep() {
    : > "$SCRATCH/left-out"
    for entry in "$data"/* "$data"/.[!.]* "$data"/..?*; do leave_out "$entry"; done
    set -- --host="$IDENTITY" --tag=skillflaw --tag="run=$RUN"
    while read -r fact; do
        case $fact in
        schema=* | extension=* | owner=*) ;;
        *) set -- "$@" --tag="$fact" ;;
        esac
    done < "$backup/manifest"
    # 3: a file could not be read. One of a running application may be gone by then; one that stays unreadable would be missing.
    for _ in 1 2 3; do
        code=0
        restic backup "$@" --one-file-system --exclude-file="$SCRATCH/left-out" "$backup" "$data" || code=$?
        [ "$code" = 3 ] || break
        restic forget --host="$IDENTITY" --tag="run=$RUN" --unsafe-allow-remove-all --group-by=host
    done
    [ "$code" = 0 ] || exit "$code"
    id=$(restic snapshots --host="$IDENTITY" --tag="run=$RUN" --json | sed 's/.*"short_id":"\([0-9a-f]*\)".*/\1/')
    # What was restored in the trial server is what the repository gives back, byte for byte.
    restic dump "$id" "$backup/database.dump" | cmp - "$backup/database.dump"
    # The new one stays whatever its clock says.
    restic forget --host="$IDENTITY" --tag=skillflaw --group-by=host --keep-last="$KEEP" --keep-tag="run=$RUN" --prune
    # All data within ten days, at one run a day.
    restic check --read-data-subset="$(($(date +%s) / 86400 % 10 + 1))/10"
    echo "backup $id: $(wc -l < "$backup/rows") tables restored in the trial server and read back"
}

# unpack SNAPSHOT:FOLDER TARGET, without owners and times: a file system may have fixed ones, and nobody asks for them.
unpack() {
    rm -f "$SCRATCH/torn"
    { restic dump --archive=tar "$1" / || : > "$SCRATCH/torn"; } | tar -x -m -o -f - -C "$2"
    [ ! -e "$SCRATCH/torn" ]
}

fetch() {
    trap tidy EXIT
    id=$1
    restic cat snapshot "$id" > /dev/null || refuse "no backup $id"
    rm -rf "$backup"
    mkdir -p "$backup"
    unpack "$id:$backup" "$backup"
    echo "$id" > "$backup/id"
    if [ "$(cat "$work/fetched" 2> /dev/null)" = "$id" ]; then return; fi
    rm -rf "$work/new" "$work/fetched"
    mkdir -p "$work/new"
    needed=$(restic stats --mode=restore-size --json "$id" | sed 's/.*"total_size":\([0-9]*\).*/\1/')
    free=$(df -Pk "$data" | awk 'END { print $4 }')
    [ "$((needed / 1024))" -lt "$free" ] ||
        refuse "the volume has $free KiB left, and the files of backup $id take up to $((needed / 1024)) next to those that are there"
    unpack "$id:$data" "$work/new"
    echo "$id" > "$work/fetched"
}

list() {
    restic snapshots --tag=skillflaw --json
}

opened "$1"
"$@"
