"""A stack file is accepted whole or refused whole, in words that name the next edit."""

import json
from types import SimpleNamespace

import pulumi
import pytest

from settings import live
from settings.load import parse
from settings.problems import SettingsError
from settings.sections import Settings
from settings.shape import keys
from tests.stack_files import stack_file
from tests.unit.recorder import SENTINEL


def refusal(config: dict, secret: set[str] = frozenset()) -> SettingsError:
    with pytest.raises(SettingsError) as refused:
        parse(config, secret)
    return refused.value


def problem(config: dict, path: str, secret: set[str] = frozenset()):
    found = [problem for problem in refusal(config, secret).problems if problem.path == path]
    assert found, f"no problem at {path}: {refusal(config, secret)}"
    return found[0]


def lab(**sections) -> dict:
    return stack_file("lab") | sections


def test_sections_may_arrive_as_json_text_or_as_values():
    texts = {key: json.dumps(value) for key, value in stack_file("lab").items()}
    assert parse(texts, set()) == parse(stack_file("lab"), set())


def test_every_problem_is_reported_at_once():
    error = refusal(
        lab(
            surface={},
            database={"inCluster": {"siez": "1Gi"}},
            frontend={"replicas": 0},
            cache={"none": True},
            storage={"accessMode": "ReadWriteOnce"},
        )
    )
    paths = {problem.path for problem in error.problems}
    assert paths == {"surface", "database.inCluster.siez", "frontend.replicas", "cache.none", "backend.scale"}
    assert "5 problems" in str(error)


def test_an_unknown_section_names_the_nearest_one():
    assert problem(lab(surface={}), "surface").remedy == "did you mean surfaces?"


def test_an_unknown_key_names_the_nearest_one_at_any_depth():
    broken = lab(surfaces={"api": {"host": "api.example.com", "alow": ["run"]}})
    assert problem(broken, "surfaces.api.alow").remedy == "did you mean allow?"


def test_a_choice_of_two_is_refused():
    both = {"inCluster": {}, "external": {"secretName": "db", "key": "url"}}
    assert (
        problem(lab(database=both), "database").allowed == "exactly one of inCluster, cloudNativePg, external"
    )


def test_a_missing_section_says_what_it_is_for():
    config = lab()
    del config["database"]
    assert problem(config, "database").remedy == "choose one"


def test_scale_is_one_of_two_shapes_and_its_paths_are_the_files_own():
    mixed = lab(backend={"scale": {"replicas": 2, "max": 5}})
    assert problem(mixed, "backend.scale.max").found == "an unknown key"
    assert problem(lab(backend={"scale": {"min": 1, "max": 3}}), "backend.scale.min").found == "1"


def test_partial_resources_keep_the_other_defaults():
    settings = parse(lab(backend={"resources": {"requests": {"cpu": "100m"}}}), set())
    assert settings.backend.resources.requests.memory == "1Gi"
    assert settings.backend.resources.limits.cpu == "2"


@pytest.mark.parametrize(
    ("section", "path", "value", "allowed"),
    [
        ("frontend", "replicas", 0, "a whole number from 1 to 100"),
        ("images", "pullPolicy", "Sometimes", "Always or IfNotPresent or Never"),
        ("images", "registries", [], "a list, at least 1 long"),
        ("storage", "size", "2GB", "whole bytes from 1Mi to 1024Pi, such as 512Mi or 10Gi"),
        ("namespace", "name", "a" * 64, "text of the form ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$, at most 63 long"),
        (
            "namespace",
            "name",
            "skillflaw\n",
            "text of the form ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$, at most 63 long",
        ),
        ("cache", "none", False, "true"),
        ("protection", "enabled", "perhaps", "true or false"),
    ],
)
def test_a_wrong_value_comes_with_what_is_allowed_there(section, path, value, allowed):
    assert problem(lab(**{section: {path: value}}), f"{section}.{path}").allowed == allowed


def test_a_number_is_a_text_where_a_text_is_meant():
    settings = parse(lab(backend={"resources": {"limits": {"cpu": 4}}, "env": {"LIMIT": 5}}), set())
    assert settings.backend.resources.limits.cpu == "4"
    assert settings.backend.env == {"LIMIT": "5"}


def test_a_secret_in_plain_text_is_refused_with_the_command_that_stores_it():
    refused = problem(lab(kubeconfig=SENTINEL), "kubeconfig")
    assert "pulumi config set --secret kubeconfig" in refused.remedy


def test_a_section_stored_as_a_secret_is_refused():
    assert "--secret" in problem(lab(), "network", secret={"network"}).remedy


