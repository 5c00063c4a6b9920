#!/bin/sh
# Serves the web UI on FRONTEND_PORT (default 80) and sends the API's paths to BACKEND_URL, with or without a slash at
# its end.
set -eu

backend=${BACKEND_URL:?the address of the backend, such as https://api.example.com/}
backend=${backend%/}

# nginx starts before the backend's name resolves and follows it when it moves, so it asks the pod's DNS itself, which
# knows no search list: short names are completed here.
resolvers=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2 }' /etc/resolv.conf | xargs)
namespace=$(awk '$1 == "search" { print $2 }' /etc/resolv.conf)
scheme=${backend%%://*}
address=${backend#*://}
host=${address%%:*}
case $host in
localhost) completed=127.0.0.1 ;;
*.svc) completed=$host${namespace:+.${namespace#*.svc.}} ;;
*.*) completed=$host ;;
*) completed=$host${namespace:+.$namespace} ;;
esac

sed -e "s|@PORT@|${FRONTEND_PORT:-80}|" -e "s|@BACKEND@|$scheme://$completed${address#"$host"}|" \
    -e "s|@RESOLVER@|${resolvers:+resolver $resolvers valid=5s ipv6=off;}|" \
    /etc/nginx/frontend.conf > /tmp/server.conf
exec nginx -e stderr -g "daemon off;"
