"""The continuity guard: data made with one key is never served with another by accident, nor data that is half restored."""

REFUSED = 78
"""Exit code of a refusal (EX_CONFIG): trying again cannot help."""

SCRIPT = f"""\
import hashlib, os, re, sys
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
        connection = client.connect(url, connect_timeout=10)
        connection.autocommit = True
        return connection.cursor()
    print("the image has no client of PostgreSQL: the database was not asked")

def noted(cursor):
    cursor.execute("SELECT obj_description(to_regclass('alembic_version'), 'pg_class')")
    return cursor.fetchone()[0] or ""

marker = os.path.join(os.path.dirname(kept_file), ".restoring")
if os.path.exists(marker):
    refuse("a restore of backup", open(marker).read().strip(), "has not ended: run",
           "`python -m operations restore --stack STACK --backup ID` again")
if action == "whole":
    sys.exit()
with open(key_file, "rb") as key:
    mine = hashlib.sha256(key.read().strip()).hexdigest()[:16]
if action == "record":
    with open(kept_file + ".new", "w") as new:
        new.write(mine)
        new.flush()
        os.fsync(new.fileno())
    os.replace(kept_file + ".new", kept_file)
    print("key", mine, "recorded")
    try:
        cursor = database()
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
"""
"""`python3 -c SCRIPT check|record|whole KEY_FILE KEPT_FILE [ACCEPTED]`.

A fingerprint is the first 16 hex digits of the key's SHA-256: enough to tell keys apart, useless to
guess 256 random bits from. It is kept on the volume and in the database, as the comment on the table of the schema's
revision: a comment needs no right that the table's owner lacks, and travels with every dump. A text that is no
fingerprint, as a full disk leaves one, counts as none. `whole` looks for a restore that has not ended, and at nothing else.
"""
