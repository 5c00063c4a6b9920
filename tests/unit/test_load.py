"""`operations load`: real clients of locust against a server here, and steps, page and proposal by scripted answers."""

import json
import os
import signal
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from operations.__main__ import app
from operations.load import page
from operations.load.measure import INTERRUPTED, measure, public, rising
from operations.load.measured import Connections, Goal, Load, Sent, Step, Use
from operations.load.plot import svg
from operations.load.proposal import fragment, held_back
from operations.load.sender import Sender
from operations.load.watch import METRICS
from operations.program import ProgramError
from operations.stack import Stack
from operations.status.asked import asked
from operations.status.facts import Unknown
from settings.load import parse
from tests.edits import edited
from tests.stack_files import merged, stack_file
from tests.unit.running import FORBIDDEN, INSIDE, Running, programs
from tests.unit.test_operations_validate import deployment, shown  # noqa: F401  fixtures

KEY = "sk-never-to-be-seen"
RUN = "/api/v1/run/echo"
TEXT = {"outputs": [{"outputs": [{"results": {"message": {"text": "something"}}}]}]}
GOAL = Goal(p95_seconds=2, failed_percent=1)
BACKEND = ("skillflaw-backend-5d4f8-0", "skillflaw-backend-5d4f8-1")


# --- real clients ------------------------------------------------------------------------------


@pytest.fixture
def sender(deployment):  # noqa: F811
    """Clients of the server that answers as `deployment` says; at first the flow answers with a text."""
    deployment.answers[RUN] = (200, "application/json", json.dumps(TEXT))
    return Sender(origin=f"http://127.0.0.1:{deployment.server_port}", flow="echo", key=KEY)


def test_clients_run_the_flow_again_and_again_and_say_how_long_it_took(sender):
    looks = []
    sent = sender.send(2, 2, 100_000, lambda: looks.append(1))
    assert sent.failed == 0
    assert sent.requests > 2
    assert sent.seconds > 0
    assert 0 <= sent.p50 <= sent.p95 < 60
    assert sent.rate == pytest.approx(sent.requests / sent.seconds)


def test_no_more_requests_are_sent_than_allowed_and_the_step_ends_with_them(sender):
    sent = sender.send(3, 60, 7, lambda: None)
    assert (sent.requests, sent.failed) == (7, 0)
    assert sent.seconds < 30


def test_a_failure_is_counted_with_its_reason_and_shows_no_key(sender, deployment):  # noqa: F811
    del deployment.answers[RUN]
    sent = sender.send(1, 60, 5, lambda: None)
    assert (sent.requests, sent.failed, sent.rate) == (5, 5, 0)
    (reason,) = sent.reasons
    assert reason.startswith("500: ")
    assert "with key •••" in reason
    assert KEY not in reason


def test_a_redirect_is_a_failure_and_followed_nowhere(sender, deployment):  # noqa: F811
    deployment.answers["/elsewhere"] = deployment.answers[RUN]
    deployment.answers[RUN] = (302, "text/html", "", ("location", "/elsewhere"))
    sent = sender.send(1, 60, 2, lambda: None)
    assert (sent.requests, sent.failed) == (2, 2)


def test_a_host_leads_to_the_given_address(sender):
    port = sender.origin.rpartition(":")[2]
    elsewhere = Sender(
        origin=f"http://api.skillflaw.invalid:{port}", flow="echo", key=KEY, address="127.0.0.1"
    )
    elsewhere.check()
    assert elsewhere.send(1, 60, 3, lambda: None).failed == 0


@pytest.mark.parametrize("trusted", [True, False])
def test_only_the_given_authority_is_trusted(shown, tmp_path, trusted):  # noqa: F811
    at = shown("localhost", trusted=True)
    ca_file = tmp_path / "ca.crt"
    certificates = [] if not trusted else at.trust.get_ca_certs(binary_form=True)
    sender = Sender(origin=at.origin, flow="echo", key=KEY, ca_file=authority(ca_file, certificates))
    (reason,) = sender.send(1, 60, 1, lambda: None).reasons
    assert ("CERTIFICATE_VERIFY_FAILED" in reason) is not trusted


