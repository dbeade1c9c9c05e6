"""What every rendering of the chart must be, whatever the values; and which values are refused, in which words."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.settings import SETTINGS
from jobs.cli.__main__ import cli
from tests.charts.conftest import CHART, Pod, Rendered

FOLDER = Path(__file__).parent
RENDERINGS: dict[str, tuple[str, ...]] = {
    "defaults": (),
    "production": ("--values", str(CHART / "values-production.yaml")),
    "existing services": ("--values", str(FOLDER / "existing-services.yaml")),
    "every option": ("--values", str(FOLDER / "every-option.yaml")),
}
NOT_SETTINGS = {
    "CATALOG_PASSWORD", "HADOOP_CONF_DIR", "HADOOP_LOG_DIR", "HADOOP_PID_DIR", "HADOOP_USER_NAME", "JAVA_TOOL_OPTIONS",
    "LOG_FOLDER", "MPLCONFIGDIR", "SPARK_LOCAL_DIRS", "PLAYERS", "TRADES", "CONCURRENCY", "RATE", "SEED",
    "TZ",
}  # fmt: skip
OWN_IMAGES = ("haggle-engine", "haggle-jobs")
MIB = {"Mi": 1, "Gi": 1024}


@pytest.fixture(scope="module", params=RENDERINGS.values(), ids=list(RENDERINGS))
def rendered(request: pytest.FixtureRequest, render: Callable[..., Rendered]) -> Rendered:
    return render(*request.param)


def test_every_pod_fits_pod_security_restricted_on_a_read_only_file_system(rendered: Rendered) -> None:
    for pod in rendered.pods():
        assert pod.spec["securityContext"]["runAsNonRoot"] is True, pod.name
        assert pod.spec["securityContext"]["runAsUser"] > 0, pod.name
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, pod.name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys(), pod.name
        for container in pod.containers:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, pod.name
            assert context["capabilities"] == {"drop": ["ALL"]}, pod.name
            assert context["readOnlyRootFilesystem"] is True, pod.name
        for volume in pod.spec.get("volumes", []):
            assert not {"hostPath", "nfs"} & volume.keys(), pod.name


def test_every_container_says_what_memory_and_processor_time_it_needs(rendered: Rendered) -> None:
    for pod in rendered.pods():
        if pod.component == "executor":  # Spark sets them from its own options
            continue
        for container in pod.containers:
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), pod.name
            assert mib(container["resources"]["requests"]["memory"]) <= mib(container["resources"]["limits"]["memory"])


def mib(quantity: str) -> int:
    return int(quantity[:-2]) * MIB[quantity[-2:]]


def test_every_server_is_probed_for_readiness_and_life(rendered: Rendered) -> None:
    for pod in rendered.pods():
        if pod.kind in ("Deployment", "StatefulSet"):
            for container in pod.spec["containers"]:
                assert {"readinessProbe", "livenessProbe"} <= container.keys(), pod.name


def test_only_the_spark_driver_has_a_token_and_its_role_is_about_pods_of_its_namespace(rendered: Rendered) -> None:
    with_token = {pod.component for pod in rendered.pods() if pod.spec["automountServiceAccountToken"]}
    assert with_token == {"streams"}
    roles = rendered.of_kind("Role").values()
    assert [role["rules"] for role in roles] == [
        [
            {
                "apiGroups": [""],
                "resources": ["pods"],
                "verbs": ["create", "get", "list", "watch", "delete", "deletecollection", "patch"],
            }
        ]
    ]
    assert not rendered.of_kind("ClusterRole")
    assert not rendered.of_kind("ClusterRoleBinding")
    assert not rendered.of_kind("CustomResourceDefinition")


def test_every_pod_runs_as_a_service_account_of_its_own_that_the_chart_makes(rendered: Rendered) -> None:
    accounts = rendered.of_kind("ServiceAccount")
    for pod in rendered.pods():
        name = pod.spec["serviceAccountName"]
        assert name == f"haggle-{pod.component}"
        assert accounts[name]["automountServiceAccountToken"] is False


def test_every_object_has_the_recommended_labels_and_a_name_of_its_own(rendered: Rendered) -> None:
    wanted = {
        f"app.kubernetes.io/{name}" for name in ("name", "instance", "component", "version", "part-of", "managed-by")
    }
    names = [(item["kind"], item["metadata"]["name"]) for item in rendered.objects]
    assert len(names) == len(set(names))
    for item in rendered.objects:
        assert wanted | {"helm.sh/chart"} <= item["metadata"]["labels"].keys(), item["metadata"]["name"]
        assert item["metadata"]["namespace"] == "games"
    for pod in rendered.pods():
        assert wanted <= pod.labels.keys(), pod.name


def test_every_selector_finds_a_pod_of_the_same_rendering(rendered: Rendered) -> None:
    pods = list(rendered.pods())
    for item in rendered.objects:
        spec = item.get("spec", {})
        match item["kind"]:
            case "Service":
                selector = spec["selector"]
            case "NetworkPolicy":
                selector = spec["podSelector"]["matchLabels"]
            case "PodDisruptionBudget" | "Deployment" | "StatefulSet":
                selector = spec["selector"]["matchLabels"]
            case _:
                continue
        assert any(selector.items() <= pod.labels.items() for pod in pods), item["metadata"]["name"]


def test_every_pod_is_isolated_by_a_network_policy_in_both_directions(rendered: Rendered) -> None:
    policies = rendered.of_kind("NetworkPolicy")
    for pod in rendered.pods():
        policy = policies[f"haggle-{pod.component}"]["spec"]
        assert policy["podSelector"]["matchLabels"].items() <= pod.labels.items()
        assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_every_edge_between_two_installed_parts_is_open_at_both_ends(rendered: Rendered) -> None:
    def edges(direction: str, peers: str) -> set[tuple[str, str, int]]:
        found = set()
        for policy in rendered.of_kind("NetworkPolicy").values():
            own = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
            for rule in policy["spec"][direction]:
                for peer in rule.get(peers, []):
                    other = peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/component")
                    for port in rule.get("ports", []) if other else []:
                        found.add((own, other, port["port"]))
        return found

    into = {(other, own, port) for own, other, port in edges("ingress", "from")}
    out = edges("egress", "to")
    installed = {pod.component for pod in rendered.pods()}
    assert {edge for edge in out if {*edge[:2]} <= installed} == {edge for edge in into if {*edge[:2]} <= installed}


def test_the_environment_of_haggles_own_programs_names_settings_that_exist(rendered: Rendered) -> None:
    settings = {item.name.upper() for item in SETTINGS}
    for pod in rendered.pods():
        for container in pod.containers:
            if any(image in container["image"] for image in OWN_IMAGES):
                for variable in container.get("env", []):
                    assert variable["name"] in settings | NOT_SETTINGS, f"{pod.name}: {variable['name']}"


def test_what_reads_a_config_map_starts_anew_when_it_changes(rendered: Rendered) -> None:
    for pod in rendered.pods():
        reads_config = any("configMap" in str(volume) for volume in pod.spec.get("volumes", []))
        if pod.kind in ("Deployment", "StatefulSet") and reads_config:
            assert "checksum/configmap" in pod.annotations, pod.name


def test_what_has_several_pods_spreads_over_zones_and_nodes(render: Callable[..., Rendered]) -> None:
    spread = {pod.component: pod for pod in render(*RENDERINGS["production"]).pods()}
    for component in ("engine", "kafka", "datanode", "trino-worker", "executor"):
        keys = [item["topologyKey"] for item in spread[component].spec["topologySpreadConstraints"]]
        assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"], component


def executor(rendered: Rendered) -> dict[str, dict[str, str]]:
    """What Spark asks for itself for an executor: its heap, and what it adds to one of less than 3,840 MiB."""
    heap = environment(rendered, "streams")["SPARK_EXECUTOR_MEMORY_MIB"]["value"]
    cores = environment(rendered, "streams")["SPARK_EXECUTOR_CPU_REQUEST"]["value"]
    memory = f"{int(heap) + 384}Mi"
    return {"requests": {"memory": memory, "cpu": cores}, "limits": {"memory": memory}}


def total(render: Callable[..., Rendered], kind: str, resource: str, unit: Callable[[str], int]) -> int:
    """What all pods of the defaults ask for or may take at once, each Job among them."""
    rendered = render()
    of_executor = executor(rendered)

    def of_pod(pod: Pod) -> int:
        parts = [pod.spec["containers"], *([one] for one in pod.spec.get("initContainers", []))]
        amounts = [[one.get("resources", of_executor)[kind][resource] for one in together] for together in parts]
        return max(sum(map(unit, together)) for together in amounts)

    pods = {pod.component: of_pod(pod) for pod in rendered.pods()}
    assert pods["suspects"] <= pods["audit"], "of these one runs at a time, says docs/scaling.md"
    # hdfs-prepare has ended before the streams begin; every other Job may run beside all servers
    return sum(of_pod(pod) for pod in rendered.pods() if pod.component not in ("hdfs-prepare", "suspects"))


def test_the_memory_limits_of_the_defaults_sum_to_at_most_eight_gib(render: Callable[..., Rendered]) -> None:
    assert total(render, "limits", "memory", mib) <= 8 * 1024


def test_docs_scaling_states_what_the_defaults_sum_to(render: Callable[..., Rendered]) -> None:
    def milli(cores: str) -> int:
        return int(cores[:-1]) if cores.endswith("m") else 1_000 * int(cores)

    limits, requests = (total(render, kind, "memory", mib) for kind in ("limits", "requests"))
    words = (
        f"sum to {limits:,} MiB, all requests to {requests:,} MiB and {total(render, 'requests', 'cpu', milli) / 1e3:g}"
    )
    assert words in " ".join((CHART.parents[1] / "docs" / "scaling.md").read_text().split())


def environment(rendered: Rendered, component: str) -> dict[str, Any]:
    (pod,) = [pod for pod in rendered.pods() if pod.component == component]
    return {item["name"]: item for item in pod.spec["containers"][0]["env"]}


def test_there_is_one_driver_and_only_an_end_of_its_process_starts_it_again(rendered: Rendered) -> None:
    streams = rendered.of_kind("StatefulSet")["haggle-streams"]["spec"]
    assert streams["replicas"] == 1
    assert streams["podManagementPolicy"] == "Parallel"  # or a pod that never becomes ready would hold up an upgrade
    service = rendered.of_kind("Service")[streams["serviceName"]]["spec"]
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
    # of two drivers each must be found by its own executors
    names = [item["name"] for item in streams["template"]["spec"]["containers"][0]["env"]]
    assert names.index("SPARK_DRIVER_POD") < names.index("SPARK_DRIVER_HOST")
    host = environment(rendered, "streams")["SPARK_DRIVER_HOST"]["value"]
    assert host == f"$(SPARK_DRIVER_POD).{streams['serviceName']}"
    (driver,) = streams["template"]["spec"]["containers"]
    assert driver["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert driver["livenessProbe"]["httpGet"]["path"] == driver["startupProbe"]["httpGet"]["path"] == "/metrics"


def test_trino_writes_nothing_into_the_lake(render: Callable[..., Rendered]) -> None:
    lake = render().of_kind("ConfigMap")["haggle-trino-catalogs"]["data"]["lake.properties"]
    assert "iceberg.security=read_only" in lake.splitlines()


def test_production_has_the_replicas_that_it_promises(render: Callable[..., Rendered]) -> None:
    rendered = render(*RENDERINGS["production"])
    replicas = {name: item["spec"].get("replicas") for name, item in rendered.of_kind("StatefulSet").items()}
    replicas |= {name: item["spec"].get("replicas") for name, item in rendered.of_kind("Deployment").items()}
    wanted = {"haggle-kafka": 3, "haggle-datanode": 3, "haggle-engine": 2, "haggle-trino-worker": 2}
    assert replicas | wanted == replicas
    properties = rendered.of_kind("ConfigMap")["haggle-kafka"]["data"]["server.properties"]
    assert "min.insync.replicas=2" in properties
    assert "transaction.state.log.replication.factor=3" in properties


def test_existing_services_are_called_and_not_installed(render: Callable[..., Rendered]) -> None:
    rendered = render(*RENDERINGS["existing services"])
    assert set(rendered.of_kind("StatefulSet")) == {"haggle-streams"}
    assert not rendered.of_kind("Secret")
    pods = {pod.component: pod for pod in rendered.pods()}
    engine = environment(rendered, "engine")
    assert engine["REDIS_URL"]["value"] == "rediss://redis.data:6380/0"
    assert engine["REDIS_PASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "redis-login", "key": "secret"}
    keys = {name: engine[name]["valueFrom"]["secretKeyRef"] for name in engine if name.endswith("_KEYS")}
    in_secret = {"SERVICE_KEYS": "server", "TOKEN_KEYS": "token-keys", "READ_KEYS": "read-keys"}
    assert keys == {name: {"name": "game-keys", "key": key} for name, key in in_secret.items()}
    # no keys of the scope that would do: those of the service
    assert environment(rendered, "simulation")["SERVICE_KEYS"]["valueFrom"]["secretKeyRef"]["key"] == "server"
    driver = environment(rendered, "streams")
    assert driver["KAFKA_BOOTSTRAP_SERVERS"]["value"] == "one.kafka:9092,two.kafka:9092"
    assert driver["HDFS_URL"]["value"] == "hdfs://lake.data:8020"
    for component in ("streams", "audit"):
        own = environment(rendered, component)
        assert own["CATALOG_URL"]["value"] == "postgresql://haggle@postgres.data:5432/haggle", component
        assert own["CATALOG_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "catalog-login", component
    assert pods["streams"].spec["imagePullSecrets"] == [{"name": "pull"}]
    assert pods["streams"].spec["containers"][0]["image"].startswith("registry.example/library/haggle-jobs@sha256:")


def test_the_engine_asks_for_keys_and_each_of_its_callers_has_those_that_it_needs_and_no_others(
    render: Callable[..., Rendered],
) -> None:
    rendered = render()
    assert environment(rendered, "engine")["AUTHENTICATION"]["value"] == "on"
    assert environment(rendered, "engine")["ORIGINAL_ROUTES"]["value"] == "closed"
    kinds = {"service", "trade", "adjust", "read", "report", "token"}
    assert set(rendered.of_kind("Secret")["haggle-engine"]["data"]) == {f"{kind}-keys" for kind in kinds}
    needed = {"engine": kinds, "simulation": {"trade"}, "test": {"trade"}, "audit": {"report"}, "report": {"report"}}
    needed["report-web"] = {"read"}
    for pod in rendered.pods():
        if pod.component == "executor":
            continue
        own = {name: item for name, item in environment(rendered, pod.component).items() if name.endswith("_KEYS")}
        assert set(own) == {f"{kind.upper()}_KEYS" for kind in needed.get(pod.component, ())}, pod.name
        for name, item in own.items():
            key = name.lower().replace("_", "-")
            assert item["valueFrom"]["secretKeyRef"] == {"name": "haggle-engine", "key": key}, pod.name
    opened = render("--set", "global.engine.authentication=false,global.engine.originalRoutesOpen=true")
    assert environment(opened, "engine")["AUTHENTICATION"]["value"] == "off"
    assert environment(opened, "engine")["ORIGINAL_ROUTES"]["value"] == "open"


def test_the_job_that_docs_tell_to_make_of_a_cron_job_is_that_pod_with_another_command(
    render: Callable[..., Rendered],
) -> None:
    docs = (CHART.parents[1] / "docs" / "operations.md").read_text()
    ((cron_job, patch),) = re.findall(r"--from=cronjob/(\S+) --dry-run.*?--patch '(.*?)'", docs, re.DOTALL)
    (change,) = json.loads(patch)
    assert (change["op"], change["path"]) == ("replace", "/spec/template/spec/containers/0/command")
    job = render().of_kind("CronJob")[cron_job]["spec"]["jobTemplate"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert container["command"][:2] == change["value"][:2]
    assert "args" not in container
    assert CliRunner().invoke(cli, [*change["value"][3:], "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("component", "servers", "settings"),
    [
        ("maintenance", {"namenode", "datanode", "catalog"}, {"HDFS_URL", "CATALOG_URL", "MAINTENANCE_MEMORY_MIB"}),
        ("audit", {"engine", "kafka", "trino", "catalog"}, {"ENGINE_URL", "TRINO_URL", "CATALOG_URL"}),
        (
            "suspects",
            {"trino", "catalog", "relay", "streams"},
            {"TRINO_URL", "CATALOG_URL", "RELAY_HOST", "STREAMS_HOST"},
        ),
        (
            "report",
            {"engine", "trino", "catalog", "relay", "streams"},
            {"ENGINE_URL", "TRINO_URL", "CATALOG_URL", "RELAY_HOST", "STREAMS_HOST"},
        ),
    ],
)
def test_a_pod_that_any_command_of_haggle_may_run_in_reaches_what_the_command_needs(
    render: Callable[..., Rendered], component: str, servers: set[str], settings: set[str]
) -> None:
    rendered = render()
    assert settings <= environment(rendered, component).keys()
    rules = rendered.of_kind("NetworkPolicy")[f"haggle-{component}"]["spec"]["egress"]
    peers = [peer["podSelector"]["matchLabels"] for rule in rules for peer in rule.get("to", [])]
    assert {peer["app.kubernetes.io/component"] for peer in peers} == servers


def test_network_policies_can_be_switched_off(render: Callable[..., Rendered]) -> None:
    assert not render("--set", "global.networkPolicy.enabled=false").of_kind("NetworkPolicy")


def test_simulations_with_different_values_are_different_jobs(render: Callable[..., Rendered]) -> None:
    def jobs(*options: str) -> set[str]:
        names = render("--set", "simulation.run=true", *options).of_kind("Job")
        return {name for name in names if "simulation" in name}

    assert len(jobs() | jobs("--set", "simulation.trades=5") | jobs("--set", "simulation.runName=again")) == 3
    assert not {name for name in render().of_kind("Job") if "simulation" in name}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("kafka.retentionHours=720", "keeps the names of players that are to be forgotten: at most 696"),
        ("engine.replicas=0", "minimum: got 0, want 1"),
        ("engine.replica=2", "additional properties 'replica' not allowed"),
        ("engine.relay.resources.limits.memory=lots", "does not match pattern"),
        ("global.kafka.brokers=2", "must be one of 1, 3"),
        ("global.realm=a b", "does not match pattern"),
        ("global.realms=a", "additional properties 'realms' not allowed"),
        ("nonsense=1", "additional properties 'nonsense' not allowed"),
        ("kafka.storage.size=4", "got number, want string"),
        ("report.schedule=", "minLength"),
        ("spark.triggerSeconds=-1", "minimum: got -1, want 0"),
        ("redis.enabled=false", "redis.enabled is false, so set global.redis.existing.host to an existing one"),
        ("global.redis.existing.host=r", "global.redis.existing.host is set, so set redis.enabled=false"),
        (
            "engine.enabled=false,global.engine.existing.url=http://game.example",
            "set global.engine.existingSecret.name to a Secret with them",
        ),
        ("global.monitoring.rules.enabled=true", "set global.monitoring.from to the NetworkPolicy peers"),
        ("global.hdfs.replication=2", "a block needs as many DataNodes as it has replicas"),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence(refusal: Callable[..., str], value: str, words: str) -> None:
    assert words in refusal("--set", value)


def test_every_pod_has_what_a_cluster_asks_of_it(render: Callable[..., Rendered]) -> None:
    """Values of tests/charts/every-option.yaml."""
    rendered = render(*RENDERINGS["every option"])
    assert {item["metadata"]["labels"].get("team") for item in rendered.objects} == {"economy"}
    for pod in rendered.pods():
        if pod.component == "test":  # a part of none
            continue
        assert (pod.labels["team"], pod.labels["tier"]) == ("economy", "game"), pod.name
        assert pod.spec["priorityClassName"] == "servers", pod.name
        assert "nodeAffinity" in pod.spec["affinity"], pod.name
        own = [container for container in pod.spec["containers"] if container["name"] != "exporter"]
        if pod.component != "executor":  # Spark gives it its environment
            assert all({"name": "TZ", "value": "UTC"} in container["env"] for container in own), pod.name
    for kind in ("Deployment", "StatefulSet"):
        assert {item["spec"]["revisionHistoryLimit"] for item in rendered.of_kind(kind).values()} == {3}


def test_a_template_has_lines_that_a_person_can_read() -> None:
    for path in [*CHART.rglob("templates/*.yaml"), *CHART.rglob("templates/*.tpl")]:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            assert len(line) <= 140, f"{path.relative_to(CHART)}:{number}"


ECONOMY = 'version = 2\nname = "a \\"quoted\\" one"\n\n[[items]]\nid = 1\n'


def test_an_economy_is_mounted_from_a_value_and_engines_start_anew_when_it_changes(
    render: Callable[..., Rendered], tmp_path: Path
) -> None:
    path = tmp_path / "space.toml"
    checksums = []
    for text in (ECONOMY, ECONOMY + "# more\n"):
        path.write_text(text)
        rendered = render("--set-file", f"engine.economy.file={path}")
        assert rendered.of_kind("ConfigMap")["haggle-economy"]["data"]["economy.toml"].strip() == text.strip()
        checksums.append(check_mounted(rendered, "haggle-economy"))
    assert checksums[0] != checksums[1]


def test_an_economy_may_be_a_config_map_of_ones_own(render: Callable[..., Rendered]) -> None:
    rendered = render("--set", "engine.economy.existingConfigMap=our-game")
    assert "haggle-economy" not in rendered.of_kind("ConfigMap")
    check_mounted(rendered, "our-game")


def check_mounted(rendered: Rendered, config_map: str) -> Any:
    """Only the engine has it; returns what its pods' annotation says of it."""
    mounted = {
        pod.component: pod
        for pod in rendered.pods()
        if any(volume.get("configMap", {}).get("name") == config_map for volume in pod.spec.get("volumes", []))
    }
    assert set(mounted) == {"engine"}
    (container,) = mounted["engine"].containers
    environment = {item["name"]: item.get("value") for item in container["env"]}
    (mount,) = (item for item in container["volumeMounts"] if item["name"] == "economy")
    assert environment["ECONOMY_FILE"] == f"{mount['mountPath']}/economy.toml"
    return mounted["engine"].annotations


def test_without_an_economy_of_its_own_a_game_plays_the_reference(render: Callable[..., Rendered]) -> None:
    (engine,) = (pod for pod in render().pods() if pod.component == "engine")
    assert "ECONOMY_FILE" not in {item["name"] for item in engine.containers[0]["env"]}
