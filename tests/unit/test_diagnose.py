"""The archive for a maintainer: what is in it, and that no value of a Secret is, however it is written."""

import base64
import html
import json
import re
import stat
import tarfile
from urllib.parse import quote, quote_plus

import pytest
from typer.testing import CliRunner

from operations.__main__ import app
from operations.diagnose.scrubber import Scrubber
from operations.program import ProgramError
from tests.stack_files import stack_file
from tests.unit.running import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    NODES,
    SECRETS,
    Running,
    encoded,
    programs,
)

PASSWORD = "pä ss/w+rd@2:x%y'\"z&<q>\\w"  # noqa: S105
"""One that every way of writing changes."""
KEY = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
LINES = "first secret line of many\nsecond secret line of many\nthird-secret-line"
PEM = (
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B/QEFAASCBKcwggSjAgEAAoIBAQC7\nabcdefghijklm/nop\n"
    "-----END PRIVATE KEY-----\n"
)
VALUES = {
    "database/url": f"postgresql://app:{quote(PASSWORD, safe='')}@db.internal:5432/app",
    "database/password": PASSWORD,
    "key/fernet": KEY,
    "providers/several": LINES,
    "providers/short": "hunt7",
    "tls/tls.key": PEM,
    "pull/.dockerconfigjson": json.dumps(
        {"auths": {"registry.test": {"username": "bot", "password": "regi5try-pass"}}}
    ),
    "redis/redis.conf": "port 6379\nrequirepass r3dis-sentinel\nmaxmemory-policy allkeys-lru\n",
    "superuser/username": "skillflaw",
}
WORDS = {"database/url": "postgresql://app:", "superuser/username": "skillflaw"}


def scrubber(**values):
    chosen = {key.replace("__", "/"): value for key, value in values.items()} or VALUES
    return Scrubber({place: value.encode() for place, value in chosen.items()}, {"skillflaw", "db.internal"})


def json_of(text):
    return json.dumps(text)[1:-1]


def lower(text):
    """Percent-encoding as some programs write it."""
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quote(text, safe=""))


