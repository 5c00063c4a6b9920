"""The continuity guard: data made with one key is never served with another by accident.

The script runs inside the backend image, which has a Python but none of this program's packages.
"""

REFUSED = 78
"""Exit code of a refusal (EX_CONFIG): trying again cannot help."""

SCRIPT = f"""\
import hashlib, os, sys
action, key_file, kept_file, accepted = (sys.argv[1:] + [None])[:4]
with open(key_file, "rb") as key:
    mine = hashlib.sha256(key.read().strip()).hexdigest()[:16]
kept = open(kept_file).read().strip() if os.path.exists(kept_file) else None
if action == "record":
    with open(kept_file + ".new", "w") as new:
        new.write(mine)
    os.replace(kept_file + ".new", kept_file)
    print("key", mine, "recorded")
elif kept in (None, mine, accepted):
    print("key", mine, "accepted; beside the data:", kept)
else:
    print("REFUSED: the data was made with key", kept, "and the mounted key is", mine, file=sys.stderr)
    print("Mount the old key again. To give up what it encrypts (stored credentials, API keys,",
          f'sessions), set secretKey.acceptLoss: "{{kept}}"', file=sys.stderr)
    sys.exit({REFUSED})
"""
"""`python3 -c SCRIPT check|record KEY_FILE KEPT_FILE [ACCEPTED]`.

A fingerprint is the first 16 hex digits of the key's SHA-256: enough to tell keys apart, useless to
guess 256 random bits from.
"""
