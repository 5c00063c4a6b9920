#!/bin/sh
# Serves the pages on DOCS_PORT (default 8080).
set -eu

cat > /tmp/server.conf <<CONF
server {
    listen ${DOCS_PORT:-8080};
    root /usr/share/skillflaw-docs;
    error_page 404 /404.html;

    location = /nginx_health {
        access_log off;
        return 200 "ok\n";
    }
}
CONF
exec nginx -e stderr -g "daemon off;"