def authority(file: Path, certificates: list[bytes]) -> Path | None:
    """A file of these authorities; None, the system's, without any."""
    import ssl

    file.write_text("".join(map(ssl.DER_cert_to_PEM_cert, certificates)))
    return file if certificates else None


@pytest.mark.parametrize("where", ["environment", "home"])
def test_options_of_the_operators_own_for_locust_change_nothing(sender, monkeypatch, tmp_path, where):
    if where == "environment":
        monkeypatch.setenv("LOCUST_TAGS", "of-no-task")
    else:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".locust.conf").write_text("tags = of-no-task\n")
    assert sender.send(1, 60, 2, lambda: None).requests == 2


def test_a_flow_that_does_not_run_is_said_before_any_load(sender, deployment):  # noqa: F811
    deployment.answers[RUN] = (200, "application/json", "{}")
    with pytest.raises(ProgramError, match="the flow ran, but its chat output holds no text"):
        sender.check()
    del deployment.answers[RUN]
    with pytest.raises(ProgramError, match="answered 500") as refused:
        sender.check()
    assert KEY not in str(refused.value)


def test_a_sender_that_is_interrupted_leaves_no_client_behind(sender, monkeypatch):
    monkeypatch.setattr("operations.load.sender.EVERY_SECONDS", 0.2)

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sender.send(1, 60, 100_000, interrupt)
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    commands = [Path(f"/proc/{child}/cmdline").read_text() for child in children]
    assert not any("locust" in command for command in commands)


# --- steps -------------------------------------------------------------------------------------


@dataclass
class Scripted:
    """A sender whose steps end as they are given; each looks at the pods once, whatever the number of clients."""

    sents: list
    measured: Callable[[], None]
    """What happens in a step before anybody looks."""
    origin: str = "https://api.skillflaw.test"
    flow: str = "echo"
    asked: list = field(default_factory=list)

    def send(self, users, seconds, requests, watch):
        self.asked.append((users, seconds, requests))
        self.measured()
        watch()
        sent = self.sents[len(self.asked) - 1]
        if isinstance(sent, BaseException):
            raise sent
        if callable(sent):
            sent()
        return sent


def sent(requests=600, seconds=60, failed=0, p50=0.1, p95=0.2, **more):
    return Sent(requests=requests, seconds=seconds, failed=failed, p50=p50, p95=p95, **more)


def metrics(cores, window="0s"):
    """What the metrics API answers when it has measured just now."""
    return {
        "items": [
            {
                "metadata": {"name": name},
                "timestamp": datetime.now(UTC).isoformat(),
                "window": window,
                "containers": [
                    {"name": "it", "usage": {"cpu": f"{int(used * 1e9)}n", "memory": "655360Ki"}},
                    {"name": "next", "usage": {"cpu": "0", "memory": "0"}},
                ],
            }
            for name, used in cores.items()
        ]
    }


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Measures the lab's stack with scripted steps, after some changes; gives measurement, sender and what was said."""
    monkeypatch.setenv("PATH", f"{programs(tmp_path)}:/usr/bin:/bin")

    def runs(*sents, users=8, seconds=60, requests=50_000, cores=None, window="0s", change=()):
        running = Running(stack_file("lab"))
        for answer in change:
            answer(running)
        running.answer(tmp_path)

        def measured():
            answer = metrics(cores or dict.fromkeys(BACKEND, 0.5), window)
            file = tmp_path / f"answers{METRICS.format('skillflaw')}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(answer))

        sender, said = Scripted(list(sents), measured), []
        with asked("lab") as it:
            load = measure(it, sender, GOAL, users=users, seconds=seconds, requests=requests, say=said.append)
        return load, sender, said

    return runs


def says(path, answer):
    return lambda running: running.answers.__setitem__(path, answer)


@pytest.mark.parametrize(
    ("most", "steps"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12])]
)
def test_clients_double_up_to_the_most(most, steps):
    assert rising(most) == steps


