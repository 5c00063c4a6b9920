"""Encrypts what the application stores again, with another secret key: everything that an old key opens, or nothing.

    reencrypt.py prove|exchange KEY_FILE OLD_KEYS DATA
    reencrypt.py choose KEY_FILE OLD_KEYS DATA COPY      writes the key that everything was made with to COPY

Runs inside the backend's image. KEY_FILE holds the key to come, OLD_KEYS is a folder of keys, one a file; DATA is the
application's volume, where `.key-fingerprint` names the key that everything was made with. SKILLFLAW_DATABASE_URL and
libpq's own variables lead to the database. Exit code 78 (EX_CONFIG): refused, trying again cannot help.

Values are found by trying the keys on every text that looks like a Fernet token, in every text, JSON and array column of
every schema and in the volume's JSON files: a list of tables would be that of one version. A token may stand inside a
larger text, and a token's own content may hold more.
"""

import base64
import hashlib
import mmap
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

REFUSED = 78
LARGEST_FILE_BYTES = 16 << 20
LOCK_SECONDS = 120
PATIENCE_SECONDS = 30  # the network opens to a new pod a moment after it starts
BATCH = 500

# 73 bytes at least: version, time, initialisation vector, one block, signature. Some JSON writes `=` as an escape.
TOKEN = re.compile(r"gAAAAA(?:(?!gAAAAA)[\w-]){92,}(?:=|\\u003d){0,2}", re.ASCII)
COLUMNS = r"""
    SELECT CASE relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || quote_ident(nspname) || '.' || quote_ident(relname) AS name,
        quote_ident(attname) AS attribute, own.typnamespace::regnamespace || '.' || quote_ident(own.typname) AS type,
        has_table_privilege(relation.oid, 'UPDATE') AS writable
    FROM pg_attribute attribute
    JOIN pg_class relation ON relation.oid = attrelid
    JOIN pg_namespace space ON space.oid = relnamespace
    JOIN pg_type own ON own.oid = atttypid
    LEFT JOIN pg_type element ON element.oid = own.typelem AND own.typcategory = 'A'
    LEFT JOIN pg_type base ON base.oid = own.typbasetype
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relpersistence <> 't'
        AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        -- What the role may not read is not the application's, which has this role.
        AND has_schema_privilege(space.oid, 'USAGE') AND has_table_privilege(relation.oid, 'SELECT')
        AND nspname !~ '^pg_' AND nspname <> 'information_schema'
        AND ('S' IN (own.typcategory, element.typcategory)
            OR array['json', 'jsonb', 'hstore', 'xml'] && array[own.typname, element.typname, base.typname]::text[])
    ORDER BY 1, attnum
"""


class Refused(Exception):  # noqa: N818  what happened, no mistake of anybody
    """Nothing was changed, and why."""


def refuse(reason: str) -> None:
    raise Refused(reason)


def fingerprint(key: str) -> str:
    """What `.key-fingerprint` says of a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def ciphers(key: str) -> list[Fernet]:
    """Every way in which releases of the application make a cipher of a key's text; the first is today's."""
    if len(key) >= 32:
        return [Fernet(key + "=" * (-len(key) % 4))]
    random.seed(key)
    seeded = bytes(random.getrandbits(8) for _ in range(32))
    return [
        Fernet(base64.urlsafe_b64encode(made)) for made in (seeded, hashlib.sha256(key.encode()).digest())
    ]


class Column(NamedTuple):
    """A column that may hold tokens."""

    name: str
    """The table, quoted, as FROM and UPDATE name it."""
    attribute: str
    """The column, quoted."""
    type: str
    """The type by its own name: as SQL spells it, a character column has the length one."""
    writable: bool


class Keys:
    """The key to come and the old ones, and what was found with them."""

    def __init__(self, new: str, old: list[str]) -> None:
        self.text = new
        self.new = ciphers(new)[0]
        self.ciphers = [("new", self.new), *(("old", cipher) for key in old for cipher in ciphers(key))]
        self.found: Counter[str] = Counter()

    def renewed(self, text: str) -> str:
        """A text whose tokens, and theirs, are the new key's; what no key opens stays."""
        return TOKEN.sub(lambda found: self._renewed(found[0]), text)

    def _renewed(self, written: str) -> str:
        token = written.replace("\\u003d", "=")
        token = token.rstrip("=") + "=" * (-len(token.rstrip("=")) % 4)
        for name, cipher in self.ciphers:
            try:
                plain = cipher.decrypt(token)
            except InvalidToken:
                continue
            self.found[name] += 1
            try:
                content = self.renewed(plain.decode()).encode()
            except UnicodeDecodeError:
                content = plain
            if name == "new" and content == plain:
                return written
            return self.new.encrypt_at_time(content, cipher.extract_timestamp(token)).decode()
        self.found["foreign"] += 1
        return written


