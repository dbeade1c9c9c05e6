"""A namespace of a real cluster and one release of the chart in it, for the tests.

Objects are read and made through the Kubernetes API; helm and port-forward are the commands that a person types.
"""

import base64
import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kubernetes.client import (
    ApiClient,
    ApiException,
    AppsV1Api,
    BatchV1Api,
    CoreV1Api,
    V1CronJob,
    V1Job,
    V1Namespace,
    V1ObjectMeta,
    V1PersistentVolumeClaimVolumeSource,
    V1Pod,
    V1Volume,
    V1VolumeMount,
)
from kubernetes.stream import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL

ROOT: Final = Path(__file__).parents[1]
CHART: Final = ROOT / "charts" / "haggle"
VALUES: Final = Path(__file__).parent / "values.yaml"
HELM_OPTIONS: Final = shlex.split(os.environ.get("HELM_OPTIONS", ""))
"""Options of every installation, such as `--set global.images.jobs.tag=…`."""
_COMPONENT: Final = "app.kubernetes.io/component"
_PROBE: Final = "probe"


def run(*command: str, timeout_s: float = 120) -> str:
    """The output of a command; fails with its words when it fails."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=timeout_s
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}"
    return done.stdout


def wait_until(true: Callable[[], Any], timeout_s: float, what: str, pause_s: float = 1) -> float:
    """Seconds until `true` is; a failed assertion or request in it counts as not yet."""
    started = time.monotonic()
    last = ""
    while time.monotonic() < started + timeout_s:
        try:
            if true():
                return time.monotonic() - started
        except (AssertionError, ApiException) as error:
            last = str(error)
        time.sleep(pause_s)
    raise AssertionError(f"not within {timeout_s} s: {what}\n{last}")


def ready(pod: V1Pod) -> bool:
    """Whether the pod is ready."""
    return ("Ready", "True") in {(item.type, item.status) for item in pod.status.conditions or []}


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """An empty namespace that enforces Pod Security `restricted`, removed at the end."""
    core = CoreV1Api()
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    _remove_namespace(name)
    core.create_namespace(V1Namespace(metadata=V1ObjectMeta(name=name, labels=labels)))
    yield name
    _remove_namespace(name)


def _remove_namespace(name: str) -> None:
    core = CoreV1Api()

    def gone() -> bool:
        return name not in {item.metadata.name for item in core.list_namespace().items}

    if not gone():
        core.delete_namespace(name)
        wait_until(gone, 180, f"namespace {name} is gone")


@dataclass(frozen=True, slots=True)
class Release:
    """A release in its namespace; `fullname` is what the names of its objects begin with."""

    namespace: str
    name: str = "haggle"

    @property
    def fullname(self) -> str:
        return self.name if "haggle" in self.name else f"{self.name}-haggle"

    @property
    def core(self) -> CoreV1Api:
        return CoreV1Api()

    def install(self, *options: str, values: Path = VALUES, wait: bool = True) -> None:
        """Installs or upgrades the chart and, unless told otherwise, waits until all is ready."""
        command = ["helm", "upgrade", "--install", self.name, str(CHART), "--namespace", self.namespace]
        command += ["--wait", "--timeout", "8m"] if wait else []
        run(*command, "--values", str(values), *HELM_OPTIONS, *options, timeout_s=500)

    def helm_test(self) -> str:
        """Runs `helm test`, which makes a trade and finds it in Trino; returns what its pod says."""
        return run("helm", "test", self.name, "--namespace", self.namespace, "--timeout", "4m", timeout_s=260)

    def uninstall(self) -> None:
        """Uninstalls the release."""
        run("helm", "uninstall", self.name, "--namespace", self.namespace, "--wait", timeout_s=200)

    # ------------------------------------------------------------ pods

    def pods(self, component: str) -> list[V1Pod]:
        """The release's pods of one component, those that are going away left out."""
        selector = f"app.kubernetes.io/instance={self.name},{_COMPONENT}={component}"
        pods = self.core.list_namespaced_pod(self.namespace, label_selector=selector).items
        return [pod for pod in pods if not pod.metadata.deletion_timestamp]

    def pod(self, component: str) -> V1Pod:
        """The newest pod of a component."""
        pods = self.pods(component)
        assert pods, f"no pod of {component}"
        return max(pods, key=lambda pod: pod.metadata.creation_timestamp)

    def log(self, component: str) -> str:
        """What the first container of a component's newest pod has written."""
        pod = self.pod(component)
        containers = [*(pod.spec.init_containers or []), *pod.spec.containers]
        return self.pod_log(pod.metadata.name, containers[0].name)

    def pod_log(self, pod: str, container: str) -> str:
        """What a container has written since it was started last."""
        return str(self.core.read_namespaced_pod_log(pod, self.namespace, container=container))

    def execute(self, pod: str, *command: str, timeout_s: float = 120) -> str:
        """The standard output of a command in a pod's first container; fails with its words when it fails."""
        container = self.core.read_namespaced_pod(pod, self.namespace).spec.containers[0].name
        # a client of its own: the stream takes over its way of sending requests
        call = CoreV1Api(ApiClient()).connect_get_namespaced_pod_exec
        channel: Any = stream(
            call,
            pod,
            self.namespace,
            container=container,
            command=list(command),
            stdout=True,
            stderr=True,
            _preload_content=False,
        )
        channel.run_forever(timeout=timeout_s)
        output: str = channel.read_stdout()
        words = output[-3000:] + channel.read_stderr()[-3000:]
        status = json.loads(channel.read_channel(ERROR_CHANNEL) or f'{{"message": "no end after {timeout_s} s"}}')
        assert status.get("status") == "Success", f"{pod}: {' '.join(command)}: {status['message']}\n{words}"
        return output

    def start_probe(self) -> None:
        """A pod of the jobs image, with the permissions of `helm test`'s, that reads logs and makes trades."""
        claims = {"logs": f"{self.fullname}-simulation", "reports": f"{self.fullname}-report"}
        self.start_pod(_PROBE, self.labels("test"), claims)

    def probe(self, *command: str, timeout_s: float = 120) -> str:
        """Runs a command in the probe."""
        return self.execute(_PROBE, *command, timeout_s=timeout_s)

    def stop_probe(self) -> None:
        """Removes the probe."""
        self.core.delete_namespaced_pod(_PROBE, self.namespace)

    def labels(self, component: str) -> dict[str, str]:
        """What NetworkPolicies know a component's pods by."""
        return {"app.kubernetes.io/name": "haggle", "app.kubernetes.io/instance": self.name, _COMPONENT: component}

    def start_pod(self, name: str, labels: dict[str, str], claims: dict[str, str] | None = None) -> None:
        """A pod of the jobs image, which waits for commands; claims are volumes.

        It has the audit's environment, and the key of the simulation, since the audit's may only read.
        """
        spec = self._cron_job("audit").spec.job_template.spec.template.spec
        container = spec.containers[0]
        trading = self._cron_job("simulation").spec.job_template.spec.template.spec.containers[0]
        container.env += [variable for variable in trading.env if variable.name == "TRADE_KEYS"]
        container.command = ["sleep", "infinity"]
        for folder, claim in (claims or {}).items():
            source = V1PersistentVolumeClaimVolumeSource(claim_name=claim)
            spec.volumes.append(V1Volume(name=folder, persistent_volume_claim=source))
            container.volume_mounts.append(V1VolumeMount(name=folder, mount_path=f"/{folder}"))
        spec.termination_grace_period_seconds = 1
        pod = V1Pod(metadata=V1ObjectMeta(name=name, labels=labels), spec=spec)
        self.core.create_namespaced_pod(self.namespace, pod)
        wait_until(lambda: self.execute(name, "true") == "", 60, f"pod {name} runs")

    # ------------------------------------------------------------ jobs

    def start_job(self, part: str, name: str, *command: str, **environment: object) -> None:
        """Starts a Job from a part's CronJob, as `kubectl create job` does, or with another command of `haggle`."""
        template = self._cron_job(part).spec.job_template
        container = template.spec.template.spec.containers[0]
        if command:
            container.command = ["python", "-m", "jobs.cli", *command]
        for variable in container.env:
            if variable.name in environment:
                variable.value = str(environment[variable.name])
        job = V1Job(metadata=V1ObjectMeta(name=name), spec=template.spec)
        BatchV1Api().create_namespaced_job(self.namespace, job)

    def job_log(self, name: str) -> str:
        """What the newest pod of a Job has written so far."""
        pods = self.core.list_namespaced_pod(self.namespace, label_selector=f"job-name={name}").items
        assert pods, f"job {name} has no pod yet"
        newest = max(pods, key=lambda pod: pod.metadata.creation_timestamp)
        return str(self.core.read_namespaced_pod_log(newest.metadata.name, self.namespace))

    def finish_job(self, name: str, timeout_s: float) -> str:
        """Waits for a Job to end well and returns its log."""
        wait_until(lambda: self.job_ended(name), timeout_s, f"job {name} ends")
        log = self.job_log(name)
        status = BatchV1Api().read_namespaced_job_status(name, self.namespace).status
        assert status.succeeded, log[-4000:]
        return log

    def job_ended(self, name: str) -> bool:
        """Whether a Job has succeeded or failed."""
        conditions = BatchV1Api().read_namespaced_job_status(name, self.namespace).status.conditions or []
        return bool({item.type for item in conditions} & {"Complete", "Failed"})

    def remove_jobs(self, *names: str) -> None:
        """Removes Jobs with their pods and waits until the pods are gone."""
        for name in names:
            BatchV1Api().delete_namespaced_job(name, self.namespace, propagation_policy="Foreground")
        wait_until(lambda: not set(names) & set(self.jobs()), 60, f"jobs {names} are gone")

    def jobs(self) -> list[str]:
        """The names of all Jobs."""
        return [job.metadata.name for job in BatchV1Api().list_namespaced_job(self.namespace).items]

    def audit(self, name: str) -> str:
        """Runs the audit, which fails unless all is exact."""
        self.start_job("audit", name)
        return self.finish_job(name, 240)

    def _cron_job(self, part: str) -> V1CronJob:
        return BatchV1Api().read_namespaced_cron_job(f"{self.fullname}-{part}", self.namespace)

    # ------------------------------------------------------------ everything else

    def share_processes(self) -> None:
        """Lets a server be killed from inside its pod: it is then not the first process, which no signal ends.

        Every server starts anew, in the same pods that the chart makes but for this one line.
        """
        line = {"spec": {"template": {"spec": {"shareProcessNamespace": True}}}}
        executors = self.core.read_namespaced_config_map(f"{self.fullname}-streams", self.namespace)
        template = executors.data["executor.yaml"].replace("\nspec:\n", "\nspec:\n  shareProcessNamespace: true\n")
        self.core.patch_namespaced_config_map(
            executors.metadata.name, self.namespace, {"data": {"executor.yaml": template}}
        )
        apps = AppsV1Api()
        for deployment in apps.list_namespaced_deployment(self.namespace).items:
            apps.patch_namespaced_deployment(deployment.metadata.name, self.namespace, line)
        for stateful_set in apps.list_namespaced_stateful_set(self.namespace).items:
            apps.patch_namespaced_stateful_set(stateful_set.metadata.name, self.namespace, line)
        wait_until(self._all_rolled_out, 300, "all servers are ready again")

    @contextmanager
    def scaled(self, stateful_set: str, replicas: int) -> Iterator[None]:
        """A StatefulSet of one pod has so many meanwhile, as by `kubectl scale`; waits for none of them."""
        self._scale(stateful_set, replicas)
        try:
            yield
        finally:
            self._scale(stateful_set, 1)

    def _scale(self, stateful_set: str, replicas: int) -> None:
        body = {"spec": {"replicas": replicas}}
        AppsV1Api().patch_namespaced_stateful_set_scale(f"{self.fullname}-{stateful_set}", self.namespace, body)

    def _all_rolled_out(self) -> bool:
        apps = AppsV1Api()
        workloads = [
            *apps.list_namespaced_deployment(self.namespace).items,
            *apps.list_namespaced_stateful_set(self.namespace).items,
        ]
        return all(
            item.status.observed_generation == item.metadata.generation
            and item.status.updated_replicas == item.status.ready_replicas == item.status.replicas == item.spec.replicas
            for item in workloads
        )

    @contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[str]:
        """A URL on this machine that leads to a port of a Service or a pod."""
        command = ["kubectl", "--namespace", self.namespace, "port-forward", target, f":{port}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            line = process.stdout.readline()
            yield f"http://{line.split()[2]}"
        finally:
            process.terminate()
            process.wait()

    def service_key(self, scope: str) -> str:
        """The key of a scope that the chart has made."""
        secret = self.core.read_namespaced_secret(f"{self.fullname}-engine", self.namespace)
        return base64.b64decode(secret.data[f"{scope}-keys"]).decode()

    def save(self, folder: Path) -> str:
        """Writes events, pods and logs of the namespace to a folder; returns the newest events."""
        folder.mkdir(parents=True, exist_ok=True)
        events = self.core.list_namespaced_event(self.namespace).items
        lines = sorted(
            f"{item.last_timestamp or item.event_time} {item.involved_object.name} {item.reason}: {item.message}"
            for item in events
        )
        (folder / "events.txt").write_text("\n".join(lines) + "\n")
        pods = self.core.list_namespaced_pod(self.namespace).items
        (folder / "pods.json").write_text(json.dumps(ApiClient().sanitize_for_serialization(pods), indent=2))
        for pod in pods:
            for container in [*(pod.spec.init_containers or []), *pod.spec.containers]:
                self._save_log(folder, pod.metadata.name, container.name)
        return "\n".join(lines[-20:])

    def _save_log(self, folder: Path, pod: str, container: str) -> None:
        for suffix, previous in (("", False), (".previous", True)):
            try:
                text = self.core.read_namespaced_pod_log(
                    pod, self.namespace, container=container, previous=previous, tail_lines=2_000
                )
            except ApiException:  # it has not started, or not been started again
                continue
            (folder / f"{pod}.{container}{suffix}.log").write_text(text)
