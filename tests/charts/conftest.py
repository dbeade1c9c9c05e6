"""The chart rendered by helm, as typed objects."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

CHART: Final = Path(__file__).parents[2] / "charts" / "haggle"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that some object makes: the object's kind and name, and the pod's labels and spec."""

    kind: str
    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: dict[str, Any]

    @property
    def component(self) -> str:
        return self.labels["app.kubernetes.io/component"]

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


@dataclass(frozen=True, slots=True)
class Rendered:
    """All objects of one rendering."""

    objects: list[dict[str, Any]]

    def of_kind(self, kind: str) -> dict[str, dict[str, Any]]:
        return {item["metadata"]["name"]: item for item in self.objects if item["kind"] == kind}

    def pods(self) -> Iterator[Pod]:
        """Every pod: of Deployments, StatefulSets, Jobs, CronJobs and tests, and Spark's template of executors."""
        for item in self.objects:
            match item["kind"]:
                case "Deployment" | "StatefulSet" | "Job":
                    template = item["spec"]["template"]
                case "CronJob":
                    template = item["spec"]["jobTemplate"]["spec"]["template"]
                case "Pod":
                    template = item
                case "ConfigMap" if "executor.yaml" in item["data"]:
                    template = yaml.safe_load(item["data"]["executor.yaml"])
                case _:
                    continue
            metadata = template["metadata"]
            name = item["metadata"]["name"]
            yield Pod(item["kind"], name, metadata["labels"], metadata.get("annotations", {}), template["spec"])


def helm_template(*options: str) -> subprocess.CompletedProcess[str]:
    helm = shutil.which("helm")
    if not helm:
        pytest.skip("helm is not on PATH")
    command = [helm, "template", "haggle", str(CHART), "--namespace", "games", "--kube-version", "1.34.0", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def render() -> Callable[..., Rendered]:
    def rendered(*options: str) -> Rendered:
        done = helm_template(*options)
        assert done.returncode == 0, done.stderr
        return Rendered([item for item in yaml.safe_load_all(done.stdout) if item])

    return rendered


@pytest.fixture(scope="session")
def refusal() -> Callable[..., str]:
    def refused(*options: str) -> str:
        done = helm_template(*options)
        assert done.returncode != 0, f"{options} is taken"
        return done.stderr

    return refused