def connect() -> Connection:
    """A connection by the driver that the image has."""
    url = make_url(re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", os.environ["SKILLFLAW_DATABASE_URL"]))
    try:
        import psycopg  # noqa: F401

        driver = "psycopg"
    except ImportError:
        driver = "psycopg2"
    engine = create_engine(
        url.set(drivername=f"postgresql+{driver}"), poolclass=NullPool, hide_parameters=True
    )
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return engine.connect()
        except OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(1)


def columns(connection: Connection) -> dict[str, list[Column]]:
    """Columns that may hold tokens, by table."""
    tables: dict[str, list[Column]] = {}
    for row in connection.exec_driver_sql(COLUMNS):
        tables.setdefault(row.name, []).append(Column(*row))
    return tables


def rows(connection: Connection, table: list[Column]) -> Iterator[tuple[tuple[str, str], list[str | None]]]:
    """Places and texts of rows that hold what looks like a token."""
    texts = [f"{column.attribute}::text" for column in table]
    like = " OR ".join(f"{text} LIKE %(token)s" for text in texts)
    found = connection.exec_driver_sql(
        f"SELECT tableoid::text, ctid::text, {', '.join(texts)} FROM {table[0].name} WHERE {like}",  # noqa: S608
        {"token": "%gAAAAA%"},
        execution_options={"stream_results": True, "max_row_buffer": BATCH},
    )
    for partition, row, *values in found:
        yield (partition, row), values


def exchange(connection: Connection, keys: Keys, *, write: bool) -> list[str]:
    """Renews every table's tokens. Returns the columns that had some of an old key, with how many."""
    summary = []
    for table in columns(connection).values():
        changed: Counter[Column] = Counter()
        updates: dict[tuple[Column, ...], list[tuple[str, ...]]] = {}
        for place, values in rows(connection, table):
            renewed = [value and keys.renewed(value) for value in values]
            fresh = {
                column: new
                for column, old, new in zip(table, values, renewed, strict=True)
                if new is not None and new != old
            }
            changed.update(fresh.keys())
            if fresh and write:
                batch = updates.setdefault(tuple(fresh), [])
                batch.append((*fresh.values(), *place))
                if len(batch) == BATCH:
                    update(connection, tuple(fresh), batch)
                    batch.clear()
        for target, batch in updates.items():
            update(connection, target, batch)
        if changed and not table[0].writable:
            refuse(f"the role may not update {table[0].name}")
        summary += [f"{column.name}.{column.attribute}: {count} rows" for column, count in changed.items()]
    return summary


def update(connection: Connection, target: tuple[Column, ...], batch: list[tuple[str, ...]]) -> None:
    if batch and target[0].writable:
        # By the type without its length: a value that became too long is an error, and is not cut.
        values = ", ".join(f"{column.attribute} = %s::{column.type}" for column in target)
        connection.exec_driver_sql(
            f"UPDATE {target[0].name} SET {values} WHERE tableoid = %s::oid AND ctid = %s::tid",  # noqa: S608
            list(batch),
        )


def files(data: Path, keys: Keys, *, write: bool) -> list[str]:
    """Renews the tokens of the volume's JSON files. Returns the files that had some of an old key."""
    summary = []
    for path in sorted(data.rglob("*.json")):
        if path.is_symlink() or not path.is_file():
            continue
        if path.stat().st_size > LARGEST_FILE_BYTES:
            if may_hold_tokens(path):
                refuse(
                    f"the volume's {path.relative_to(data)} is larger than {LARGEST_FILE_BYTES >> 20} MiB"
                    " and holds what looks like encrypted values: move it away, or give it another name than *.json"
                )
            continue
        # Tokens are ASCII, and so are found whatever encodes the rest.
        text = path.read_bytes().decode("latin-1")
        renewed = keys.renewed(text)
        if renewed == text:
            continue
        summary.append(f"{path.relative_to(data)}")
        if not os.access(path.parent, os.W_OK):
            refuse(f"the volume's {path.relative_to(data)} cannot be written")
        if write:
            fresh = path.with_name(f".{path.name}.new")
            fresh.write_bytes(renewed.encode("latin-1"))
            fresh.chmod(path.stat().st_mode & 0o777)
            fresh.replace(path)
    return summary


def may_hold_tokens(path: Path) -> bool:
    """Whether a file of any size holds what tokens begin with."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"gAAAAA") >= 0


def prove(keys: Keys, data: Path) -> None:
    """Reads everything and changes nothing, while the application serves."""
    with connect() as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.exec_driver_sql("SET LOCAL row_security = off")
        summary = exchange(connection, keys, write=False)
    summary += files(data, keys, write=False)
    print(f"{keys.found['old']} values can be encrypted again")
    report(keys, summary)


def rotate(keys: Keys, data: Path) -> None:
    """Exchanges everything in one transaction, and commits once no value is left that only an old key opens."""
    # What refuses a file refuses before anything is committed.
    files(data, keys, write=False)
    keys.found.clear()
    with connect() as connection:
        for setting in (
            f"lock_timeout = '{LOCK_SECONDS}s'",
            "statement_timeout = 0",
            "idle_in_transaction_session_timeout = 0",
            # A policy would hide rows in silence; without it they are read, or this ends in an error.
            "row_security = off",
        ):
            connection.exec_driver_sql(f"SET LOCAL {setting}")
        # One replica does it; whoever comes next finds it done.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('skillflaw.secret-key'))")
        for name, table in columns(connection).items():
            if table[0].writable:
                connection.exec_driver_sql(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")
        summary = exchange(connection, keys, write=True)
        before, keys.found = keys.found, Counter()
        left = exchange(connection, keys, write=False)
        opened = before["old"] + before["new"]
        if left or keys.found != Counter(new=opened, foreign=before["foreign"]):
            refuse(f"{keys.found['new']} of {opened} values open with the new key: nothing was changed")
        note(connection, fingerprint(keys.text))
        connection.commit()
    keys.found = before
    summary += files(data, keys, write=True)
    print(f"{opened} values open with the new key, {before['old']} of them were encrypted again")
    report(keys, summary)


def note(connection: Connection, made_with: str) -> None:
    """Names the key in the database too, where the key guard looks for it, if the role may."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(
                f"COMMENT ON TABLE alembic_version IS 'skillflaw.com/key-fingerprint={made_with}'"
            )
    except DBAPIError:
        print("  not noted in the database")


