#!/bin/sh
# Arguments go to `redis-server`: a configuration file first, if any, then options. A password comes from that file or
# from REDIS_PASSWORD_FILE, never from an argument, where every process of the node could read it.
set -eu

case ${1:-} in
redis-server) shift ;;
-* | *.conf | "") ;;
*) exec "$@" ;;
esac

if [ -n "${REDIS_PASSWORD_FILE:-}" ]; then
    umask 077
    {
        case ${1:-} in
        *.conf)
            echo "include $1"
            shift
            ;;
        esac
        printf 'requirepass "%s"\n' "$(sed 's/[\\"]/\\&/g' "$REDIS_PASSWORD_FILE")"
    } > /tmp/redis.conf
    set -- /tmp/redis.conf "$@"
fi
exec redis-server "$@"
