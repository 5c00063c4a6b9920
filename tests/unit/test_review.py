"""The verdict on previews that the engine wrote (tests/engine/test_review.py records them)."""

import json
import re

import pytest
from typer.testing import CliRunner

from detection.scrub import scrubbed
from operations.__main__ import app
from operations.review import mask
from operations.review.gate import NOTHING
from operations.review.markdown import CUT, markdown
from operations.review.preview import read
from operations.review.verdict import judge
from tests.unit.recorder import ROOT

PREVIEWS = ROOT / "tests" / "fixtures" / "previews"


def recorded(name):
    return PREVIEWS / f"{name}.json"


def review(*files, form="text", reviewed=None):
    options = [f"--format={form}", *([f"--reviewed={reviewed}"] if reviewed else [])]
    return CliRunner().invoke(app, ["review", *map(str, files), *options])


def judged(name):
    return judge(read(recorded(name)))


@pytest.fixture
def altered(tmp_path):
    """A recorded preview with some of its steps edited, by logical name."""

    def alter(name, **edits):
        digest = json.loads(recorded(name).read_text())
        for step in digest["steps"]:
            edit = edits.get(step["urn"].rpartition("::")[2].replace("-", "_"))
            if edit:
                edit(step)
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(digest))
        return file

    return alter


CODES = {
    "nothing": 0,
    "environment-variable": 0,
    "newer-frontend": 0,
    "more-cache": 0,
    "external-cache": 3,
    "newer-postgres": 3,
    "own-key": 4,
    "external-database": 4,
    "another-namespace": 4,
    "pull-request": 4,
    "unsafe": 5,
}


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_the_exit_code_tells_how_careful_to_be(name, code):
    assert review(recorded(name)).exit_code == code


def test_every_recorded_preview_is_judged_here():
    assert {file.stem for file in PREVIEWS.glob("*.json")} == CODES.keys()


def test_several_previews_have_the_exit_code_of_the_worst():
    assert (
        review(recorded("nothing"), recorded("external-database"), recorded("newer-postgres")).exit_code == 4
    )


def test_a_change_of_nothing_is_one_line():
    assert review(recorded("nothing")).output == "✓ staging  no change\n"


def test_every_stack_has_its_line_before_anything_else():
    lines = review(recorded("pull-request"), recorded("unsafe"), recorded("nothing")).output.splitlines()
    assert [line[:10] for line in lines[:4]] == ["✗ staging ", "✗ staging ", "✓ staging ", ""]


def test_lost_state_is_named_first_with_the_property_that_forces_it():
    shown = review(recorded("pull-request")).output
    first = shown.split("\n\n")[1]
    assert first.splitlines() == [
        "staging: state that would be lost",
        "  - REPLACES PersistentVolumeClaim skillflaw-backend-data",
        "    - spec.accessModes[0]: ReadWriteMany → ReadWriteOnce",
    ]
    assert "REPLACES OR DELETES STATE: PersistentVolumeClaim skillflaw-backend-data" in shown.splitlines()[0]


def test_a_database_is_lost_with_its_volume_its_password_and_the_secret_that_holds_it():
    lost = {(row.op, row.name) for row in judged("external-database").lost}
    assert lost == {
        ("delete", "StatefulSet postgresql"),
        ("delete", "PersistentVolumeClaim postgresql-data"),
        ("delete", "RandomPassword database-password"),
        ("delete", "Secret database-secret"),
    }


def test_a_generated_password_is_lost_with_the_secret_that_holds_it():
    lost = {row.name for row in judged("external-database").lost}
    assert {"Secret database-secret", "RandomPassword database-password"} <= lost


def test_a_generated_key_stays_when_a_key_of_others_takes_its_place():
    own = judged("own-key")
    assert own.lost == ()
    assert {roll.name for roll in own.rolls} >= {"Deployment skillflaw-backend", "Job bootstrap-key"}


def test_a_cache_keeps_nothing_that_could_be_lost():
    cache = judged("external-cache")
    assert cache.lost == ()
    assert "RandomPassword cache-password" in cache.warnings[0]