def url_safe(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


WAYS = {
    "as it is": (str, "say {}!"),
    "glued to letters": (str, "x{}y"),
    "in JSON": (json_of, '{{"a": "{}"}}'),
    "in JSON as it is": (lambda text: json.dumps(text, ensure_ascii=False)[1:-1], '{{"a": "{}"}}'),
    "in JSON in JSON": (lambda text: json_of(json_of(text)), 'got {{"a": "{{\\"b\\": \\"{}\\"}}"}}'),
    "in a URL": (lambda text: quote(text, safe=""), "https://a.test/?q={}&r=1"),
    "in a path": (quote, "https://a.test/{}"),
    "in a form": (quote_plus, "q={}&r=1"),
    "in a URL with small letters": (lower, "q={}&r=1"),
    "in base64": (encoded, "data: {}"),
    "in base64 of URLs": (url_safe, "data: {}"),
    "in base64 without its end": (lambda text: encoded(text).rstrip("="), "data: {}"),
    "in base64 after other letters": (encoded, "data/x{}"),
    "inside base64": (lambda text: encoded(f"before {text} after"), "data: {}"),
    "inside base64, one further": (lambda text: encoded(f"befor {text} afte"), "data: {}"),
    "inside base64, two further, after letters": (lambda text: encoded(f"befo {text} aft"), "data/x{}"),
    "in base64 of base64": (lambda text: encoded(f"data:\n  a: {encoded(text)}\n"), "data: {}"),
    # With a slash in it no form gives it away.
    "in base64 of base64, with slashes": (lambda text: encoded(f"???: {encoded(text)}\n???"), "data: {}"),
    "in base64 of a URL's encoding": (lambda text: encoded(f"q={lower(text)}&r=1"), "data: {}"),
    "in base64 by lines": (
        lambda text: base64.encodebytes(f"{'x' * 60} {text} {'y' * 60}".encode()).decode(),
        "{}",
    ),
    "in HTML": (html.escape, "<a title='{}'>"),
    "as Python shows it": (lambda text: repr(text)[1:-1], "{{'a': '{}'}}"),
    "in hexadecimal": (lambda text: text.encode().hex(), "0x{}"),
    "with lines of Windows": (lambda text: text.replace("\n", "\r\n"), "{}"),
    "with every line indented": (
        lambda text: "\n".join(f"    2026 {line}" for line in text.splitlines()),
        "{}",
    ),
}
"""How a value is written, and what stands around it."""


def written(way, value):
    write, around = WAYS[way]
    return around.format(write(value))


SOUGHT = {
    "database/password": PASSWORD,
    "key/fernet": KEY,
    "providers/several": LINES,
    "tls/tls.key": PEM,
    "pull/.dockerconfigjson": "regi5try-pass",
    "redis/redis.conf": "r3dis-sentinel",
}


def parts(value):
    """Lines of a value that are secrets by themselves."""
    return [line for line in value.splitlines() if len(line) > 7 and not line.startswith("-----")]


def readable(text, depth=2):
    """A text, and what is base64 in it decoded, to look for a value."""
    found = [text]
    for word in re.findall(r"[\w+/-]{8,}", "".join(text.split()) + " " + text, re.ASCII) if depth else ():
        for start in range(4):
            inner = word[start:]
            decoded = base64.b64decode(inner[: len(inner) // 4 * 4], altchars=b"-_").decode(errors="ignore")
            found.append(readable(decoded, depth - 1) if start == 0 else decoded)
    return "\n".join(found)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", SOUGHT)
def test_a_value_is_replaced_however_it_is_written(place, way):
    value = SOUGHT[place]
    text = written(way, value)
    for shown in (scrubber().text(text), scrubber().value({"note": text})["note"]):
        assert WAYS[way][0](value).strip() not in shown
        for line in parts(value):
            assert line not in readable(shown)
            assert WAYS[way][0](line).strip() not in shown


@pytest.mark.parametrize("place", ["database/password", "key/fernet"])
def test_a_value_that_is_replaced_is_called_by_its_secret_and_key(place):
    assert scrubber().text(f"say {SOUGHT[place]}!") == f"say [secret:{place}]!"
    assert scrubber().text(f"PASSWORD={SOUGHT[place]}") == f"PASSWORD=[secret:{place}]"
    assert scrubber().value({"name": "DB_PASSWORD", "value": SOUGHT[place]}) == {
        "name": "DB_PASSWORD",
        "value": f"[secret:{place}]",
    }


@pytest.mark.parametrize(
    "written", [PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD), quote_plus(PASSWORD)]
)
def test_the_password_of_a_url_is_a_value_by_itself(written):
    only = scrubber(database__url=VALUES["database/url"])
    assert (
        only.text(f"cannot sign in with {written} as app")
        == "cannot sign in with [secret:database/url] as app"
    )
    assert "db.internal" in only.text("db.internal does not answer")


def test_a_key_is_replaced_in_either_alphabet_of_base64():
    other = scrubber(key__fernet="a-b_" * 11)
    assert other.text("key a+b/" + "a+b/" * 10) == "key [secret:key/fernet]"


def test_a_binary_value_is_replaced_in_base64():
    value = bytes(range(128, 168))
    shown = Scrubber({"store/p12": value}).text(
        f"data: {base64.b64encode(b'ab' + value + b'c').decode()} end"
    )
    assert shown == "data: [secret:store/p12] end"


@pytest.mark.parametrize(
    "text",
    [
        "pod skillflaw-backend-5d4f8-0 of namespace skillflaw is ready",
        "db.internal:5432 answers",
        "the port is 6379, and the key of it all is open",
        "image skillflaw.lab/backend:5303371b3d4f pulled in 2.1 s",
        "a hunter of 7 animals",
        "shunt78 is no hunt78",
    ],
)
def test_what_is_no_secret_stays_readable(text):
    assert scrubber().text(text) == text


def test_a_short_value_is_replaced_as_a_word():
    assert scrubber().text("pin=hunt7, hunt7") == "pin=[secret:providers/short], [secret:providers/short]"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        "openai sk-proj-0123456789abcdefghij",
        "redis://:hunter22@cache/0",
        PEM.replace("MII", "MIJ"),
        f"data: {encoded('OPENAI_API_KEY=sk-proj-0123456789abcdefghij')}",
    ],
)
def test_what_no_secret_holds_is_judged_by_its_form(text):
    shown = Scrubber({}).text(text)
    for part in (
        "abcdefgh12345678",
        "0123456789abcdefghij",
        "hunter22",
        "abcdefghijklm/nop",
        encoded("OPENAI_API")[:10],
    ):
        assert part not in shown