def test_steps_rise_while_the_goal_is_kept_and_end_with_the_most_clients(loaded):
    load, sender, said = loaded(*[sent()] * 4)
    assert [users for users, _, _ in sender.asked] == [1, 2, 4, 8]
    assert [step.users for step in load.steps] == [1, 2, 4, 8]
    assert load.ended == "All steps up to 8 clients kept the goal"
    assert said[0] == "step 1/4: 1 clients for 60 s"
    assert (
        said[1]
        == "  10.0 requests/s, p50 0.100 s, p95 0.200 s, 0 of 600 failed, 2 pods use 1.00 cores, 100 ms a request"
    )


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (sent(p95=2.01), "p95 2.01 s, not at most 2 s"),
        (sent(failed=7), "1.2 % failed, not at most 1 %"),
        (sent(requests=0, seconds=0, p50=None, p95=None), "no request ended"),
    ],
)
def test_the_first_step_that_breaks_the_goal_is_the_last_and_says_by_what(loaded, broken, why):
    load, sender, _ = loaded(sent(), broken, sent())
    assert len(sender.asked) == len(load.steps) == 2
    assert load.ended == f"It ended at 2 clients: {why}"
    assert load.best == load.steps[0]


def test_a_step_on_the_goal_keeps_it_and_a_goal_that_is_no_number_is_kept_by_none():
    assert GOAL.broken_by(sent(failed=6, p95=2.0)) is None
    assert Goal(p95_seconds=float("nan"), failed_percent=1).broken_by(sent())
    assert Goal(p95_seconds=2, failed_percent=float("nan")).broken_by(sent())


def test_each_step_may_send_what_the_ones_before_it_left(loaded):
    load, sender, _ = loaded(*[sent()] * 4, requests=1000)
    assert [left for _, _, left in sender.asked] == [1000, 400]
    assert load.ended == "It ended after 1000 requests, the most that were allowed"


def test_an_interruption_leaves_the_steps_before_it(loaded):
    load, _, _ = loaded(sent(), KeyboardInterrupt())
    assert [step.users for step in load.steps] == [1]
    assert load.ended == INTERRUPTED


def test_a_job_that_is_cancelled_leaves_the_steps_before_it_too(loaded):
    before = signal.getsignal(signal.SIGTERM)
    load, _, _ = loaded(sent(), Terminated())
    assert [step.users for step in load.steps] == [1]
    assert load.ended == INTERRUPTED
    assert signal.getsignal(signal.SIGTERM) is before


class Terminated:
    """A step in whose middle the process gets SIGTERM."""

    def __call__(self):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_sender_that_breaks_off_leaves_the_steps_before_it_and_without_any_is_refused(loaded):
    load, _, _ = loaded(sent(), ProgramError("locust: killed"))
    assert load.ended == "It ended for want of an answer: locust: killed"
    with pytest.raises(ProgramError, match="locust: killed"):
        loaded(ProgramError("locust: killed"))


# --- what it took ------------------------------------------------------------------------------


def test_a_step_has_the_use_of_each_pod_with_its_limits(loaded):
    load, _, _ = loaded(sent(), users=1, cores=dict.fromkeys(BACKEND, 0.5) | {"postgresql-0": 0.25})
    (step,) = load.steps
    assert step.backend == BACKEND
    assert step.pods[BACKEND[0]] == Use(cores=0.5, mib=640, cores_limit=2, mib_limit=4096)
    assert step.pods["postgresql-0"].cores == 0.25
    assert (step.cores, step.mib, step.milliseconds) == (1.0, 640, 100)


def leave(*names):
    def change(running):
        for pod in running.pods:
            if pod["metadata"]["name"] in names:
                pod["metadata"]["deletionTimestamp"] = "2026-11-26T00:00:00Z"

    return change


def test_a_pod_that_leaves_is_no_part_of_a_step(loaded):
    load, _, _ = loaded(sent(), users=1, cores={BACKEND[1]: 0.5}, change=[leave(BACKEND[0])])
    assert load.steps[0].backend == BACKEND[1:]
    assert load.steps[0].cores == 0.5


def test_a_pod_that_leaves_is_asked_nothing(loaded):
    load, _, _ = loaded(sent(), users=1, seconds=0, change=[leave(*BACKEND)])
    assert "no pod of the backend runs" in load.steps[0].connections.why


@pytest.mark.parametrize("window", ["30s", "1m0.5s", "59999ms"])
def test_readings_that_began_before_the_step_count_for_nothing(loaded, window):
    load, _, _ = loaded(sent(), users=1, window=window)
    (step,) = load.steps
    assert "measured nothing within the step" in step.pods.why
    assert step.cores is step.mib is step.milliseconds is None