def test_a_new_version_of_a_config_map_is_explained_and_no_danger():
    rolls = {roll.name: roll for roll in judged("environment-variable").rolls}
    why = ("new version of ConfigMap runtime-config: SKILLFLAW_LOG_LEVEL",)
    assert rolls["Deployment skillflaw-backend"].reasons == why
    assert rolls["Deployment skillflaw-backend"].how == "one by one"
    assert rolls["Job bootstrap"].reasons == why
    assert judged("environment-variable").summary == "1 updated, 2 new versions; rolling skillflaw-backend"


def test_a_new_version_of_a_secret_says_that_the_generated_value_stays():
    rolls = {roll.name: roll.reasons for roll in judged("more-cache").rolls}
    why = "new version of Secret cache-secret (same generated value): redis.conf"
    assert rolls["Deployment skillflaw-backend"] == (why,)
    assert why in rolls["Deployment redis"]


def test_a_secret_that_gets_another_generated_value_is_lost(altered):
    def replace(step):
        step |= {"op": "replace", "newState": step["oldState"]}

    def keep(step):
        step["op"] = "same"

    other = judge(read(altered("external-database", database_secret=replace, database_password=replace)))
    assert "Secret database-secret" in {row.name for row in other.lost}
    same = judge(read(altered("external-database", database_secret=replace, database_password=keep)))
    assert "Secret database-secret" not in {row.name for row in same.lost}


def test_a_config_map_of_a_fixed_name_is_no_version(altered):
    def fix(step):
        for state in ("oldState", "newState"):
            del step[state]["inputs"]["metadata"]["annotations"]

    fixed = judge(read(altered("environment-variable", runtime_config=fix)))
    assert fixed.warnings == ("replaces ConfigMap runtime-config-00000005: away meanwhile",)


def test_an_image_is_the_reason_of_a_roll():
    (roll,) = judged("newer-frontend").rolls
    assert roll.reasons == ("image skillflaw.lab/frontend:1 → skillflaw.lab/frontend:2",)


def test_an_image_by_digest_is_known_by_twelve_digits(altered):
    def digest(step):
        step["newState"]["inputs"]["spec"]["template"]["spec"]["containers"][0]["image"] = (
            f"a/b@sha256:{'1' * 64}"
        )

    (roll,) = judge(read(altered("newer-frontend", frontend=digest))).rolls
    assert roll.reasons == ("image skillflaw.lab/frontend:1 → a/b@sha256:111111111111…",)


def test_pods_that_leave_before_their_successors_start_are_named():
    assert judged("newer-postgres").warnings == (
        "interrupts StatefulSet postgresql: its pods leave before their successors start",
    )


def test_a_host_that_becomes_public_is_named():
    assert "opens docs.skillflaw.test (Ingress skillflaw-docs)" in judged("pull-request").warnings


def unready(step):
    """Makes an update one of a Deployment that did not become ready, and of nothing else."""
    step["oldState"]["initErrors"] = [
        "Minimum number of Pods to consider the application live was not attained"
    ]
    step |= {"newState": {**step["oldState"], "initErrors": None}, "detailedDiff": {}}


def test_an_object_that_did_not_become_ready_is_waited_for_again_and_no_change(altered):
    file = altered("newer-frontend", frontend=unready)
    waiting = judge(read(file))
    assert (waiting.summary, waiting.touched, waiting.rolls) == ("no change", (), ())
    assert waiting.notes == (
        "waits again for Deployment skillflaw-frontend: its last update did not become ready",
    )
    assert review(file).exit_code == 0
    assert drift(file).output == "`staging`: no drift\n"


def test_an_update_of_nothing_whose_last_one_became_ready_goes_without_saying(altered):
    def nothing(step):
        step |= {"newState": step["oldState"], "detailedDiff": None}

    assert review(altered("newer-frontend", frontend=nothing)).output == "✓ staging  no change\n"


