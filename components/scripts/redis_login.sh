# open: LOGIN signs in with PASSWORD, next to whoever does so now. close: nobody else does.
#
# Connections go on: Redis asks for a password once.
set -eu
initial=${INITIAL_URL#*://:}

# ask: commands from the input, as `user` with `password`; redis-cli exits with 0 whatever the answer is.
ask() {
    REDISCLI_AUTH=$password redis-cli -h "$HOST" --user "$user" --no-auth-warning 2> /dev/null
}

# signs_in USER PASSWORD: whether it does, and then it is who asks from now on.
signs_in() {
    user=$1 password=$2
    [ -n "$1" ] && echo PING | ask | grep -q '^PONG$'
}

known() {
    signs_in "${NOW_USER:-}" "${NOW_PASSWORD:-}" || signs_in default "${initial%%@*}"
}

case $1 in
open)
    within either "Redis takes neither the password of Secret redis-login nor the one that it was made with"
    if [ "$user" = "$LOGIN" ] && new; then
        echo "$LOGIN signs in already"
        exit
    fi
    echo "ACL SETUSER $LOGIN reset on >$PASSWORD ~* &* +@all" | ask | grep -q '^OK$' ||
        refuse "Redis takes no users: it has to be of version 6.2 or newer"
    new || refuse "$LOGIN was made and does not sign in"
    echo "$LOGIN signs in"
    ;;
close)
    within new "$LOGIN does not sign in"
    left() {
        # A probe, which never signs in, is called `default` while it lasts.
        echo 'CLIENT LIST' | ask | grep ' user=' | grep -vc " user=$LOGIN " || true
    }
    end=$(($(date +%s) + WAIT))
    while [ "$(left)" -gt 0 ] && [ "$(date +%s)" -lt "$end" ]; do
        sleep 1
    done
    echo "connections of an old login that go on: $(left)"
    users=$(echo 'ACL USERS' | ask)
    echo "$users" | grep -qx "$LOGIN" || refuse "Redis says nothing of its users"
    for other in $users; do
        [ "$other" = "$LOGIN" ] || echo "ACL SETUSER $other off resetpass" | ask | grep -q '^OK$' ||
            refuse "Redis goes on to take the password of $other"
    done
    echo "only $LOGIN signs in"
    ;;
esac