@pytest.mark.parametrize(
    "value",
    [
        {"env": [{"name": "DB_PASSWORD", "value": "hunter22"}]},
        {"args": ["--password", "hunter22"]},
        {"annotations": {"a": json.dumps({"env": [{"name": "DB_PASSWORD", "value": "hunter22"}]})}},
        {"data": {"config.json": json.dumps({"password": "hunter22"})}},
        {"data": {"app.ini": "[db]\npassword = hunter22\n"}},
        {"data": {"password": "hunter22"}},
        {"data": {"pin_token": 22223333}},
    ],
)
def test_a_value_with_the_name_of_a_secret_is_not_shown(value):
    shown = json.dumps(Scrubber({}).value(value))
    assert "hunter22" not in shown
    assert "22223333" not in shown


# --- the archive ---------------------------------------------------------------------------------


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """Runs `operations diagnose` on the lab's stack after some changes; the archive's files by name."""
    monkeypatch.setenv("PATH", f"{programs(tmp_path)}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)

    def runs(*changes, to=tmp_path / "it.tar.gz"):
        running = Running(stack_file("lab"))
        for change in changes:
            change(running)
        running.answer(tmp_path)
        done = CliRunner().invoke(app, ["diagnose", "--stack=lab", f"--to={to}"])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return runs


def files(path):
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read().decode()
            for member in archive.getmembers()
        }


def planted(running):
    """Every value, written into everything that is packed but Secrets."""
    for place, value in VALUES.items():
        name, _, key = place.partition("/")
        running.secrets.append(
            {
                "metadata": {
                    "name": f"planted-{name}-{key.strip('.').replace('.', '-').lower()}",
                    "annotations": {
                        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(
                            {"data": encoded(value)}
                        )
                    },
                },
                "type": "Opaque",
                "data": {key: encoded(value)},
            }
        )
    everything = "\n".join(written(way, value) for value in SOUGHT.values() for way in WAYS)
    backend = running.one("Deployment", "skillflaw-backend")
    backend["metadata"]["annotations"] |= {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(
            {"env": [{"name": "X", "value": everything}]}
        ),
        f"note/{quote(PASSWORD, safe='')}": "a value in a key",
    }
    backend["spec"]["template"]["spec"]["containers"][0]["env"] += [
        {"name": place, "value": value} for place, value in SOUGHT.items()
    ]
    backend["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "fieldsV1": {f'v:"{PASSWORD}"': {}}}]
    running.one("Deployment", "skillflaw-docs")["spec"]["template"]["spec"]["containers"][0]["image"] = (
        f"x:{KEY}"
    )
    each = {f"{place} {way}": written(way, value) for way in WAYS for place, value in SOUGHT.items()}
    running.answers[CONFIG_MAPS] = {
        "items": [
            {"metadata": {"name": "planted"}, "data": each},
            {"metadata": {"name": "again"}, "data": {"whole": everything, "encoded": encoded(everything)}},
        ]
    }
    running.answers[EVENTS] = {
        "items": [
            {
                "reason": "Failed",
                "message": everything,
                "note": KEY,
                "involvedObject": {"name": "x", "fieldPath": KEY},
            }
        ]
    }
    running.answers["/logs/now"] = running.answers["/logs/previous"] = everything
    running.answers[NODES]["items"][0]["metadata"]["labels"]["zone"] = KEY
    row = running.pod("redis")["status"]["containerStatuses"][0]
    row |= {"restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": everything}}}
    running.history[0]["message"] = everything
    running.outputs["surfaces"]["api"] = f"https://user:{quote(PASSWORD, safe='')}@api.skillflaw.test"


def test_no_value_of_a_secret_is_in_any_byte_of_the_archive(pack, tmp_path):
    done = pack(planted)
    assert done.exit_code == 0, done.output
    packed = files(tmp_path / "it.tar.gz")
    for name, text in {**packed, "what it says": done.output, "names": "\n".join(packed)}.items():
        shown = readable(text, 1)
        for value in SOUGHT.values():
            for line in parts(value):
                for write, _ in WAYS.values():
                    assert write(line).strip() not in text, name
                assert line not in shown, name
        assert "c0nfigured" not in shown
        assert "fieldsV1" not in shown
    assert "[secret:planted-database-password/password]" in packed["objects/deployments.yaml"]