@pytest.mark.parametrize(
    "broken",
    [
        {"kubeconfig": SENTINEL},
        {"backend": {"env": {"SKILLFLAW_SECRET_KEY": SENTINEL, "MY_TOKEN": SENTINEL}}},
        {"database": {"external": {"secretName": f"postgresql://u:{SENTINEL}@db/x", "key": "url"}}},
        {"superuser": {"password": SENTINEL}},
        {"secretKey": {"existing": SENTINEL}},
        {"secretKey": SENTINEL},
        {"superuser": SENTINEL},
        {"password": SENTINEL},
        {"cache": {"external": {"url": f"redis://:{SENTINEL}@r"}}},
        {"database": {"external": f"host=db password={SENTINEL}"}},
        {"database": {"external": {f"password:{SENTINEL}": None}}},
        {f"password:{SENTINEL}": None},
        {f"sk-proj-{SENTINEL}": {}},
        {"backend": {"env": {f"password:{SENTINEL}": None}}},
        {"backend": {"env": {"X": f"host=db password={SENTINEL}"}}},
        {"backend": {"env": {f"{SENTINEL}@db": "x"}}},
        {"edge": {"annotations": {f"a b {SENTINEL}": "x"}}},
        {"edge": {"annotations": {"a": [SENTINEL]}}},
        {"storage": {"size": f"{SENTINEL} Gi"}},
        {"storage": {"size": SENTINEL}},
        {"images": {"backend": f"https://u:{SENTINEL}@ghcr.io/a"}},
        {"surfaces": {"api": SENTINEL}},
        {"surfaces": {"api": {"host": f"u:{SENTINEL}@api.example.com"}}},
        {"frontend": {"backendUrl": f"http://u:{SENTINEL}@skillflaw-backend:7860"}},
        {"protection": {"migrating": [f"password={SENTINEL}"]}},
        {"network": {"egress": [SENTINEL]}},
        {"network": {"egress": [{"cidr": f"{SENTINEL}/32", "ports": [1]}]}},
        {"backup": {"schedule": f"{SENTINEL} * * * *"}},
    ],
    ids=str,
)
def test_no_error_repeats_what_may_be_a_secret(broken):
    assert SENTINEL not in str(refusal(lab(**broken)))


@pytest.mark.parametrize(
    ("config", "path", "found"),
    [
        ({"frontend": {"replicas": 0}}, "frontend.replicas", "0"),
        ({"protection": {"enabled": "perhaps"}}, "protection.enabled", '"perhaps"'),
        ({"images": {"pullPolicy": "Sometimes"}}, "images.pullPolicy", '"Sometimes"'),
        ({"storage": {"size": "2GB"}}, "storage.size", '"2GB"'),
        ({"storage": {"size": None}}, "storage.size", "null"),
        ({"storage": {"size": "two words"}}, "storage.size", "a text of 9 characters"),
        ({"database": {"external": "plain"}}, "database.external", "a text of 5 characters"),
        ({"secretKey": {"acceptLoss": "plain"}}, "secretKey.acceptLoss", "a text of 5 characters"),
        ({"network": {"egress": {"a": 1}}}, "network.egress", "an object"),
        (
            {"database": {"external": {"pass word": 1}}},
            "database.external.(a key of 9 characters)",
            "an unknown key",
        ),
    ],
)
def test_a_found_value_is_shown_only_if_it_is_plain(config, path, found):
    assert problem(lab(**config), path).found == found


@pytest.mark.parametrize("blank", [None, "", "null", " "])
@pytest.mark.parametrize("section", list(keys(Settings)))
def test_a_section_that_is_left_blank_is_one_without_keys(section, blank):
    def outcome(value):
        try:
            return parse(lab(**{section: value}), set())
        except SettingsError as refused:
            return str(refused)

    assert outcome(blank) == outcome({})


@pytest.mark.parametrize(
    ("section", "key"), [("namespace", "name"), ("superuser", "username"), ("cluster", "context")]
)
def test_a_name_that_yaml_reads_as_a_number_asks_for_quotes(section, key):
    assert "in quotes" in problem(lab(**{section: {key: 123}}), f"{section}.{key}").allowed


# --- the engine's own state --------------------------------------------------------------------


def answering(monkeypatch, *answers: str | dict) -> list:
    """Makes the engine answer reads of a stack's outputs, texts as errors; returns the reads."""
    reads: list = []

    def invoke(token: str, args: dict) -> SimpleNamespace:
        reads.append(args["name"])
        answer = answers[min(len(reads), len(answers)) - 1]
        if isinstance(answer, str):
            raise Exception(answer)
        return SimpleNamespace(value={"outputs": answer})

    monkeypatch.setattr(pulumi.runtime, "invoke", invoke)
    return reads


def test_a_state_file_that_is_being_written_is_read_again(monkeypatch):
    reads = answering(monkeypatch, " failed to load checkpoint: EOF", {"frozen": {"database": "external"}})
    assert live.read_live().frozen == {"database": "external"}
    assert len(reads) == 2


def test_a_state_file_that_stays_broken_is_an_error(monkeypatch):
    reads = answering(monkeypatch, "failed to load checkpoint: EOF")
    with pytest.raises(Exception, match="EOF"):
        live.read_live()
    assert len(reads) == live.STATE_READS


def test_any_other_error_is_one_at_once(monkeypatch):
    reads = answering(monkeypatch, "unknown stack")
    with pytest.raises(Exception, match="unknown stack"):
        live.read_live()
    assert len(reads) == 1