def test_what_cannot_be_read_is_unknown_and_the_measurement_goes_on(loaded):
    refused = [says(METRICS.format("skillflaw"), ProgramError(FORBIDDEN))]
    load, _, said = loaded(*[sent()] * 4, change=refused)
    assert len(load.steps) == 4
    assert "is forbidden" in load.steps[0].pods.why
    assert fragment(load) is None
    assert "could not be read" in page.text(load)
    assert said[1].endswith("0 of 600 failed")


def test_connections_are_asked_once_in_a_step_that_lasts(loaded):
    load, _, _ = loaded(sent(), users=1, seconds=0)
    assert load.steps[0].connections == Connections(used=12, most=97)
    load, _, _ = loaded(sent(), users=1, seconds=0, change=[says(INSIDE, ProgramError(FORBIDDEN))])
    assert "is forbidden" in load.steps[0].connections.why


# --- the page ----------------------------------------------------------------------------------


def use(cores=0.5, mib=640.0, cores_limit=2.0, mib_limit=4096.0):
    return Use(cores=cores, mib=mib, cores_limit=cores_limit, mib_limit=mib_limit)


def step(users=4, pods=2, used=20, most=97, own=None, database=None, **more):
    names = tuple(f"skillflaw-backend-{number}" for number in range(pods))
    uses = {name: own or use() for name in names}
    return Step(
        users=users,
        sent=sent(**more),
        backend=names,
        pods=uses | ({"postgresql-0": database} if database else {}),
        connections=Connections(used=used, most=most),
    )


def load_of(*steps, autoscaled_to=None):
    return Load(
        stack="lab",
        host="https://api.skillflaw.test",
        flow="echo",
        at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        goal=GOAL,
        autoscaled_to=autoscaled_to,
        steps=steps,
        ended="It ended at 8 clients: p95 3.00 s, not at most 2 s",
    )