def test_an_unready_object_that_also_changes_is_a_change(altered):
    def both(step):
        step["oldState"]["initErrors"] = ["not attained"]

    changed = judge(read(altered("newer-frontend", frontend=both)))
    assert (changed.summary, changed.notes) == ("1 updated; rolling skillflaw-frontend", ())


def test_a_replacement_of_an_unready_object_is_a_change_even_without_a_difference(altered):
    def replace(step):
        unready(step)
        step["op"] = "replace"

    replaced = judge(read(altered("newer-postgres", database=replace)))
    assert [row.name for row in replaced.lost] == ["StatefulSet postgresql"]


def test_an_update_whose_values_the_engine_masks_is_a_change(altered):
    def masked(step):
        unready(step)
        step["oldState"]["inputs"]["spec"]["template"]["spec"]["containers"][0]["args"] = ["[secret]"]

    assert judge(read(altered("newer-frontend", frontend=masked))).counts == {"updated": 1}


def test_what_goes_with_a_replaced_claim_is_explained_by_its_own_differences():
    rolls = {roll.name: roll for roll in judged("pull-request").rolls}
    backend = rolls["Deployment skillflaw-backend"]
    assert backend.how == "deleted and made again"
    assert backend.reasons == ("image skillflaw.lab/backend:1 → skillflaw.lab/backend:2",)
    assert "rolling" not in judged("pull-request").summary


def test_a_protection_that_is_taken_off_is_named(altered):
    def unprotect(step):
        step["oldState"]["protect"] = True

    shown = judge(read(altered("newer-postgres", database=unprotect)))
    assert "takes the protection from StatefulSet postgresql" in shown.warnings


def test_a_preview_that_failed_says_why():
    done = review(recorded("unsafe"))
    assert done.output.startswith("✗ staging  THE PREVIEW FAILED\n")
    assert "backend.scale" in done.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ('{"steps": [{"op": "upd', "is not whole JSON"),
        ("[]", "holds no steps"),
        ('{"hello": 1}', "holds no steps"),
        ('{"diagnostics": []}', "holds no steps"),
        ('{"steps": []}', "holds no steps"),
        ('{"changeSummary": {"update": 3}}', "holds no steps"),
        ('{"steps": [{"op": "same", "urn": "skillflaw"}]}', "no URN"),
        (
            '{"steps": [{"op": "update", "urn": "urn:pulumi:s::p::kubernetes:core/v1:Secret::x"}]}',
            "lacks a state",
        ),
        (None, "No such file"),
    ],
)
def test_what_is_no_preview_is_a_clear_error_and_hides_no_other_stack(tmp_path, text, said):
    file = tmp_path / "prod.json"
    if text is not None:
        file.write_text(text)
    done = review(file, recorded("nothing"))
    assert done.exit_code == 5
    assert "✗ prod     THE PREVIEW FAILED" in done.output
    assert said in done.output
    assert "✓ staging  no change" in done.output


@pytest.mark.parametrize("severity", ["info#err", "error"])
def test_a_preview_without_steps_failed_for_what_its_diagnostics_say(tmp_path, severity):
    file = tmp_path / "prod.json"
    said = {"message": "policy pack 'skillflaw' failed to start", "severity": severity}
    file.write_text(json.dumps({"diagnostics": [said]}))
    done = review(file)
    assert done.exit_code == 5
    assert "policy pack 'skillflaw' failed to start" in done.output


def test_what_a_program_writes_to_stderr_fails_no_preview_with_steps(tmp_path):
    digest = json.loads(recorded("nothing").read_text())
    file = tmp_path / "prod.json"
    file.write_text(json.dumps(digest | {"diagnostics": [{"message": "a warning", "severity": "info#err"}]}))
    assert review(file).exit_code == 0


def test_a_stack_of_which_the_engine_lists_nothing_but_what_stays_is_unchanged(tmp_path):
    file = tmp_path / "prod.json"
    file.write_text('{"changeSummary": {"same": 40}}')
    assert review(file).exit_code == 0


