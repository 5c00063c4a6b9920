"""Sets the superuser's password to the one in its variable, unless that one signs in already.

By the application's own API, with the key of `SKILLFLAW_API_KEY_SOURCE=env`, which acts as the superuser: the password of
before is not needed, whoever set it. No answer is shown: it may repeat what was asked.
"""

import http.client
import json
import os
import sys
from typing import Any, NoReturn
from urllib.parse import urlencode

USER, PASSWORD = os.environ["SKILLFLAW_SUPERUSER"], os.environ["SKILLFLAW_SUPERUSER_PASSWORD"]


def refuse(words: str) -> NoReturn:
    print("REFUSED:", words, file=sys.stderr)
    sys.exit(78)


def ask(method: str, path: str, body: str = "", **headers: str) -> tuple[int, Any]:
    """Status and decoded body of an answer; None for a body that is no JSON."""
    # Not by urllib.request: it would go by way of a proxy that the environment names.
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["SKILLFLAW_PORT"]), timeout=60)
    connection.request(
        method, f"/api/v1/{path}", body, {name.replace("_", "-"): it for name, it in headers.items()}
    )
    answer = connection.getresponse()
    try:
        return answer.status, json.load(answer)
    except ValueError:
        return answer.status, None


def signs_in() -> bool:
    form = urlencode({"username": USER, "password": PASSWORD})
    return ask("POST", "login", form, content_type="application/x-www-form-urlencoded")[0] == 200


def main() -> None:
    if signs_in():
        print(f"{USER} signs in already")
        return
    status, account = ask("GET", "users/whoami", x_api_key=PASSWORD)
    if status != 200 or not isinstance(account, dict) or account.get("username") != USER:
        refuse(
            f"the application knows no active superuser {USER} (status {status}): set its password in the application"
        )
    # Not `…/reset-password`: Langflow 1.8.4 answers 500 there to whoever comes with an API key.
    status, _ = ask(
        "PATCH",
        f"users/{account['id']}",
        json.dumps({"password": PASSWORD}),
        x_api_key=PASSWORD,
        content_type="application/json",
    )
    if not signs_in():
        refuse(f"the application took no new password for {USER} (status {status})")
    print(f"{USER} signs in with the new password")


main()
