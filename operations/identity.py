"""Who a CI job is: a token that GitHub signs for it, good for minutes, so that no credential is stored anywhere."""

import base64
import json
import os
from datetime import UTC, datetime

import httpx2

from operations.program import ProgramError


def token(audience: str) -> str:
    """A signed statement of who this job is, for one reader of it.

    Raises:
        ProgramError: this is no job with `id-token: write`, or GitHub refuses.
    """
    try:
        address, key = (
            os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"],
            os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
        )
    except KeyError as missing:
        raise ProgramError(f"{missing.args[0]} is not set: this is no job with `id-token: write`") from None
    try:
        asked = httpx2.get(
            httpx2.URL(address).copy_merge_params({"audience": audience}),
            headers={"Authorization": f"bearer {key}"},
        )
        asked.raise_for_status()
        return str(asked.json()["value"])
    except (httpx2.HTTPError, ValueError) as error:
        raise ProgramError(f"no identity token: {error}") from None
    except (KeyError, TypeError):
        raise ProgramError("no identity token: the answer has no `value`") from None


def credential(audience: str) -> str:
    """The token as kubectl and Pulumi's provider ask a kubeconfig's `exec` for it; they ask again when it ends.

    Raises:
        ProgramError: there is no token, or it does not say when it ends.
    """
    signed = token(audience)
    try:
        payload = signed.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        ends = datetime.fromtimestamp(claims["exp"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (IndexError, ValueError, KeyError, TypeError):
        raise ProgramError("the identity token does not say when it ends") from None
    return json.dumps(
        {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": signed, "expirationTimestamp": ends},
        }
    )
