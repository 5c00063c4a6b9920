"""The continuity guard: data is not served with another key by accident, by an image too old for it, or half restored."""

REFUSED = 78
"""Exit code of a refusal (EX_CONFIG): trying again cannot help."""

PATIENCE_SECONDS = 20
"""How long a database that cannot be reached is asked again: the network opens to a new pod a moment after it starts."""

SCRIPT = f"""\
import hashlib, os, re, sys, time
action, key_file, kept_file, accepted = (sys.argv[1:] + [None])[:4]
note = "skillflaw.com/key-fingerprint="

def known(text):
    return text if re.fullmatch("[0-9a-f]{{16}}", text) else None

def refuse(*words):
    print("REFUSED:", *words, file=sys.stderr)
    sys.exit({REFUSED})

def database():
    url = re.sub("^postgres[a-z]*([+][a-z0-9]+)?:", "postgresql:", os.environ.get("SKILLFLAW_DATABASE_URL", ""))
    if not url.startswith("postgresql:"):
        return None
    for name in ("psycopg", "psycopg2"):
        try:
            client = __import__(name)
        except ImportError:
            continue
        until = time.monotonic() + {PATIENCE_SECONDS}
        while True:
            try:
                connection = client.connect(url, connect_timeout=10)
                connection.autocommit = True
                return connection.cursor()
            except client.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(1)
    print("the image has no client of PostgreSQL: the database was not asked")

def revisions(cursor):
    cursor.execute("SELECT to_regclass('alembic_version')")
    if not cursor.fetchone()[0]:
        return []
    cursor.execute("SELECT version_num FROM alembic_version")
    return [row[0] for row in cursor.fetchall()]

def knows(revision):
    for root in {{os.path.realpath(path) for path in sys.path}} - {{"/"}}:
        for folder, _, files in os.walk(root):
            if os.path.basename(folder) == "versions" and any(revision in file for file in files):
                return True
    return False

def write(file, text):
    with open(file + ".new", "w") as new:
        new.write(text)
        new.flush()
        os.fsync(new.fileno())
    os.replace(file + ".new", file)

def noted(cursor):
    cursor.execute("SELECT obj_description(to_regclass('alembic_version'), 'pg_class')")
    return cursor.fetchone()[0] or ""

revised_file = os.path.join(os.path.dirname(kept_file), ".schema-revision")
marker = os.path.join(os.path.dirname(kept_file), ".restoring")
if os.path.exists(marker):
    refuse("a restore of backup", open(marker).read().strip(), "has not ended: run",
           "`python -m operations restore --stack STACK --backup ID` again")
if action == "whole":
    sys.exit()
if action in ("check", "schema") and os.path.exists(revised_file):
    revised, found = open(revised_file).read().split(), []
    try:
        cursor = database()
        found = revisions(cursor) if cursor else []
    except Exception as error:
        print("the schema was not asked:", type(error).__name__)
    newer = [revision for revision in found if revision in revised and not knows(revision)]
    if newer:
        print("Started on it, this image may build its own schema over it. Go on with the image that made it, or",
              "restore a backup of this one (docs/operating.md#upgrade-skillflaw)", file=sys.stderr)
        refuse("this image has no migration that leads to the database's schema, revision", " and ".join(newer))
if action == "schema":
    sys.exit()
with open(key_file, "rb") as key:
    mine = hashlib.sha256(key.read().strip()).hexdigest()[:16]
if action == "record":
    write(kept_file, mine)
    print("key", mine, "recorded")
    try:
        cursor = database()
        if cursor:
            # Only what is found in this image can be missed in another one.
            write(revised_file, " ".join(revision for revision in revisions(cursor) if knows(revision)))
        if cursor and (not noted(cursor) or noted(cursor).startswith(note)):
            cursor.execute(f"COMMENT ON TABLE alembic_version IS '{{note}}{{mine}}'")
    except Exception as error:
        # A second place, for the day on which the volume is a new one.
        print("not noted in the database:", type(error).__name__)
    sys.exit()
kept = known(open(kept_file).read().strip()) if os.path.exists(kept_file) else None
beside = None
try:
    cursor = database()
    beside = known(noted(cursor).removeprefix(note)) if cursor else None
except Exception as error:
    print("the database was not asked:", type(error).__name__)
other = [one for one in dict.fromkeys((kept, beside)) if one not in (None, mine, accepted)]
if other:
    print("Mount the old key again. To give up what it encrypts (stored credentials, API keys,",
          f'sessions), set secretKey.acceptLoss: "{{other[0]}}"', file=sys.stderr)
    refuse("the data was made with key", " and ".join(other), "and the mounted key is", mine)
print("key", mine, "accepted; beside the data:", kept, "and in the database:", beside)
"""  # noqa: S608 - what is asked is written here
"""`python3 -c SCRIPT check|record|schema|whole KEY_FILE KEPT_FILE [ACCEPTED]`.

A fingerprint is the first 16 hex digits of the key's SHA-256: enough to tell keys apart, useless to
guess 256 random bits from. It is kept on the volume and in the database, as the comment on the table of the schema's
revision: a comment needs no right that the table's owner lacks, and travels with every dump. A text that is no
fingerprint, as a full disk leaves one, counts as none. `whole` looks for a restore that has not ended, and at nothing else.

The revision of the schema is kept on the volume where the image that made it has a file of that name among its migrations
(`versions/`, as Alembic names them): an image without one is too old for the database. Langflow then drops the table of the
revision and runs every migration once more (`initialize_database` of 0.7.3). `schema` looks at that alone.
"""
