"""A secret key is rotated by one edit: the old one stays, what it opens is encrypted again, and no replica mixes the two."""

import json

import pytest

from operations.review.preview import read
from operations.review.verdict import Verdict, judge
from settings.live import Live
from settings.load import parse
from settings.problems import SettingsError
from tests.stack_files import filled_in, stack_file
from tests.unit.previews import digest
from tests.unit.recorder import engine_config, record, whole_program

FIRST = {
    "frozen": {"namespace.name": "skillflaw"},
    "generatedKey": True,
    "keyGeneration": 1,
    "secretKey": "generated",
}
"""What a stack exported that came up with its first key."""
ROTATED = FIRST | {"keyGeneration": 2, "secretKey": "generated, generation 2", "keyRotations": 1}
"""What it exported after the second came."""


def lab(secret_key: dict, before: dict, **more):
    sections = stack_file("lab") | {"secretKey": secret_key} | more
    return record(whole_program, config=engine_config(sections), before=before)


def generation(number: int, **more) -> dict:
    return {"generated": {"generation": number} | more}


def old_keys(program) -> set[str]:
    """Files of old keys in the backend's pods."""
    volumes = {volume["name"]: volume for volume in program.pods["backend"]["volumes"]}
    if "old-keys" not in volumes:
        return set()
    return {source["secret"]["items"][0]["path"] for source in volumes["old-keys"]["projected"]["sources"]}


def rotations(program) -> str | None:
    return (
        program.one("Deployment", "backend")
        .inputs["metadata"]["annotations"]
        .get("skillflaw.com/key-rotations")
    )


def held(program) -> set[str]:
    return {declared.name for declared in program.of("RandomBytes")}


@pytest.fixture(scope="module")
def rotating():
    return lab(generation(2), FIRST)


def test_another_generation_is_a_new_key_next_to_the_old_one_which_stays_protected(rotating):
    assert held(rotating) == {"secret-key-bytes", "secret-key-2-bytes"}
    assert old_keys(rotating) == {"generation-1"}


def test_under_protection_no_generation_can_be_deleted_until_it_is_given_up():
    backups = {
        "images": filled_in("prod")["images"]
        | {"postgres": "postgres:16.4", "restic": "restic/restic:0.18.1"},
        "backup": {"schedule": "0 3 * * *"},
    }
    prod = filled_in("prod") | backups

    def protected(secret_key: dict, before: dict) -> dict[str, bool]:
        program = record(whole_program, config=engine_config(prod | {"secretKey": secret_key}), before=before)
        return {declared.name: declared.request.protect for declared in program.of("RandomBytes")}

    both = {"secret-key-bytes": True, "secret-key-2-bytes": True}
    assert protected(generation(2), FIRST) == both
    assert protected(generation(2, giveUp=1), ROTATED) == both | {"secret-key-bytes": False}


def test_every_replica_encrypts_again_before_it_serves_and_all_of_before_have_ended(rotating):
    guard, exchange = rotating.pods["backend"]["initContainers"]
    assert (guard["name"], exchange["args"][0]) == ("guard", "exchange")
    backend = rotating.one("Deployment", "backend")
    assert rotations(rotating) == "1"
    assert backend.request.replaceOnChanges == ['metadata.annotations["skillflaw.com/key-rotations"]']
    assert backend.request.deleteBeforeReplace
    assert rotating.outputs["keyRotations"] == 1


def test_before_that_a_job_proves_it_and_the_bootstrap_works_with_the_key_of_the_data(rotating):
    proof, guard = rotating.pods["bootstrap-key"]["containers"]
    assert proof["args"][0] == "prove"
    # Whatever else the edit changes: an image that is too old for the schema is refused then too.
    assert guard["command"][3] == "schema"
    _, choose, server = rotating.pods["bootstrap"]["initContainers"]
    (record_,) = rotating.pods["bootstrap"]["containers"]
    chosen = choose["args"][-1]
    assert choose["args"][0] == "choose"
    assert {"name": "SKILLFLAW_SECRET_KEY_FILE", "value": chosen} in server["env"]
    assert chosen in record_["command"]


def test_a_review_looks_at_a_rotation_and_calls_a_key_without_its_predecessor_a_loss(rotating, tmp_path):
    def verdict(after) -> Verdict:
        file = tmp_path / "preview.json"
        file.write_text(json.dumps(digest(lab({}, FIRST), after)))
        return judge(read(file)).verdict

    assert verdict(rotating) == Verdict.ATTENTION
    assert verdict(lab({"existing": THEIRS}, FIRST)) == Verdict.DESTRUCTIVE


