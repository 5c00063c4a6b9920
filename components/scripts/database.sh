# The database's half of a backup, in PostgreSQL's image: dump | prove | restore
#
# `dump` leaves in $SCRATCH/backup what repository.sh keeps, and repository.sh puts there again what `prove` and `restore` read:
#   database.dump   pg_dump, custom format, uncompressed: the repository compresses, and finds what did not change
#   rows            rows per table, counted in the trial server after the dump was restored there
#   manifest        NAME=VALUE: key (fingerprint of the secret key), server, revision, images; schema and extension, several
#
# Environment: DATABASE_URL and libpq's own variables; PGPASSWORD (of the trial server); IMAGES (NAME=IMAGE, one a line).

# A driver's name after the scheme is SQLAlchemy's, not PostgreSQL's.
live=$(printf %s "$DATABASE_URL" | sed 's/^postgres[a-z]*+[a-z0-9]*:/postgresql:/')
server="host=127.0.0.1"
# As a role with the rights of the live one.
trial="$server user=trial dbname=restored options='-c role=restorer'"

# Terse: a detail or a context would show rows.
sql() {
    psql --no-psqlrc --quiet --no-align --tuples-only --field-separator="$(printf '\t')" \
        --set=ON_ERROR_STOP=1 --set=VERBOSITY=terse --dbname="$1"
}

fact() {
    sed -n "s/^$1=//p" "$backup/manifest"
}

# Everything that the role may exchange: relations and what else stands in a schema, but not what belongs to an extension.
ours="
    NOT EXISTS (SELECT FROM pg_depend WHERE objid = it.oid AND deptype = 'e')
    AND space.nspname !~ '^pg_' AND space.nspname <> 'information_schema'"
relations="
    SELECT it.oid, relname, relkind, relowner, relacl, nspname AS schema, format('%I.%I', nspname, relname) AS name
    FROM pg_class it JOIN pg_namespace space ON space.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND pg_has_role(relowner, 'USAGE') AND $ours"
tables="SELECT name, relname FROM ($relations) it WHERE relkind IN ('r', 'p')"

# Extensions without which something of the role's own could not be made, with their schemas.
extensions="
    WITH mine AS (
        SELECT oid FROM ($relations) it
    ), parts AS (
        SELECT 'pg_class'::regclass AS catalog, oid FROM mine
        UNION ALL SELECT 'pg_class'::regclass, indexrelid FROM pg_index WHERE indrelid IN (SELECT oid FROM mine)
        UNION ALL SELECT 'pg_attrdef'::regclass, oid FROM pg_attrdef WHERE adrelid IN (SELECT oid FROM mine)
        UNION ALL SELECT 'pg_constraint'::regclass, oid FROM pg_constraint WHERE conrelid IN (SELECT oid FROM mine)
        UNION ALL SELECT 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM mine)
        UNION ALL SELECT 'pg_trigger'::regclass, oid FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM mine)
        UNION ALL SELECT 'pg_proc'::regclass, it.oid FROM pg_proc it JOIN pg_namespace space ON space.oid = pronamespace
            WHERE pg_has_role(proowner, 'USAGE') AND $ours
        UNION ALL SELECT 'pg_type'::regclass, it.oid FROM pg_type it JOIN pg_namespace space ON space.oid = typnamespace
            WHERE typtype IN ('d', 'r') AND pg_has_role(typowner, 'USAGE') AND $ours
    )
    SELECT DISTINCT extname, nspname FROM parts
    JOIN pg_depend needs ON needs.classid = parts.catalog AND needs.objid = parts.oid
    JOIN pg_depend member ON member.classid = needs.refclassid AND member.objid = needs.refobjid AND member.deptype = 'e'
    JOIN pg_extension ON pg_extension.oid = member.refobjid JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname <> 'plpgsql'"

rows() {
    echo "SELECT format('SELECT %L, count(*) FROM %s', name, name) FROM ($tables) it ORDER BY 1 \\gexec" | sql "$1"
}

