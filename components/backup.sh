# Takes and restores backups, inside the PostgreSQL image: sh backup.sh take | check ID|latest | restore ID
#
# A backup is a folder named after the moment it began (20260131T030000Z):
#   database.dump     pg_dump, custom format
#   files.tar.gz      the application's volume, without the copy of the key that the application leaves there
#   key-fingerprint   which secret key opens what is encrypted in both
#   images            what ran
#   rows              rows per table, counted in the trial server after the dump was restored there
#   checksums         SHA-256 of all of these
# It gets that name last, so a folder without a leading dot is a backup that was restored once.
#
# Environment: BACKUPS and CONFIG_DIR (folders), DATABASE_URL, PGPASSWORD (of the trial server), IMAGES (one a
# line), KEEP (how many), REFUSED (exit code where trying again cannot help).
set -eu
umask 077
# A driver's name after the scheme is SQLAlchemy's, not PostgreSQL's.
live=$(printf %s "$DATABASE_URL" | sed 's/^postgres[a-z]*+[a-z0-9]*:/postgresql:/')
trial="host=127.0.0.1 user=trial dbname=trial"

refuse() {
    echo "REFUSED: $*" >&2
    exit "$REFUSED"
}

finished() {
    ls "$BACKUPS" | grep '^[0-9]' | sort
}

rows() {
    psql --no-psqlrc --set=ON_ERROR_STOP=1 --no-align --tuples-only --dbname="$1" --command="
        SELECT table_name, (xpath('/row/n/text()', query_to_xml(
            format('SELECT count(*) AS n FROM public.%I', table_name), false, true, '')))[1]
        FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1"
}

# All or nothing: the transaction is committed only after pg_restore has read the whole dump.
load() {
    {
        echo 'BEGIN; DROP SCHEMA public CASCADE; CREATE SCHEMA public;'
        pg_restore --no-owner --no-privileges --file=- "$2" && echo 'COMMIT;'
    } | psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$1" > /dev/null
}

take() {
    id=$(date -u +%Y%m%dT%H%M%SZ)
    new=$BACKUPS/.$id
    rm -rf "$BACKUPS"/.[0-9]*
    mkdir "$new"
    cp "$CONFIG_DIR/.key-fingerprint" "$new/key-fingerprint"
    printf '%s\n' "$IMAGES" > "$new/images"
    pg_dump --format=custom --file="$new/database.dump" --dbname="$live"
    # 1: a file changed while it was read, as files of a running application may.
    (cd "$CONFIG_DIR" && find . -mindepth 1 -maxdepth 1 ! -name secret_key ! -name lost+found -print0) |
        tar --create --gzip --file="$new/files.tar.gz" --directory="$CONFIG_DIR" --null --files-from=- || [ $? = 1 ]
    load "$trial" "$new/database.dump"
    rows "$trial" > "$new/rows"
    grep -q '^alembic_version|[1-9]' "$new/rows" || refuse "the dump holds no schema revision"
    (cd "$new" && sha256sum -- * > "/tmp/checksums" && cp /tmp/checksums checksums)
    sync
    mv "$new" "$BACKUPS/$id"
    finished | sort -r | tail -n "+$((KEEP + 1))" | while read -r old; do
        rm -rf "${BACKUPS:?}/$old"
    done
    echo "backup $id: $(wc -l < "$BACKUPS/$id/rows") tables restored in the trial server"
}

# The folder of a backup that is whole and made with the key that the data here is made with.
fit() {
    id=$1
    [ "$id" != latest ] || id=$(finished | tail -n 1)
    from=$BACKUPS/$id
    [ -n "$id" ] && [ -d "$from" ] || refuse "no backup $1; there are:" $(finished)
    (cd "$from" && sha256sum -c checksums > /dev/null) || refuse "backup $id is not what was written"
    made=$(cat "$from/key-fingerprint")
    kept=$(cat "$CONFIG_DIR/.key-fingerprint" 2> /dev/null || echo "$made")
    [ "$kept" = "$made" ] ||
        refuse "backup $id was made with key $made, this stack has key $kept: give it that key first (secretKey.existing)"
}

check() {
    fit "$1"
    load "$trial" "$from/database.dump"
    [ "$(rows "$trial")" = "$(cat "$from/rows")" ] || refuse "backup $id does not restore"
    echo "$id"
}

restore() {
    fit "$1"
    load "$live" "$from/database.dump"
    [ "$(rows "$live")" = "$(cat "$from/rows")" ] || refuse "the database has other rows than backup $id"
    find "$CONFIG_DIR" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
    tar --extract --gzip --file="$from/files.tar.gz" --directory="$CONFIG_DIR" --no-same-owner
    echo "restored $id: $(wc -l < "$from/rows") tables, every row counted"
}

"$@"
