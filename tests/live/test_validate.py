"""`operations validate` against the stack `lab`, as `make up` leaves it."""

import re

from tests.live import flows
from tests.live.operate import validate


def test_every_check_of_the_guide_passes_with_a_stream_longer_than_a_minute(minted, hosts):
    flows.make_slow(hosts["app"], minted.api_key_file.read_text())
    done = validate("lab", minted, f"--long-flow={flows.SLOW}")
    assert done.returncode == 0, done.stdout + done.stderr
    _, *checks, verdict = done.stdout.splitlines()
    assert verdict.startswith(f"all {len(checks)} checks passed")
    for check in (
        "Service: GET /health",
        "api.skillflaw.test: no key and a wrong key are refused",
        "api.skillflaw.test: /api/v1/run runs the flow",
        "api.skillflaw.test: /api/v1/responses (openai client)",
        "api.skillflaw.test: /api/v1/mcp/streamable (mcp client)",
        "api.skillflaw.test: POST /api/v1/validate/code is closed",
        "app.skillflaw.test: a browser signs in and runs the flow",
        "docs.skillflaw.test: GET /",
    ):
        assert any("✓" in line and line.endswith(f"s  {check}") for line in checks), done.stdout
    assert re.search(
        r"✓ .* api\.skillflaw\.test: a stream longer than 60 s: 6\d s$", done.stdout, re.MULTILINE
    )
    shown = r"✓ .* docs\.skillflaw\.test: certificate: docs\.skillflaw\.test, by CN=skillflaw-lab CA, until 20\d\d-"
    assert re.search(shown, done.stdout)


def test_an_unknown_flow_fails_every_check_that_runs_it_with_a_reason_and_no_secret(minted):
    done = validate("lab", minted, flow="no-such-flow")
    assert done.returncode == 1
    for reason in (
        "POST /api/v1/run/no-such-flow answered 404, not 200",
        "an error inside a 200",
        "no tool of flow no-such-flow; listed: ",
        "the UI's user has no flow no-such-flow",
    ):
        assert reason in done.stdout
    for secret in (minted.api_key_file, minted.ui_password_file):
        assert secret.read_text() not in done.stdout + done.stderr
