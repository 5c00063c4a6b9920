#!/bin/sh
# The official image's contract, as far as the lab needs it: POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD or
# POSTGRES_PASSWORD_FILE, POSTGRES_INITDB_ARGS, PGDATA; arguments that begin with `-` go to `postgres`.
set -eu

case ${1:-} in
postgres) shift ;;
-* | "") ;;
*) exec "$@" ;;
esac

umask 077
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_USER:=postgres}"
    : "${POSTGRES_DB:=$POSTGRES_USER}"
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    fi
    printf '%s\n' "${POSTGRES_PASSWORD:?set it or POSTGRES_PASSWORD_FILE}" > /tmp/pwfile
    echo "postgres:x:$(id -u):$(id -g)::/tmp:/bin/false" > /tmp/passwd
    echo "postgres:x:$(id -g):" > /tmp/group
    # A cluster appears under its name only when it is whole, so a pod killed here begins again.
    new=$PGDATA.new
    rm -rf "$new"
    (
        export LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD=/tmp/passwd NSS_WRAPPER_GROUP=/tmp/group
        # UTF8: the locale alone is C, and a database of SQL_ASCII is one the application dies on
        # shellcheck disable=SC2086 # the arguments are several
        initdb --pgdata="$new" --username="$POSTGRES_USER" --pwfile=/tmp/pwfile -E UTF8 --locale=C.UTF-8 \
            --data-checksums --auth-local=trust --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
        if [ "$POSTGRES_DB" != postgres ]; then
            printf 'CREATE DATABASE "%s"\n' "$(printf %s "$POSTGRES_DB" | sed 's/"/""/g')" |
                postgres --single -D "$new" postgres
        fi
    )
    echo "host all all all scram-sha-256" >> "$new/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$new/postgresql.conf"
    rm /tmp/pwfile
    mv "$new" "$PGDATA"
fi
unset POSTGRES_PASSWORD
exec postgres -D "$PGDATA" "$@"