# A parameter of the first packet arrives where it ends: a pooler keeps it to itself, or refuses it. pg_dump empties the
# search_path of its session, which a pooler then hands to the application.
direct() {
    # The network opens to a new pod a moment after it starts; 2 is psql's code where there is no connection.
    tries=1
    until echo "SELECT" | sql "$live" > /dev/null; do
        [ "$?" -eq 2 ] && [ "$tries" -lt 15 ] || exit 1
        tries=$((tries + 1))
        sleep 2
    done
    case $live in *[?\&]options=*) return ;; esac
    echo "SHOW skillflaw.direct" | PGOPTIONS='-c skillflaw.direct=yes' sql "$live" > /dev/null 2>&1 ||
        refuse "the URL leads to a pooler, whose sessions a dump would spoil for others: write backup.databaseUrl, a URL past it"
}

# Acts as the role that owns the tables, which an administrator's URL would take from it; of the one that is noted in the
# backup where there are no tables.
as_owner() {
    owner=$(sql "$live" << SQL
        SELECT pg_get_userbyid(relowner) FROM ($relations) it WHERE relname = 'alembic_version'
        UNION ALL SELECT rolname FROM pg_roles WHERE rolname = '$1' AND pg_has_role(oid, 'MEMBER') LIMIT 1
SQL
    )
    [ -n "$owner" ] || return 0
    PGOPTIONS="-c role=$(printf %s "$owner" | sed 's/[\\ ]/\\&/g')"
    export PGOPTIONS
}