@pytest.mark.parametrize(
    ("kept", "code", "said"),
    [
        ("0\n", 0, "no change"),
        ("255\n", 5, "the preview ended with exit code 255"),
        ("1", 5, "the preview ended with exit code 1"),
        ("-9\n", 5, "the preview ended with exit code -9"),
        ("", 5, "holds no exit code"),
        ("killed", 5, "holds no exit code"),
    ],
)
def test_a_preview_that_ended_badly_failed_even_if_its_json_looks_whole(tmp_path, kept, code, said):
    file = tmp_path / "prod.json"
    file.write_text(recorded("nothing").read_text())
    (tmp_path / "prod.json.exit").write_text(kept)
    done = review(file)
    assert done.exit_code == code
    assert said in done.output


# --- the comment -------------------------------------------------------------------------------


def test_the_comment_is_found_again_by_its_first_line():
    assert review(recorded("nothing"), form="markdown").output.startswith("<!-- skillflaw-review -->\n")


@pytest.mark.parametrize("limit", [700, 2_000, 10_000, 60_000])
def test_a_long_comment_is_cut_at_its_end_and_never_in_its_summary(limit):
    stacks = [judged("another-namespace"), judged("pull-request"), judged("unsafe")] * (
        1 if limit < 9_000 else 20
    )
    comment = markdown(stacks[:1] if limit == 700 else stacks, limit)
    assert len(comment) <= limit
    assert comment.count("| ✗ |") == len(stacks[:1] if limit == 700 else stacks)
    assert CUT in comment
    assert comment.count("```") % 2 == 0
    assert comment.count("<details>") == comment.count("</details>")


def test_no_value_ends_the_block_it_is_shown_in(altered):
    def nasty(step):
        step["newState"]["inputs"]["data"]["SKILLFLAW_LOG_LEVEL"] = "````\n</details>\n# owned @everyone"

    comment = review(altered("environment-variable", runtime_config=nasty), form="markdown").output
    fence = re.search(r"^(`+)diff$", comment, re.MULTILINE)[1]
    assert len(fence) == 5
    assert "\n# owned" not in comment


def lost(name):
    return {
        "op": "delete",
        "urn": f"urn:pulumi:prod::p::kubernetes:core/v1:PersistentVolumeClaim::{name}",
        "oldState": {"custom": True, "inputs": {"metadata": {"name": name}}},
    }


def preview_of(tmp_path, *steps, name="prod"):
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps({"steps": steps}))
    return file


@pytest.mark.parametrize(
    "steps",
    [
        [lost(f"claim-{number}") for number in range(3_000)],
        [lost("x" * 100_000)],
        [lost("`" * 100_000)],
        [lost("@[" * 50_000), lost("\n" * 100_000)],
    ],
    ids=["many", "long", "backticks", "escaped"],
)
def test_a_comment_is_no_longer_than_a_forge_takes_whatever_is_in_it(tmp_path, steps):
    comment = review(preview_of(tmp_path, *steps), form="markdown").output
    assert len(comment) <= 60_000
    assert comment.count("| ✗ |") == 1


def test_a_comment_on_very_many_stacks_keeps_the_gravest_headlines(tmp_path):
    reviews = [judged("nothing")] * 3_000 + [judged("pull-request")] * 3
    comment = markdown(reviews)
    assert len(comment) <= 60_000
    assert comment.count("| ✗ |") == 3
    assert f"| | | {CUT} |" in comment


NASTY = "x|y `z` <b>\n# heading\r\n- @everyone [a](https://x.test) ![b](c) #1 \u202e&lt;"


