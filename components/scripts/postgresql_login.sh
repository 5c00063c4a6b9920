# open: LOGIN signs in with PASSWORD, next to whoever does so now. close: nobody else does.
#
# LOGIN is a member of the role that the server was made with and acts as it in every session, so whatever it makes belongs
# to that role. Sessions go on: what a client of an old login began, it ends.
set -eu
export PGHOST="$HOST" PGDATABASE=skillflaw PGCONNECT_TIMEOUT=5
initial=${INITIAL_URL#*://}
initial=${initial%%@*}
owner=${initial%%:*}
# A condition of roles: those that signed in before LOGIN.
before="rolname <> :'login' AND (rolname = :'owner' OR rolname ~ '^skillflaw_[0-9a-f]{8}\$')"

# Statements from the input, as PGUSER.
sql() {
    psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 \
        --set=login="$LOGIN" --set=owner="$owner"
}

# signs_in ROLE PASSWORD: whether it does, and then it is who asks from now on.
signs_in() {
    export PGUSER="$1" PGPASSWORD="$2"
    [ -n "$1" ] && echo 'SELECT' | sql > /dev/null 2>&1
}

known() {
    signs_in "${NOW_USER:-}" "${NOW_PASSWORD:-}" || signs_in "$owner" "${initial#*:}"
}

case $1 in
open)
    within either "PostgreSQL takes neither the password of Secret postgresql-login nor the one that it was made with"
    if [ "$PGUSER" = "$LOGIN" ] && new; then
        echo "$LOGIN signs in already"
        exit
    fi
    known
    sql << 'SQL'
SELECT format('CREATE ROLE %I', :'login') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'login') \gexec
SELECT format('GRANT %I TO %I', :'owner', :'login') WHERE NOT pg_has_role(:'login', :'owner', 'MEMBER') \gexec
ALTER ROLE :"login" SET role TO :"owner";
SQL
    # psql makes a verifier of it: the password itself stands in no statement, and so in no log.
    printf '%s\n%s\n' "$PASSWORD" "$PASSWORD" |
        psql --no-psqlrc --quiet --command="\\password $LOGIN" > /dev/null 2>&1
    echo 'ALTER ROLE :"login" LOGIN;' | sql
    new || refuse "$LOGIN was made and does not sign in"
    echo "$LOGIN signs in"
    ;;
close)
    within new "$LOGIN does not sign in"
    left() {
        # Sessions on the server's own socket are an administrator's.
        echo "SELECT count(*) FROM pg_stat_activity JOIN pg_roles ON rolname = usename
            WHERE client_addr IS NOT NULL AND $before" | sql
    }
    end=$(($(date +%s) + WAIT))
    while [ "$(left)" -gt 0 ] && [ "$(date +%s)" -lt "$end" ]; do
        sleep 1
    done
    echo "sessions of an old login that go on: $(left)"
    sql << SQL
SELECT format('ALTER ROLE %I PASSWORD NULL', rolname) FROM pg_roles WHERE $before \gexec
SELECT format('ALTER ROLE %I NOLOGIN', rolname) FROM pg_roles WHERE $before AND rolname <> :'owner' \gexec
SQL
    echo "only $LOGIN signs in"
    ;;
esac