def test_a_run_after_the_rotation_changes_nothing(rotating):
    after = lab(generation(2), ROTATED)
    assert {urn: it.inputs for urn, it in after.resources.items()} == {
        urn: it.inputs for urn, it in rotating.resources.items()
    }
    assert after.outputs == rotating.outputs


def test_a_rotation_that_failed_goes_on_with_the_same_number(rotating):
    failed = FIRST | {"keyGeneration": 2}
    assert rotations(lab(generation(2), failed)) == "1"


def test_a_rotation_that_failed_is_taken_back_with_both_keys_at_hand():
    back = lab(generation(1), FIRST | {"keyGeneration": 2})
    assert held(back) == {"secret-key-bytes", "secret-key-2-bytes"}
    assert old_keys(back) == {"generation-2"}
    assert rotations(back) is None


def test_a_key_is_given_up_in_two_runs_and_the_first_takes_it_from_the_pods():
    once = lab(generation(2, giveUp=1), ROTATED)
    assert held(once) == {"secret-key-bytes", "secret-key-2-bytes"}
    assert not old_keys(once)
    assert rotations(once) == "1"
    assert held(lab(generation(2, giveUp=1), ROTATED | {"keysGivenUp": 1})) == {"secret-key-2-bytes"}


def test_a_first_stack_and_one_that_never_rotated_are_as_they_were():
    first = lab({}, {})
    assert held(first) == {"secret-key-bytes"}
    assert rotations(first) is None
    assert [container["name"] for container in first.pods["backend"]["initContainers"]] == ["guard"]
    assert {urn: it.inputs for urn, it in lab({}, FIRST).resources.items()} == {
        urn: it.inputs for urn, it in first.resources.items()
    }


THEIRS = {"secretName": "theirs", "key": "key", "version": "2"}


@pytest.mark.parametrize(
    ("previous", "files"),
    [
        ({"generation": 1}, {"generation-1"}),
        ({"secretName": "before", "key": "key"}, {"previous"}),
        (None, set()),
    ],
    ids=["generated", "another Secret", "none"],
)
def test_an_existing_key_takes_the_place_of_the_one_that_is_named_and_of_no_other(previous, files):
    program = lab({"existing": THEIRS | ({"previous": previous} if previous else {})}, FIRST)
    assert old_keys(program) == files
    assert held(program) == {"secret-key-bytes"}
    assert rotations(program) == ("1" if previous else None)


def live(**known) -> Live:
    return Live(
        stack="acme/skillflaw/prod",
        **({"frozen": {}, "key_generation": 1, "secret_key": "generated"} | known),
    )


@pytest.mark.parametrize(
    ("secret_key", "known", "path"),
    [
        (
            {"existing": THEIRS | {"previous": {"secretName": "theirs", "key": "key"}}},
            {},
            "secretKey.existing.previous",
        ),
        (
            {"existing": THEIRS | {"previous": {"secretName": "before"}}},
            {},
            "secretKey.existing.previous.key",
        ),
        (
            {"existing": THEIRS | {"previous": {"generation": 2}}},
            {},
            "secretKey.existing.previous.generation",
        ),
        (
            {"existing": THEIRS | {"previous": {"generation": 1}}},
            {"key_generation": 2, "keys_given_up": 1},
            "secretKey.existing.previous.generation",
        ),
        (
            generation(2),
            {"secret_key": None, "frozen": {"database": "inCluster"}},
            "secretKey.generated.generation",
        ),
        (generation(2) | {"acceptLoss": "00112233445566ff"}, {}, "secretKey.acceptLoss"),
        (generation(2, giveUp=2), {}, "secretKey.generated.giveUp"),
        (generation(3, giveUp=1), {"key_generation": 2}, "secretKey.generated.giveUp"),
        (generation(2), {"keys_given_up": 1, "key_generation": 2}, "secretKey.generated.giveUp"),
    ],
)
def test_a_key_that_opens_nothing_or_is_still_needed_is_refused(secret_key, known, path):
    with pytest.raises(SettingsError) as refused:
        parse(stack_file("lab") | {"secretKey": secret_key}, set(), live=live(**known))
    assert path in [problem.path for problem in refused.value.problems]


def test_a_protected_key_is_rotated_with_a_backup():
    edit = {"secretKey": generation(2), "backup": {}, "protection": {"enabled": True}}
    with pytest.raises(SettingsError) as refused:
        parse(stack_file("lab") | edit, set(), live=live())
    (problem,) = [one for one in refused.value.problems if "another key" in one.found]
    assert problem.path == "backup.schedule"