dump() {
    [ ! -e "$marker" ] || refuse "a restore of backup $(cat "$marker") has not ended: restore again first"
    key=$(cat "$data/.key-fingerprint" 2> /dev/null || :)
    [ -n "$key" ] || refuse "the volume does not say which secret key its data was made with: run pulumi up first"
    direct
    theirs=$(echo "SELECT current_setting('server_version_num')::int / 10000" | sql "$live")
    own=$(pg_dump --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    [ "$theirs" = "$own" ] ||
        refuse "the server is PostgreSQL $theirs and images.postgres is $own: a dump of one may not restore in the other"
    as_owner ""
    rm -rf "$backup"
    mkdir -p "$backup"
    {
        echo "owner=$owner"
        echo "key=$key"
        echo "server=$theirs"
        printf '%s\n' "$IMAGES"
        sql "$live" << SQL
            SELECT DISTINCT 'schema=' || schema FROM ($relations) it;
            SELECT 'extension=' || quote_ident(extname) || ' SCHEMA ' || quote_ident(nspname) FROM ($extensions) it;
            SELECT format('SELECT ''revision='' || version_num FROM %s', name) FROM ($tables) it
                WHERE relname = 'alembic_version' \\gexec
SQL
    } > "$backup/manifest"
    [ -n "$(fact revision)" ] ||
        refuse "the database holds no schema revision that its role owns: name a role that owns the tables in backup.databaseUrl"
    sql "$live" > "$SCRATCH/options" << SQL
        SELECT DISTINCT '--schema=' || quote_ident(schema) FROM ($relations) it;
        SELECT format('--exclude-table=%I.%I', nspname, relname)
            FROM pg_class it JOIN pg_namespace space ON space.oid = relnamespace
            WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT pg_has_role(relowner, 'USAGE') AND $ours;
        SELECT '--blobs' FROM pg_largeobject_metadata WHERE pg_has_role(lomowner, 'USAGE') LIMIT 1;
SQL
    set --
    while IFS= read -r option; do set -- "$@" "$option"; done < "$SCRATCH/options"
    pg_dump --format=custom --compress=0 --file="$backup/database.dump" --dbname="$live" "$@"
    : > "$backup/rows"
    try
    rows "$trial" > "$backup/rows"
    grep -q alembic_version "$backup/rows" || refuse "the dump restores to nothing"
    # Once more, over what is there, as a restore does.
    exchange "$trial"
    lacking | sed 's/^/a restore would be refused: /' >&2
}

# A database in the trial server as the live one is: its schemas, its extensions, and the rights of its role.
try() {
    sql "$server user=trial dbname=trial options=''" << SQL
        SET client_min_messages = error;
        DROP DATABASE IF EXISTS restored;
        DROP ROLE IF EXISTS restorer;
        CREATE DATABASE restored;
SQL
    sql "$live" > "$SCRATCH/rights" << SQL
        SELECT CASE WHEN rolsuper THEN 'CREATE ROLE restorer SUPERUSER;' ELSE 'CREATE ROLE restorer;' END
            FROM pg_roles WHERE rolname = current_user;
        SELECT 'GRANT CREATE ON DATABASE restored TO restorer;' WHERE has_database_privilege(current_database(), 'CREATE');
        SELECT format('CREATE SCHEMA IF NOT EXISTS %I;', nspname)
            || CASE WHEN pg_has_role(nspowner, 'USAGE') THEN format('ALTER SCHEMA %I OWNER TO restorer;', nspname) ELSE '' END
            || CASE WHEN has_schema_privilege(oid, 'USAGE') THEN format('GRANT USAGE ON SCHEMA %I TO restorer;', nspname) ELSE '' END
            || CASE WHEN has_schema_privilege(oid, 'CREATE') THEN format('GRANT CREATE ON SCHEMA %I TO restorer;', nspname) ELSE '' END
            FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema';
SQL
    {
        echo 'SET client_min_messages = error; REVOKE CREATE ON SCHEMA public FROM PUBLIC;'
        cat "$SCRATCH/rights"
        fact extension | sed -n '/ pg_catalog$/!s/.* SCHEMA /CREATE SCHEMA IF NOT EXISTS /p' | sed 's/$/;/'
        fact extension | sed 's/.*/CREATE EXTENSION IF NOT EXISTS & CASCADE;/'
    } |
        sql "$server user=trial dbname=restored options=''" ||
        refuse "the trial server cannot be made like the live one: images.postgres needs the server's extensions"
    exchange "$trial"
}

# exchange DATABASE: what the role owns in the backup's schemas, for what the backup holds; whole or not at all.
#
# pg_restore's own COMMIT ends the transaction, large objects included. What must hold is asked by a trigger that PostgreSQL
# runs before it commits: every row is there, nothing else went with what was dropped, whoever had a grant has it again.
exchange() {
    pg_restore --list "$backup/database.dump" | grep -Ev '^[0-9]+; [0-9]+ [0-9]+ (SCHEMA|COMMENT) - (SCHEMA )?' \
        > "$SCRATCH/contents" || [ $? = 1 ]
    {
        echo 'BEGIN;'
        inventory
        cat << 'SQL'
            CREATE TEMP TABLE spared ON COMMIT DROP AS
                SELECT 'pg_class'::regclass AS catalog, it.oid, format('%s', it.oid::regclass) AS name
                FROM pg_class it JOIN pg_namespace space ON space.oid = relnamespace
                WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND space.nspname !~ '^pg_'
                    AND it.oid NOT IN (SELECT oid FROM doomed)
                UNION ALL
                SELECT 'pg_constraint'::regclass, it.oid, conname FROM pg_constraint it
                WHERE contype = 'f' AND conrelid NOT IN (SELECT oid FROM doomed);
            CREATE TEMP TABLE granted ON COMMIT DROP AS
                SELECT name, format('GRANT %s%s ON %s %s TO %s%s', privilege_type, part,
                    CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, name,
                    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
                    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS command
                FROM (
                    SELECT name, relkind, relowner, '' AS part, relacl AS acl FROM doomed
                    UNION ALL
                    SELECT name, relkind, relowner, format(' (%I)', attname), attacl
                    FROM doomed JOIN pg_attribute ON attrelid = doomed.oid WHERE NOT attisdropped
                ) it, aclexplode(acl) WHERE grantee <> relowner;
            CREATE FUNCTION pg_temp.must_hold() RETURNS trigger LANGUAGE plpgsql AS $check$
            DECLARE
                it record;
                found bigint;
            BEGIN
                FOR it IN SELECT * FROM pg_temp.expected LOOP
                    EXECUTE format('SELECT count(*) FROM %s', it.name) INTO found;
                    IF found <> it.count THEN
                        RAISE EXCEPTION '% has % rows instead of %', it.name, found, it.count;
                    END IF;
                END LOOP;
                FOR it IN SELECT * FROM pg_temp.spared LOOP
                    IF NOT EXISTS (SELECT FROM pg_class WHERE it.catalog = 'pg_class'::regclass AND oid = it.oid
                        UNION ALL SELECT FROM pg_constraint WHERE it.catalog = 'pg_constraint'::regclass AND oid = it.oid) THEN
                        RAISE EXCEPTION '% depends on what is replaced, and would be lost', it.name;
                    END IF;
                END LOOP;
                FOR it IN SELECT * FROM pg_temp.granted LOOP
                    CONTINUE WHEN to_regclass(it.name) IS NULL;
                    BEGIN
                        EXECUTE it.command;
                    EXCEPTION WHEN undefined_column THEN
                        NULL;
                    END;
                END LOOP;
                RETURN NULL;
            END $check$;
            CREATE TEMP TABLE before_commit (once int) ON COMMIT DROP;
            CREATE CONSTRAINT TRIGGER must_hold AFTER INSERT ON before_commit
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.must_hold();
            INSERT INTO before_commit VALUES (1);
            SET lock_timeout = '60s';
            DO $check$
            DECLARE
                it record;
            BEGIN
                FOR it IN SELECT * FROM doomed ORDER BY relkind = 'S', relkind IN ('r', 'p', 'f') LOOP
                    EXECUTE format('DROP %s IF EXISTS %s CASCADE', CASE it.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE'
                        WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, it.name);
                END LOOP;
                FOR it IN SELECT * FROM doomed_else LOOP
                    EXECUTE it.command;
                END LOOP;
                PERFORM lo_unlink(oid) FROM pg_largeobject_metadata WHERE pg_has_role(lomowner, 'USAGE');
                FOR it IN SELECT * FROM restored LOOP
                    IF to_regnamespace(quote_ident(it.schema)) IS NULL THEN
                        EXECUTE format('CREATE SCHEMA %I', it.schema);
                    END IF;
                END LOOP;
            END $check$;
SQL
        # Cut off in the middle of a table's rows, what follows is one more row: it ends them, and then the transaction.
        pg_restore --single-transaction --no-owner --no-privileges --use-list="$SCRATCH/contents" --file=- \
            "$backup/database.dump" || printf '\n\\.\n\nSELECT 1 / 0;\n'
    } | sql "$1" > /dev/null
}

# The backup's schemas and tables, and what stands in those schemas, as temporary tables.
inventory() {
    echo 'SET client_min_messages = error; CREATE TEMP TABLE restored (schema text); COPY restored FROM STDIN;'
    fact schema
    printf '\\.\n%s\n' 'CREATE TEMP TABLE expected (name text, count bigint); COPY expected FROM STDIN;'
    cat "$backup/rows"
    echo '\.'
    cat << SQL
        CREATE TEMP TABLE doomed AS $relations AND space.nspname IN (SELECT schema FROM restored);
        CREATE TEMP TABLE doomed_else AS
            SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', it.oid::regprocedure) AS command
            FROM pg_proc it JOIN pg_namespace space ON space.oid = pronamespace
            WHERE pg_has_role(proowner, 'USAGE') AND $ours AND space.nspname IN (SELECT schema FROM restored)
            UNION ALL
            SELECT format('DROP %s IF EXISTS %s CASCADE', CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
                format_type(it.oid, NULL))
            FROM pg_type it JOIN pg_namespace space ON space.oid = typnamespace
            WHERE (typtype IN ('e', 'd', 'r')
                OR (typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c'))
                AND pg_has_role(typowner, 'USAGE') AND $ours AND space.nspname IN (SELECT schema FROM restored);
SQL
}

# Everything that would keep the backup from being restored in the live database, one a line.
lacking() {
    {
        echo "SELECT 'the server is read-only: restore on its primary' WHERE pg_is_in_recovery();"
        inventory
        cat << 'SQL'
            CREATE TEMP TABLE held AS
                SELECT virtualtransaction, pid, doomed.name FROM pg_locks JOIN doomed ON relation = doomed.oid
                WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid();
            SELECT pg_sleep(2) \g /dev/null
            SELECT format('session %s of role %I holds %s: end it', pid, usename, string_agg(DISTINCT name, ', '))
                FROM held JOIN (SELECT DISTINCT pid, virtualtransaction FROM pg_locks) still USING (pid, virtualtransaction)
                JOIN pg_stat_activity USING (pid) WHERE NOT pg_has_role(usesysid, 'MEMBER') GROUP BY pid, usename;
            SELECT format('prepared transaction %L: commit it or roll it back', gid) FROM pg_prepared_xacts
                WHERE database = current_database();
            SELECT format('role %I may not create objects in schema %I: GRANT USAGE, CREATE ON SCHEMA %2$I TO %1$I',
                current_user, nspname) FROM restored JOIN pg_namespace ON nspname = schema
                WHERE NOT (has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE'));
            SELECT format('role %I may not create schema %I: GRANT CREATE ON DATABASE %I TO %1$I',
                current_user, schema, current_database()) FROM restored
                WHERE to_regnamespace(quote_ident(schema)) IS NULL AND NOT has_database_privilege(current_database(), 'CREATE');
            SELECT format('%s belongs to role %I', expected.name, pg_get_userbyid(relowner))
                FROM expected JOIN pg_class ON oid = to_regclass(name) WHERE NOT pg_has_role(relowner, 'USAGE');
            SELECT DISTINCT format('%s depends on %s and would be lost: drop it, and make it again afterwards', ev_class::regclass, name)
                FROM doomed JOIN pg_depend ON refobjid = doomed.oid AND refclassid = 'pg_class'::regclass
                JOIN pg_rewrite ON pg_rewrite.oid = objid AND classid = 'pg_rewrite'::regclass
                WHERE ev_class NOT IN (SELECT oid FROM doomed);
            SELECT format('%s refers to %s by %I: drop that constraint, and make it again afterwards',
                conrelid::regclass, name, conname) FROM pg_constraint JOIN doomed ON confrelid = doomed.oid
                WHERE contype = 'f' AND conrelid NOT IN (SELECT oid FROM doomed);
SQL
        fact extension | while read -r extension; do
            echo "SELECT 'an administrator has to CREATE EXTENSION $extension'
                WHERE NOT EXISTS (SELECT FROM pg_extension WHERE quote_ident(extname) = '${extension%% SCHEMA *}');"
        done
    } | sql "$live"
}

prove() {
    trap tidy EXIT
    id=$(cat "$backup/id")
    made=$(fact key)
    kept=$(cat "$data/.key-fingerprint" 2> /dev/null || :)
    [ -z "$kept" ] || [ "$kept" = "$made" ] ||
        refuse "backup $id was made with key $made, this stack has key $kept: give it that key first (secretKey.existing)"
    direct
    as_owner "$(fact owner)"
    theirs=$(echo "SELECT current_setting('server_version_num')::int / 10000" | sql "$live")
    [ "$theirs" -ge "$(fact server)" ] || refuse "backup $id is of PostgreSQL $(fact server), the server is $theirs"
    try
    exchange "$trial"
    problems=$(lacking)
    [ -z "$problems" ] || refuse "backup $id cannot be restored as things are:
$problems"
    [ -w "$data" ] || refuse "the volume cannot be written"
    echo "backup $id can be restored"
}

# move FROM TO: every entry of the application's, until one cannot be moved or its place is taken.
move() {
    for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        is_ours "$entry" || continue
        [ ! -e "$2/${entry##*/}" ] && mv -- "$entry" "$2/" || return 1
    done
}

swap() {
    # From now on it is not whole, and the next restore fetches again.
    rm -f "$work/fetched"
    mkdir "$work/old"
    move "$data" "$work/old" || return 1
    : > "$work/emptied"
    move "$work/new" "$data"
}

# At whatever moment a swap ended, everything is where it was.
swap_back() {
    [ -d "$work/old" ] || return 0
    if [ -e "$work/emptied" ]; then
        given_up=$(mktemp -d "$work/given-up.XXXXXX")
        move "$data" "$given_up" || return 1
        rm "$work/emptied"
    fi
    move "$work/old" "$data" || return 1
    rmdir "$work/old"
}

revision_table() {
    echo "SELECT it.oid FROM ($relations) it WHERE relname = 'alembic_version'" | sql "$live"
}

restore() {
    prove
    whole=yes
    if [ -e "$marker" ]; then
        whole=
        swap_back
    fi
    rm -rf "$work/old" "$work/emptied"
    echo "$id" > "$marker"
    sync
    before=$(revision_table)
    echo "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend' AND pg_has_role(usesysid, 'MEMBER')" | sql "$live" > /dev/null
    if swap; then exchange "$live" || :; fi
    # Whether it was committed the tables know: a connection that broke at the COMMIT says nothing about it.
    after=$(revision_table)
    if [ "$after" = "$before" ]; then
        swap_back
        [ -n "$whole" ] || { echo "backup $id was not restored, and an earlier restore had not ended: restore again" >&2; exit 1; }
        rm "$marker"
        refuse "backup $id was not restored; database and files are as they were"
    fi
    fact key > "$data/.key-fingerprint"
    rm "$marker"
    rm -rf "$work" || echo "what is left in $work was there before the restore: remove it" >&2
    echo "restored $id: $(wc -l < "$backup/rows") tables, every row counted"
}

"$@"
