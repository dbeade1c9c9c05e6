"""A namespace of a real cluster with one installation of the chart, driven with kubectl and helm as a person would."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
CHART: Final = ROOT / "charts" / "haggle"
RELEASE: Final = "haggle"
VALUES: Final = Path(__file__).parent / "values.yaml"
_PROBE: Final = "probe"


def run(*command: str, text_in: str | None = None, timeout_s: float = 120) -> str:
    """The output of a command; fails with its words when it fails."""
    done = subprocess.run(command, input=text_in, capture_output=True, text=True, check=False, timeout=timeout_s)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def wait_until(true: Callable[[], Any], timeout_s: float, what: str, pause_s: float = 1) -> float:
    """Seconds until `true` is; a failed assertion in it counts as not yet."""
    started = time.monotonic()
    last = ""
    while time.monotonic() < started + timeout_s:
        try:
            if true():
                return time.monotonic() - started
        except (AssertionError, subprocess.TimeoutExpired) as error:
            last = str(error)
        time.sleep(pause_s)
    raise AssertionError(f"not within {timeout_s} s: {what}\n{last}")


@dataclass(frozen=True, slots=True)
class Installation:
    """The release in its namespace."""

    namespace: str

    def kubectl(self, *words: str, text_in: str | None = None, timeout_s: float = 120) -> str:
        """Runs kubectl in the namespace."""
        return run("kubectl", "--namespace", self.namespace, *words, text_in=text_in, timeout_s=timeout_s)

    def objects(self, *words: str) -> list[dict[str, Any]]:
        """The objects that `kubectl get` lists."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", *words, "--output", "json"))["items"]
        return items

    def install(self, *options: str) -> None:
        """Installs or upgrades the chart and waits until all is ready."""
        command = ["helm", "upgrade", "--install", RELEASE, str(CHART), "--namespace", self.namespace]
        run(*command, "--values", str(VALUES), "--wait", "--timeout", "5m", *options, timeout_s=330)

    def start_job(self, part: str, name: str, **environment: object) -> None:
        """Starts a Job from a part's CronJob, with changed environment variables, as `kubectl create job` does."""
        made = self.kubectl(
            "create", "job", name, f"--from=cronjob/{RELEASE}-{part}", "--dry-run=client", "--output", "json"
        )
        job = json.loads(made)
        for variable in job["spec"]["template"]["spec"]["containers"][0]["env"]:
            if variable["name"] in environment:
                variable["value"] = str(environment[variable["name"]])
        self.kubectl("create", "--filename", "-", text_in=json.dumps(job))

    def finish_job(self, name: str, timeout_s: float) -> str:
        """Waits for a Job to end well and returns its log."""

        def ended() -> bool:
            status = json.loads(self.kubectl("get", "job", name, "--output", "json"))["status"]
            return bool({item["type"] for item in status.get("conditions", [])} & {"Complete", "Failed"})

        wait_until(ended, timeout_s, f"job {name} ends")
        log = self.kubectl("logs", f"job/{name}", "--tail", "-1")
        status = json.loads(self.kubectl("get", "job", name, "--output", "json"))["status"]
        assert status.get("succeeded"), log[-4000:]
        return log

    def audit(self, name: str) -> str:
        """Runs the audit, which fails unless all is exact."""
        self.start_job("audit", name)
        return self.finish_job(name, 240)

    def pods(self, component: str) -> list[dict[str, Any]]:
        """The pods of one component."""
        return self.objects("pods", "--selector", f"app.kubernetes.io/component={component}")

    def start_probe(self) -> None:
        """A pod of the jobs image, with the permissions of `helm test`'s, that reads logs and makes trades."""
        template = json.loads(self.kubectl("get", "cronjob", f"{RELEASE}-audit", "--output", "json"))
        spec = template["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        container = spec["containers"][0]
        container["command"] = ["sleep", "infinity"]
        container["volumeMounts"].append({"name": "logs", "mountPath": "/logs"})
        container["volumeMounts"].append({"name": "reports", "mountPath": "/reports"})
        for name, claim in (("logs", "simulation"), ("reports", "report")):
            spec["volumes"].append({"name": name, "persistentVolumeClaim": {"claimName": f"{RELEASE}-{claim}"}})
        spec["terminationGracePeriodSeconds"] = 1
        labels = {
            "app.kubernetes.io/name": "haggle",
            "app.kubernetes.io/instance": RELEASE,
            "app.kubernetes.io/component": "test",
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": _PROBE, "labels": labels}, "spec": spec}
        self.kubectl("create", "--filename", "-", text_in=json.dumps(pod))
        self.kubectl("wait", "--for=condition=Ready", f"pod/{_PROBE}", "--timeout=60s")

    def probe(self, *command: str, timeout_s: float = 120) -> str:
        """Runs a command in the probe."""
        return self.kubectl("exec", _PROBE, "--", *command, timeout_s=timeout_s)

    @contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[str]:
        """A URL on this machine that leads to a Service."""
        command = ["kubectl", "--namespace", self.namespace, "port-forward", target, f":{port}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            line = process.stdout.readline()
            yield f"http://{line.split()[2]}"
        finally:
            process.terminate()
            process.wait()

    def save(self, folder: Path) -> None:
        """Writes events and logs of the namespace to a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, words in (("events", ("get", "events", "--sort-by=.lastTimestamp")), ("pods", ("describe", "pods"))):
            (folder / f"{name}.txt").write_text(self.kubectl(*words))
        for pod in self.objects("pods"):
            name = pod["metadata"]["name"]
            done = subprocess.run(
                ["kubectl", "--namespace", self.namespace, "logs", name, "--all-containers", "--tail=2000"],
                capture_output=True,
                text=True,
                check=False,
            )
            (folder / f"{name}.log").write_text(done.stdout + done.stderr)