def test_names_are_shown_as_names_and_not_as_markup(tmp_path):
    row = lost(NASTY.replace("::", ""))
    ingress = {
        "op": "create",
        "urn": f"urn:pulumi:prod::p::kubernetes:networking.k8s.io/v1:Ingress::{NASTY}",
        "newState": {
            "custom": True,
            "inputs": {"metadata": {"name": NASTY}, "spec": {"rules": [{"host": NASTY}]}},
        },
    }
    file = preview_of(tmp_path, row, ingress, name="prod")
    comment = review(file, form="markdown").output
    before, _, fenced = comment.partition("<details>")
    assert "\n# heading" not in comment
    assert "\u202e" not in comment
    outside = re.sub(r"`[^`\n]*`", "", before)
    for markup in ("<b>", "@everyone", "[a](", "![b]", "#1", "://x.test"):
        assert markup not in outside
    assert all(
        line.count("|") - line.count("\\|") == 4 for line in before.splitlines() if line.startswith("|")
    )
    assert "\n# heading" not in review(file).output
    assert "\n# heading" not in drift(file).output
    assert fenced.count("```") == 2


@pytest.mark.parametrize("stack", ["a`b", "a|b", "<script>", "a\nb"])
def test_the_name_of_a_stack_is_inert_too(tmp_path, stack):
    digest = json.loads(
        recorded("newer-frontend").read_text().replace("urn:pulumi:staging", "urn:pulumi:STACK")
    )
    text = json.dumps(digest).replace("urn:pulumi:STACK", json.dumps(f"urn:pulumi:{stack}")[1:-1])
    file = tmp_path / "prod.json"
    file.write_text(text)
    comment = review(file, form="markdown").output
    assert "<script>" not in re.sub(r"`[^`\n]*`", "", comment)
    assert "a\nb" not in comment
    row = next(line for line in comment.splitlines() if line.startswith(("| ✓", "| !", "| ✗")))
    assert row.count("|") == 4


def test_the_readme_shows_what_the_command_says_of_the_recorded_pull_request():
    readme = (ROOT / "README.md").read_text()
    shown = review(recorded("pull-request"), recorded("nothing"), form="markdown").output
    assert f"<!-- review -->\n{shown}<!-- end of review -->\n" in readme


# --- secrets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "path", "value", "shown"),
    [
        ("Secret", "data.password", "hunter2", "[secret]"),
        ("Secret", 'data["redis.conf"]', "hunter2", "[secret]"),
        ("Secret", "stringData", {"url": "hunter2"}, "[secret]"),
        ("ConfigMap", "data.MY_TOKEN", "hunter2", "[secret]"),
        ("ConfigMap", "data.URL", "postgresql://me:hunter2@db/x", "postgresql://me:[secret]@db/x"),
        ("ConfigMap", "data.SKILLFLAW_SECRET_KEY_FILE", "/run/key", "/run/key"),
        (
            "Deployment",
            "spec.env",
            [{"name": "A_PASSWORD", "value": "hunter2"}, {"name": "B", "value": "plain"}],
            [{"name": "A_PASSWORD", "value": "[secret]"}, {"name": "B", "value": "plain"}],
        ),
        ("Deployment", "spec.volumes[0].secret.secretName", "key-1", "key-1"),
        ("Deployment", "spec.args", ["--password", "hunter2"], ["--password", "[secret]"]),
        ("Deployment", "spec.args", ["--password=hunter2", "-v"], ["--password=[secret]", "-v"]),
        (
            "Deployment",
            "spec.command",
            ["sh", "-c", "X_TOKEN=hunter2 run"],
            ["sh", "-c", "X_TOKEN=[secret] run"],
        ),
        ("Secret", 'metadata.annotations["last-applied"]', "hunter2", "[secret]"),
        ("Secret", "metadata.name", "key-1", "key-1"),
        ("RandomPassword", "result", "hunter2", "[secret]"),
        ("ConfigMap", "data.X", {"4dabf18193072939515e22adb298388d": "1", "value": "hunter2"}, "[secret]"),
        ("ConfigMap", "data.SKILLFLAW_ACCESS_TOKEN_EXPIRE_SECONDS", "3600", "3600"),
        ("ConfigMap", "data.TOKENIZERS_PARALLELISM", "false", "false"),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_where_it_is_kept_is_not(kind, path, value, shown):
    assert mask.masked(kind, path, value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sk-proj-abcdefghijkl1234", "[secret]"),
        ("key ghp_abcdefghijklmnopqrstuvwxyz0123456789.", "key [secret]."),
        ("github_pat_11AAAAAAA0abcdefghijkl", "[secret]"),
        ("glpat-abcdefghijklmnop", "[secret]"),
        ("xoxb-123456789012-abcdef", "[secret]"),
        ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc", "[secret]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n", "[secret]\n"),
        ("-----BEGIN PRIVATE KEY-----\nabc", "[secret]"),
        ("host=db password=hunter2 user=me", "host=db password=[secret] user=me"),
        ("host=db password='hun ter2'", "host=db password=[secret]"),
        ("Server=db;Pwd=hunter2;", "Server=db;Pwd=[secret];"),
        ('{"password": "hunter2"}', '{"password": [secret]}'),
        ("postgresql+psycopg://me:p@ss/w@db/x", "postgresql+psycopg://me:[secret]@db/x"),
        ("https://me:hunter2@x.test/", "https://me:[secret]@x.test/"),
        ("Authorization: Bearer abcdefghijk", "Authorization: Bearer [secret]"),
        ("requirepass hunter2", "requirepass [secret]"),
        ("gAAAAABmQ2x5Rk9PQkFSMTIzNDU2Nzg5MGFiY2RlZg==", "[secret]"),
        ("https://x.test:443/a@b", None),
        (f"skillflaw.lab/backend@sha256:{'1a' * 32}", None),
        ("preferredDuringSchedulingIgnoredDuringExecution", None),
        ("the secret key is wrong", None),
        ('set secretKey.acceptLoss: "0123456789abcdef"', None),
        ("runtime-config-0a1b2c3d", None),
    ],
)
def test_a_text_is_shown_without_what_looks_like_a_secret(text, shown):
    assert scrubbed(text) == (text if shown is None else shown)
    assert (mask.masked("ConfigMap", "data.note", text) == text) == (shown is None)


