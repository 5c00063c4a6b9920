"""Asks a pod of the backend from inside: its version, its database and its key. Prints JSON; a value of a secret never.

Run by its text, `python3 -c TEXT`: a pod has nothing of this repository, but Python and the driver of its own database.
A failure is named by its kind alone, since the message of a driver may hold the URL.
"""

import hashlib
import http.client
import importlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 5
NOTE = "skillflaw.com/key-fingerprint="
QUESTION = """
    SELECT (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND pid <> pg_backend_pid()),
        current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int,
        current_setting('server_version'), pg_is_in_recovery(),
        obj_description(to_regclass('alembic_version'), 'pg_class')
"""
Answers = dict[str, Any]


def version() -> Answers:
    # Not by urllib.request: it would go by way of a proxy that the environment names.
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["SKILLFLAW_PORT"]), timeout=SECONDS)
    connection.request("GET", "/api/v1/version")
    return {"version": str(json.load(connection.getresponse())["version"])}


def database() -> Answers:
    url = re.sub(
        r"^postgres[a-z]*(\+[a-z0-9]+)?:", "postgresql:", os.environ.get("SKILLFLAW_DATABASE_URL", "")
    )
    driver = next(filter(None, map(_driver, ("psycopg", "psycopg2"))))
    connection = driver.connect(url, connect_timeout=SECONDS)
    cursor = connection.cursor()
    # Of this transaction alone: a pooler hands the session on, with what was set in it.
    cursor.execute(f"SET LOCAL statement_timeout = {SECONDS * 1000}")
    cursor.execute(QUESTION)
    used, most, reserved, server, read_only, note = cursor.fetchone()
    connection.rollback()
    connection.close()
    pool = json.loads(os.environ["SKILLFLAW_DB_CONNECTION_SETTINGS"])
    return {
        "connections": used,
        "maxConnections": most,
        "reserved": reserved,
        "server": server,
        "readOnly": read_only,
        "inDatabase": _fingerprint((note or "").removeprefix(NOTE)),
        "perProcess": pool["pool_size"] + pool["max_overflow"],
    }


def key() -> Answers:
    volume = Path(os.environ["SKILLFLAW_CONFIG_DIR"])
    mounted = Path(os.environ["SKILLFLAW_SECRET_KEY_FILE"]).read_bytes().strip()
    kept, marker = volume / ".key-fingerprint", volume / ".restoring"
    return {
        "mounted": hashlib.sha256(mounted).hexdigest()[:16],
        "onVolume": _fingerprint(kept.read_text()) if kept.exists() else None,
        "restoring": _backup(marker.read_text()) if marker.exists() else None,
    }


def _fingerprint(text: str) -> str | None:
    found = re.fullmatch(r"\s*([0-9a-f]{16})\s*", text)
    return found[1] if found else None


def _backup(text: str) -> str:
    return found[0] if (found := re.search(r"[0-9a-f]{8,64}", text)) else "unknown"


def _driver(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def main() -> None:
    said: Answers = {"errors": {}}
    parts: tuple[Callable[[], Answers], ...] = (version, database, key)
    for part in parts:
        try:
            said |= part()
        except Exception as error:
            said["errors"][part.__name__] = type(error).__name__
    print(json.dumps(said))


main()