def test_the_archive_has_what_a_maintainer_asks_for(pack, tmp_path):
    done = pack()
    assert done.exit_code == 0, done.output
    packed = files(tmp_path / "it.tar.gz")
    assert {
        "events.yaml",
        "history.json",
        "namespace.yaml",
        "nodes.yaml",
        "objects/configmaps.yaml",
        "objects/cronjobs.yaml",
        "objects/deployments.yaml",
        "objects/ingresses.yaml",
        "objects/jobs.yaml",
        "objects/pods.yaml",
        "objects/statefulsets.yaml",
        "outputs.json",
        "secrets.yaml",
        "status.json",
        "versions.json",
    } <= packed.keys()
    assert packed["logs/postgresql-0.postgresql.log"] == "started\n"
    assert json.loads(packed["status.json"])["verdict"] == "well"
    assert json.loads(packed["versions.json"])["pulumi"] == "v3.200.0"
    assert json.loads(packed["history.json"]) == [{"version": 1, "kind": "update", "result": "succeeded"}]
    assert "replicas: 2" in packed["objects/deployments.yaml"]
    assert "key: tls.crt\n    bytes: " in packed["secrets.yaml"]
    assert json.loads(packed["outputs.json"])["superuserSecret"]["passwordKey"] == "password"
    assert "BEGIN CERTIFICATE" not in packed["secrets.yaml"]


def test_a_container_that_was_started_again_has_the_log_of_before_too(pack, tmp_path):
    def change(running):
        running.pod("redis")["status"]["containerStatuses"][0]["restartCount"] = 1

    pack(change)
    packed = files(tmp_path / "it.tar.gz")
    assert [text for name, text in packed.items() if name.endswith(".previous.log")] == ["ended\n"]


def test_the_archive_is_its_owners_alone_and_takes_the_place_of_nothing(pack, tmp_path):
    pack()
    assert stat.S_IMODE((tmp_path / "it.tar.gz").stat().st_mode) == 0o600
    before = (tmp_path / "it.tar.gz").read_bytes()
    done = pack()
    assert done.exit_code == 2
    assert "exists" in done.stderr
    assert (tmp_path / "it.tar.gz").read_bytes() == before


def test_nothing_is_written_where_the_secrets_cannot_be_read_and_the_permission_is_named(pack, tmp_path):
    refused = ProgramError(
        'Error from server (Forbidden): secrets is forbidden: User "who" cannot list resource "secrets"'
    )
    done = pack(lambda running: running.answers.__setitem__(SECRETS, refused))
    assert done.exit_code == 2
    assert "the verb `list` on `secrets`" in done.stderr
    assert not list(tmp_path.glob("*.tar.gz"))


def test_what_else_cannot_be_read_is_left_out_and_said(pack, tmp_path):
    refused = ProgramError(
        'Error from server (Forbidden): deployments.apps is forbidden: User "who" cannot list'
    )
    done = pack(lambda running: running.answers.__setitem__(DEPLOYMENTS, refused))
    assert done.exit_code == 0
    assert "objects/deployments.yaml: " in done.stdout
    packed = files(tmp_path / "it.tar.gz")
    assert "is forbidden" in packed["not-read.txt"]
    assert "objects/deployments.yaml" not in packed


def test_the_kubeconfig_of_the_stack_file_is_a_secret_too(pack, tmp_path):
    kubeconfig = "apiVersion: v1\nkind: Config\nusers:\n- name: who\n  user:\n    token: k8s-t0ken-sentinel\n"

    def change(running):
        running.outputs["kubeconfig"] = kubeconfig
        running.answers["/logs/now"] = "asked with k8s-t0ken-sentinel\n"

    pack(change)
    packed = files(tmp_path / "it.tar.gz")
    assert "k8s-t0ken-sentinel" not in "".join(packed.values())
    assert "kubeconfig" not in json.loads(packed["outputs.json"])
    # Lines that any kubeconfig has are no secrets.
    assert "apiVersion: apps/v1" in packed["objects/deployments.yaml"]
    assert "kind: Deployment" in packed["objects/deployments.yaml"]