def test_the_page_has_a_row_for_each_step_and_shows_plots_that_are_there(tmp_path):
    it = load_of(step(users=4), step(users=8, p95=3.0, failed=2, reasons=("500: `x`\nfailed",)))
    text = page.write(it, tmp_path).read_text()
    assert (
        "| 4 | 10.0 | 0.100 s | 0.200 s | 0 of 600 | 2 pods | 1.00 cores | 100 ms | 640 MiB | 20 of 97 |"
        in text
    )
    assert "8 clients, failure: `500: 'x' failed`" in text
    named = [line.partition("](")[2].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert named == ["requests.svg", "latency.svg", "cpu.svg", "memory.svg", "connections.svg"]
    for name in named:
        drawing = ElementTree.parse(tmp_path / name).getroot()  # noqa: S314  our own
        assert drawing.findall(".//{*}polyline")


def test_a_page_about_nothing_says_so(tmp_path):
    text = page.write(load_of(), tmp_path).read_text()
    assert "no step kept the goal" in text
    assert "![" not in text


def test_a_plot_leaves_a_gap_where_nothing_is_known_and_names_are_no_markup():
    lines = {"<i>": [None, 5.0], "none": [None, None]}
    drawing = ElementTree.fromstring(svg("a < b", ["1", "2"], lines))  # noqa: S314  our own
    texts = [it.text for it in drawing.findall(".//{*}text")]
    assert {"a < b", "<i>", "none", "1", "2", "5"} <= set(texts)
    assert len(drawing.findall("{*}circle")) == 1


@pytest.mark.parametrize(
    ("it", "words"),
    [
        (step(own=use(cores=0.81)), "CPU of skillflaw-backend-0: 0.81 of 1 cores"),
        (step(own=use(cores=0.41, cores_limit=0.5)), "CPU of skillflaw-backend-0: 0.41 of 0.5 cores"),
        (step(own=use(cores=0.9, cores_limit=None)), "CPU of skillflaw-backend-0: 0.90 of 1 cores"),
        (step(database=use(cores=1.7)), "CPU of postgresql-0: 1.70 of 2 cores"),
        (step(used=80), "connections of the database: 80 of 97"),
        (step(busy=True), "the clients of this measurement, which used a core whole"),
    ],
)
def test_what_is_used_up_held_the_step_back(it, words):
    assert words in held_back(it)


@pytest.mark.parametrize(
    "it",
    [
        step(),
        step(own=use(cores=0.79)),
        step(database=use(cores=0.9)),
        step(database=use(cores=1.9, cores_limit=None)),
        msgspec.structs.replace(step(), pods=Unknown("no"), connections=Unknown("no")),
    ],
)
def test_what_has_room_held_nothing_back(it):
    assert held_back(it) == []


# --- the proposal ------------------------------------------------------------------------------


def test_the_proposal_is_what_was_used_with_a_pod_to_spare():
    proposed = fragment(load_of(step(pods=2, own=use(cores=0.73, mib=700))))
    assert yaml.safe_load(proposed) == {
        "skillflaw:backend": {
            "scale": {"replicas": 3},
            "resources": {
                "requests": {"cpu": "750m", "memory": "704Mi"},
                "limits": {"cpu": "2000m", "memory": "4096Mi"},
            },
        },
        "skillflaw:database": {"poolSize": 10, "maxOverflow": 1},
    }


def test_the_proposal_is_the_best_steps_that_kept_the_goal():
    slow = step(pods=2, own=use(cores=0.3), requests=300)
    best = step(pods=2, own=use(cores=0.6))
    broken = step(pods=2, own=use(cores=0.95), requests=6000, p95=9.0)
    assert (
        yaml.safe_load(fragment(load_of(slow, best, broken)))["skillflaw:backend"]["resources"]["requests"][
            "cpu"
        ]
        == "600m"
    )
    assert fragment(load_of(broken)) is None


def test_a_single_pod_stays_single_since_nothing_shows_that_it_can_share():
    assert "replicas: 1\n" in fragment(load_of(step(pods=1)))


def test_an_autoscaler_adds_a_pod_when_the_ones_that_are_there_use_what_was_measured():
    section = yaml.safe_load(fragment(load_of(step(pods=2, own=use(cores=0.8)), autoscaled_to=3)))[
        "skillflaw:backend"
    ]
    assert section["scale"] == {"min": 2, "max": 3, "cpuPercent": 80}
    assert section["resources"]["requests"]["cpu"] == "1000m"


def test_without_room_for_connections_no_pod_is_added():
    full = step(pods=2, used=15, most=20)
    proposed = yaml.safe_load(fragment(load_of(full)))
    assert proposed["skillflaw:backend"]["scale"] == {"replicas": 2}
    assert "skillflaw:database" not in proposed
    unknown = msgspec.structs.replace(step(), connections=Unknown("no"))
    assert yaml.safe_load(fragment(load_of(unknown)))["skillflaw:backend"]["scale"] == {"replicas": 2}


def test_limits_are_never_lowered_and_hold_what_was_seen():
    limits = {
        mib: yaml.safe_load(fragment(load_of(step(own=use(mib=mib)))))["skillflaw:backend"]["resources"][
            "limits"
        ]
        for mib in (100.0, 4000.0)
    }
    assert [row["memory"] for row in limits.values()] == ["4096Mi", "6016Mi"]


@settings(deadline=None, max_examples=40)
@given(
    pods=st.integers(1, 12),
    cores=st.floats(0, 3),
    mib=st.floats(0, 9000),
    cores_limit=st.none() | st.floats(0.05, 4),
    mib_limit=st.none() | st.floats(16, 8192),
    used=st.integers(0, 97),
    autoscaled_to=st.none() | st.integers(2, 12),
)
def test_every_proposal_is_a_stack_file_that_the_program_takes(
    pods, cores, mib, cores_limit, mib_limit, used, autoscaled_to
):
    measured = step(
        pods=pods,
        used=used,
        own=use(cores=cores, mib=mib, cores_limit=cores_limit, mib_limit=mib_limit),
    )
    if autoscaled_to:
        autoscaled_to = max(autoscaled_to, pods)
    config = edited(
        {
            # What is measured is a stack that the program took before.
            "backend.scale": {"min": 2, "max": max(autoscaled_to, 2)}
            if autoscaled_to
            else {"replicas": pods},
            "database.poolSize": 1,
            "database.maxOverflow": 1,
        }
    )
    taken = parse(merged(config, fragment(load_of(measured, autoscaled_to=autoscaled_to))), set())
    assert taken.backend.scale.most >= pods


# --- the command -------------------------------------------------------------------------------


def outputs(**more):
    return msgspec.convert(
        {
            "namespace": "it",
            "backendService": "skillflaw-backend",
            "backendPort": 7860,
            "surfaces": {},
            "apiAllow": [],
            "superuserSecret": {"name": "superuser", "passwordKey": "password"},
        }
        | more,
        type=Stack,
    )


BOTH = {"api": "https://api.test", "app": "https://app.test"}


@pytest.mark.parametrize(
    ("surfaces", "allow", "origin"),
    [
        (BOTH, ["health", "run"], BOTH["api"]),
        (BOTH, ["management"], BOTH["api"]),
        (BOTH, ["health", "mcp"], BOTH["app"]),
        ({"app": BOTH["app"]}, [], BOTH["app"]),
    ],
)
def test_load_goes_through_a_public_host_that_runs_flows(surfaces, allow, origin):
    assert public(outputs(surfaces=surfaces, apiAllow=allow)) == origin


@pytest.mark.parametrize(("surfaces", "shown"), [({}, "none"), ({"api": BOTH["api"]}, "api")])
def test_without_such_a_host_load_is_refused_with_the_remedy(surfaces, shown):  # noqa: F811
    with pytest.raises(ProgramError, match=rf"surfaces: {shown}\); .* write one into the stack file"):
        public(outputs(surfaces=surfaces, apiAllow=["health"]))


@pytest.fixture
def command(tmp_path, monkeypatch, deployment):  # noqa: F811
    """Runs `operations load` on the lab's stack, whose API host is the server here, in an empty folder."""
    monkeypatch.setenv("PATH", f"{programs(tmp_path)}:/usr/bin:/bin")
    monkeypatch.setenv("SKILLFLAW_API_KEY", KEY)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def runs(*words):
        running = Running(stack_file("lab"))
        running.outputs["surfaces"] = {"api": f"http://127.0.0.1:{deployment.server_port}"}
        running.answer(tmp_path)
        return CliRunner().invoke(app, ["load", "--stack=lab", "--flow=echo", *words])

    return runs


def test_the_command_says_what_it_will_send_and_leaves_a_page(command, deployment, tmp_path):  # noqa: F811
    deployment.answers[RUN] = (200, "application/json", json.dumps(TEXT))
    done = command("--users=2", "--requests=6", "--to=measured", "--json")
    assert done.exit_code == 1, done.output
    assert "flow echo through http://127.0.0.1:" in done.stderr
    assert "2 steps of 60 s with 1, 2 clients at a time; at most 6 requests, about 2 min" in done.stderr
    document = json.loads(done.stdout)
    assert document["steps"][0]["sent"]["requests"] == 6
    assert document["ended"] == "It ended after 6 requests, the most that were allowed"
    assert document["proposal"] is None
    assert (tmp_path / "here" / "measured" / "README.md").exists()
    assert KEY not in done.output


def test_a_flow_that_does_not_run_ends_the_command_before_a_folder_is_made(command, tmp_path):
    done = command("--to=measured")
    assert done.exit_code == 2
    assert "cannot load lab: the flow does not run through http://127.0.0.1:" in done.stderr
    assert list((tmp_path / "here").iterdir()) == []


def test_a_folder_that_exists_is_not_written_into(command, deployment, tmp_path):  # noqa: F811
    deployment.answers[RUN] = (200, "application/json", json.dumps(TEXT))
    (tmp_path / "here" / "measured").mkdir()
    done = command("--to=measured")
    assert done.exit_code == 2
    assert "File exists" in done.stderr


@pytest.mark.parametrize(
    "word", ["--users=0", "--users=513", "--step-seconds=19", "--step-seconds=601", "--requests=1000001"]
)
def test_a_bound_beyond_its_own_bound_is_refused(command, word):
    done = command(word)
    assert done.exit_code == 2
    assert f"Invalid value for '{word.partition('=')[0]}'" in done.stderr