def leak(where, value):
    """An edit that puts a value into the first container of a step's new state, and names the leaf as the engine does."""

    def edit(step):
        path, name = where
        for state in ("oldState", "newState"):
            container = step[state]["inputs"]["spec"]["template"]["spec"]["containers"][0]
            container["env"] = [{"name": "A", "value": "a"}, {"name": name, "value": "b"}]
            container["args"] = ["--verbose", name, "b"]
        if path.startswith("env"):
            container["env"][1]["value"] = value
        else:
            container["args"][2] = value
        step["detailedDiff"] = {f"spec.template.spec.containers[0].{path}": {"kind": "update"}}

    return edit


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("env[1].value", "DB_PASSWORD"), "hunter2"),
        (("env[1].value", "OPENAI_KEY"), "hunter2"),
        (("env[1].value", "PLAIN"), "sk-proj-abcdefghijkl1hunter2"),
        (("env[1].value", "DSN"), "host=db password=hunter2"),
        (("args[2]", "--token"), "hunter2"),
        (("args[2]", "-x"), "https://me:hunter2@x.test"),
    ],
)
def test_a_leaf_is_masked_by_the_name_next_to_it_and_by_its_looks(altered, form, where, value):
    done = review(altered("newer-frontend", frontend=leak(where, value)), form=form)
    assert "[secret]" in done.output
    assert "hunter2" not in done.output


def test_drift_shows_no_secret_of_a_leaf_either(altered):
    done = drift(altered("newer-frontend", frontend=leak(("env[1].value", "DB_PASSWORD"), "hunter2")))
    assert "[secret]" in done.output
    assert "hunter2" not in done.output


def test_what_made_a_preview_fail_is_shown_without_secrets(tmp_path):
    file = tmp_path / "prod.json"
    message = "cannot connect to postgresql://me:hunter2@db/x with --password hunter2"
    file.write_text(json.dumps({"diagnostics": [{"message": message, "severity": "error"}]}))
    for form in ("text", "markdown", "json"):
        assert "hunter2" not in review(file, form=form).output
    assert "hunter2" not in drift(file).output