def report(keys: Keys, summary: list[str]) -> None:
    print("\n".join(f"  {line}" for line in summary))
    if keys.found["foreign"]:
        print(f"  {keys.found['foreign']} values that no key here opens were left as they are")


def main(action: str, key_file: str, old_keys: str, data: str, copy: str = "") -> int:
    key = Path(key_file).read_text().strip()
    old = [path.read_text().strip() for path in sorted(Path(old_keys).iterdir()) if path.is_file()]
    kept = Path(data, ".key-fingerprint")
    made_with = kept.read_text().strip() if kept.exists() else None
    if Path(data, ".restoring").exists():
        print("REFUSED: a restore has not ended", file=sys.stderr)
        return REFUSED
    if action == "choose":
        Path(copy).write_text({fingerprint(one): one for one in old}.get(str(made_with), key))
        return 0
    if made_with in (None, fingerprint(key)):
        print("everything was made with this key" if made_with else "nothing was made yet")
        return 0
    keys = Keys(key, [one for one in old if one != key])
    try:
        if made_with not in map(fingerprint, old):
            refuse(f"the data was made with key {made_with}, which is none of those that are mounted")
        if action == "prove":
            prove(keys, Path(data))
        else:
            rotate(keys, Path(data))
            fresh = kept.with_name(f"{kept.name}.new")
            fresh.write_text(fingerprint(key))
            fresh.replace(kept)
    except Refused as refusal:
        print(f"REFUSED: {refusal}", file=sys.stderr)
        return REFUSED
    except DBAPIError as error:
        # The first line alone: a detail shows the row.
        print(f"FAILED, nothing was changed: {str(error.orig).partition(chr(10))[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