def test_the_data_of_a_secret_is_never_shown_even_if_the_engine_did(altered):
    def leak(step):
        for state in ("oldState", "newState"):
            step[state]["inputs"]["data"] = {"redis.conf": "hunter2"}

    for form in ("text", "markdown", "json"):
        done = review(altered("more-cache", cache_secret=leak), form=form)
        assert "[secret]" in done.output
        assert "hunter2" not in done.output


# --- drift -------------------------------------------------------------------------------------


def drift(*files):
    return CliRunner().invoke(app, ["drift", *map(str, files)])


def test_a_cluster_as_the_program_says_has_no_drift():
    done = drift(recorded("nothing"))
    assert done.exit_code == 0
    assert done.output == "`staging`: no drift\n"


def test_an_object_that_is_only_not_ready_yet_is_no_drift(altered):
    def same(step):
        step |= {"newState": step["oldState"], "detailedDiff": {}}

    assert drift(altered("newer-frontend", frontend=same)).exit_code == 0


def test_drift_names_object_field_what_is_there_and_what_should_be():
    done = drift(recorded("newer-frontend"))
    assert done.exit_code == 3
    assert (
        "- `Deployment skillflaw-frontend`: `spec.template.spec.containers[0].image` is `skillflaw.lab/frontend:1`, "
        "the program says `skillflaw.lab/frontend:2`\n"
    ) in done.output
    assert "make repair STACK=staging" in done.output


def test_a_cluster_that_could_not_be_looked_at_is_not_called_clean():
    done = drift(recorded("unsafe"), recorded("nothing"))
    assert done.exit_code == 5
    assert "`staging` could not be looked at:" in done.output


# --- the gate ----------------------------------------------------------------------------------


@pytest.fixture
def agreed(tmp_path):
    def agree(*names):
        file = tmp_path / "review.json"
        file.write_text(review(*map(recorded, names), form="json").output if names else NOTHING)
        return file

    return agree


def test_what_was_agreed_to_passes_even_if_it_is_destructive(agreed):
    assert review(recorded("pull-request"), reviewed=agreed("pull-request")).exit_code == 0


def test_less_than_what_was_agreed_to_passes(agreed):
    assert review(recorded("nothing"), reviewed=agreed("pull-request")).exit_code == 0


def test_more_than_what_was_agreed_to_stops_and_is_named(agreed):
    done = review(recorded("pull-request"), reviewed=agreed("newer-postgres"))
    assert done.exit_code == 4
    assert "not in the review that was agreed to: staging: replaces PersistentVolumeClaim" in done.output


def test_other_losses_than_those_agreed_to_stop(agreed):
    assert review(recorded("external-database"), reviewed=agreed("pull-request")).exit_code == 4


@pytest.mark.parametrize("name", CODES)
def test_where_nothing_was_agreed_to_only_what_is_safe_passes(agreed, name):
    assert review(recorded(name), reviewed=agreed()).exit_code == CODES[name]


def test_a_preview_that_failed_never_passes_even_if_the_agreed_one_failed_equally(agreed):
    done = review(recorded("unsafe"), reviewed=agreed("unsafe"))
    assert done.exit_code == 5
    assert "not in the review that was agreed to: staging: the preview failed" in done.output


def test_a_review_that_cannot_be_read_stops(tmp_path):
    file = tmp_path / "review.json"
    file.write_text("{}")
    assert review(recorded("nothing"), reviewed=file).exit_code == 5


def test_programs_read_the_verdict_and_its_reasons_by_stack():
    whole = json.loads(review(recorded("pull-request"), form="json").output)
    assert whole["verdict"] == whole["stacks"]["staging"]["verdict"] == "destructive"
    (lost,) = whole["stacks"]["staging"]["lost"]
    assert lost["name"] == "PersistentVolumeClaim skillflaw-backend-data"
    assert [row["path"] for row in lost["properties"] if row["forces"]] == ["spec.accessModes[0]"]
