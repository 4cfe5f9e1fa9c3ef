"""The manifests, as kustomize builds them, against strict schemas and against the program that they call."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.validators import DEPLOY, ROOT, module, output_of, program
from tests.docs.calls import check
from tests.docs.shell import Called

KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = tuple(sorted((KUBERNETES / "overlays").iterdir()))
COMPONENTS = tuple(sorted((KUBERNETES / "components").iterdir()))
OURS = ("seq2seq-beam", "seq2seq-infer", "seq2seq-trainer")
STEPS = ["prepare", "train", "evaluate", "accept", "translate"]

Object = dict[str, Any]


@functools.cache
def built(folder: Path) -> list[Object]:
    """What kustomize makes of a folder."""
    return list(yaml.safe_load_all(output_of(program("kubectl"), "kustomize", str(folder))))


@pytest.fixture(scope="module")
def with_components(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    """The base with every component."""
    copy = tmp_path_factory.mktemp("deploy") / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    shutil.copytree(DEPLOY / "config", copy.parent / "config")
    names = [f"components/{component.name}" for component in COMPONENTS]
    (copy / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["base"], "components": names}))
    return built(copy)


@pytest.fixture(scope="module")
def everything(with_components: list[Object]) -> list[Object]:
    return [*with_components, *(each for overlay in OVERLAYS for each in built(overlay))]


def the(objects: list[Object], kind: str, name: str | None = None) -> Object:
    (found,) = (each for each in objects if each["kind"] == kind and name in (None, each["metadata"]["name"]))
    return found


def pods(value: object) -> Iterator[Object]:
    """Every description of a pod in an object."""
    if isinstance(value, dict):
        if "containers" in value:
            yield value
        for inner in value.values():
            yield from pods(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from pods(inner)


def containers(value: object) -> Iterator[Object]:
    for pod in pods(value):
        yield from pod.get("initContainers", ())
        yield from pod["containers"]


def words(container: Object) -> list[str]:
    return [*container.get("command", ()), *container.get("args", ())]


# Schemas


def closed(properties: Object, *required: str) -> Object:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


TEXT, COUNT, TEXTS = (
    {"type": "string"},
    {"type": "integer", "minimum": 0},
    {"type": "array", "items": {"type": "string"}},
)
NAMED = {"type": "object", "additionalProperties": TEXT}
RESOURCE = closed({"cpu": {"type": "number"}, "memory": TEXT, "ephemeralStorage": TEXT})
MANAGER = closed({"replicas": COUNT, "resource": RESOURCE, "podTemplate": {"type": "object"}})
JOB = closed(
    {
        **dict.fromkeys(("jarURI", "entryClass", "initialSavepointPath"), TEXT),
        **dict.fromkeys(
            ("parallelism", "savepointTriggerNonce", "checkpointTriggerNonce", "savepointRedeployNonce"), COUNT
        ),
        "args": TEXTS,
        "allowNonRestoredState": {"type": "boolean"},
        "state": {"enum": ["running", "suspended"]},
        "upgradeMode": {"enum": ["savepoint", "last-state", "stateless"]},
    }
)
FLINK = closed(
    {
        "apiVersion": {"const": "flink.apache.org/v1beta1"},
        "kind": {"const": "FlinkDeployment"},
        "metadata": closed({"name": TEXT, "namespace": TEXT, "labels": NAMED, "annotations": NAMED}, "name"),
        "spec": closed(
            {
                **dict.fromkeys(("image", "imagePullPolicy", "serviceAccount"), TEXT),
                **dict.fromkeys(("flinkConfiguration", "logConfiguration"), NAMED),
                "flinkVersion": {"type": "string", "pattern": r"^v\d+_\d+$"},
                "mode": {"enum": ["native", "standalone"]},
                "restartNonce": COUNT,
                "job": JOB,
                "jobManager": MANAGER,
                "taskManager": MANAGER,
                "podTemplate": {"type": "object"},
            },
            *("image", "flinkVersion", "serviceAccount", "jobManager", "taskManager"),
        ),
    },
    *("apiVersion", "kind", "metadata", "spec"),
)
"""The documented fields of a FlinkDeployment of the operator's v1beta1."""


def check_schema(value: Object) -> None:
    """Raise where an object is none of its kind, or has a field that its kind does not have."""
    if value["kind"] == "FlinkDeployment":
        module("jsonschema").validate(value, FLINK)
        for manager in (value["spec"]["jobManager"], value["spec"]["taskManager"]):
            if "podTemplate" in manager:
                check_core(manager["podTemplate"])
    elif value["kind"] in ("TrainJob", "JobSet"):
        models = module("kubeflow_trainer_api.models")
        kind = {"TrainJob": models.TrainerV1alpha1TrainJob, "JobSet": models.JobsetV1alpha2JobSet}[value["kind"]]
        assert kind.from_dict(value).to_dict() == value  # the classes pass over what they do not know
    else:
        check_core(value)


def check_core(value: Object) -> None:
    validate = module("kubernetes_validate")
    validate.validate(value, validate.latest_version(), strict=True)


def test_every_object_is_one_of_its_kind(everything: list[Object]) -> None:
    kinds = {each["kind"] for each in everything}
    assert kinds >= {"CronJob", "FlinkDeployment", "Job", "JobSet", "TrainJob", "Service", "ConfigMap"}
    for each in everything:
        check_schema(each)


@pytest.mark.parametrize("kind", ["CronJob", "FlinkDeployment", "Job", "JobSet", "TrainJob", "Service"])
def test_a_field_that_is_not_there_would_be_found(kind: str, with_components: list[Object]) -> None:
    good = next(each for each in with_components if each["kind"] == kind)
    with pytest.raises(Exception, match=r"(?i)replicaz|assert"):
        check_schema({**good, "spec": {**good["spec"], "replicaz": 3}})
    for wrong in _misspelt_deep(good):
        with pytest.raises(Exception, match=r"."):
            check_schema(wrong)


def _misspelt_deep(value: Object) -> Iterator[Object]:
    """The object with a field more in a container."""
    text = yaml.safe_dump(value)
    if "containers:" in text:
        copy = yaml.safe_load(text)
        next(containers(copy))["imagePolicy"] = "Always"
        yield copy


# What is called


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOT", "gs://bucket/seq2seq")
    monkeypatch.setenv("RUN", "nightly-1")


def test_the_program_takes_what_it_is_called_with(
    everything: list[Object], configured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = 0
    for container in (found for each in everything for found in (*containers(each), *trainers(each))):
        given = [word.replace("/etc/seq2seq", str(DEPLOY / "config")) for word in words(container)]
        if given[:1] in (["seq2seq"], ["torchrun"]):
            check(Called(given[0], tuple(given[1:])), monkeypatch)
            called += 1
    assert called > 10


def trainers(value: Object) -> Iterator[Object]:
    """The container that a TrainJob describes; its runtime says how many machines and processes there are."""
    if value["kind"] == "TrainJob":
        yield value["spec"]["trainer"]


def test_images_are_those_that_we_build(with_components: list[Object]) -> None:
    images = {
        found["image"] for each in with_components for found in (*containers(each), *trainers(each)) if "image" in found
    }
    assert {image for image in images if image.startswith("seq2seq")} == set(OURS)
    page = (DEPLOY / "docker" / "README.md").read_text()
    assert all(f"-t {image}:" in page for image in OURS)
    for overlay in OVERLAYS:
        text = yaml.safe_dump_all(built(overlay))
        assert not re.search(r"image: seq2seq-", text), "an image that the overlay does not name in full"
        assert ":latest" not in text


def test_nobody_is_root(everything: list[Object]) -> None:
    for each in everything:
        for pod in pods(each):
            if each["kind"] in ("FlinkDeployment", "TrainJob"):  # whose images or runtimes say so
                continue
            assert pod["securityContext"]["runAsNonRoot"]
            for container in (*pod.get("initContainers", ()), *pod["containers"]):
                assert container["securityContext"]["allowPrivilegeEscalation"] is False
                assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                assert "memory" in container["resources"]["limits"]


def test_every_name_that_is_used_is_there(everything: list[Object]) -> None:
    for objects in (built(overlay) for overlay in OVERLAYS):
        maps = {each["metadata"]["name"] for each in objects if each["kind"] == "ConfigMap"}
        used = set(re.findall(r"name: (seq2seq-(?:config|place)[\w-]*)", yaml.safe_dump_all(objects)))
        assert used == maps
        for each in objects:
            for pod in pods(each):
                volumes = {volume["name"] for volume in pod.get("volumes", ())}
                mounted = {mount["name"] for found in containers(pod) for mount in found.get("volumeMounts", ())}
                assert mounted == volumes


# The night


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda overlay: overlay.name)
def test_the_steps_of_a_night_stand_in_order(overlay: Path) -> None:
    job = the(built(overlay), "CronJob")["spec"]["jobTemplate"]["spec"]
    assert [container["name"] for container in containers(job)] == STEPS
    pod = job["template"]["spec"]
    assert [container["name"] for container in pod["containers"]] == STEPS[-1:]
    assert the(built(overlay), "CronJob")["spec"]["concurrencyPolicy"] == "Forbid"


@pytest.mark.parametrize(
    ("score", "accept", "code", "said"),
    [(0, 0, 0, ["score", "accept"]), (4, 0, 0, ["score"]), (1, 0, 1, ["score"]), (0, 1, 1, ["score", "accept"])],
)
def test_a_model_that_is_not_good_enough_stays_out(
    score: int, accept: int, code: int, said: list[str], tmp_path: Path
) -> None:
    """With a program in the place of ours that ends as it is told."""
    (step,) = (
        found
        for found in containers(yaml.safe_load((KUBERNETES / "base/nightly.yaml").read_text()))
        if found["name"] == "accept"
    )
    stub = tmp_path / "seq2seq"
    stub.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/said\n[ "$1" = score ] && exit {score}\nexit {accept}\n')
    stub.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ROOT": "/data", "RUN": "r", "MINIMUM_BLEU": "25"}
    done = subprocess.run(step["command"], env=environment, check=False, timeout=30)
    assert (done.returncode, (tmp_path / "said").read_text().split()) == (code, said)


# Several machines


def option(container: Object, name: str) -> str:
    (found,) = (word.partition("=")[2] for word in words(container) if word.startswith(f"--{name}="))
    return found


def test_torchrun_finds_its_first_pod(with_components: list[Object]) -> None:
    job, service = the(with_components, "Job", "seq2seq-torchrun"), the(with_components, "Service", "seq2seq-torchrun")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": job["metadata"]["name"]}
    host, _, port = option(container, "rdzv-endpoint").partition(":")
    assert host == f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert int(port) == container["ports"][0]["containerPort"] == service["spec"]["ports"][0]["port"]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == int(option(container, "nnodes"))


def test_a_jobset_finds_its_first_pod(with_components: list[Object]) -> None:
    jobset = the(with_components, "JobSet")
    (replicated,) = jobset["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    (container,) = job["template"]["spec"]["containers"]
    name = jobset["metadata"]["name"]
    assert option(container, "rdzv-endpoint") == f"{name}-{replicated['name']}-0-0.{name}:29400"
    assert job["completions"] == job["parallelism"] == int(option(container, "nnodes"))
    assert jobset["spec"]["successPolicy"]["targetReplicatedJobs"] == [replicated["name"]]


def test_flink_is_one_that_this_beam_knows(with_components: list[Object]) -> None:
    from apache_beam.options.pipeline_options import FlinkRunnerOptions

    spec = the(with_components, "FlinkDeployment")["spec"]
    version = spec["flinkVersion"].removeprefix("v").replace("_", ".")
    assert version in FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    assert spec["image"].startswith(f"flink:{version}.")
    (server,) = the(with_components, "Job", "seq2seq-prepare-on-flink")["spec"]["template"]["spec"]["initContainers"]
    beam = re.search(r"^apache-beam==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert beam is not None
    assert server["image"] == f"apache/beam_flink{version}_job_server:{beam[1]}"
    assert server["restartPolicy"] == "Always"
    assert "--flink-master=seq2seq-flink-rest:8081" in server["args"]


def test_each_task_manager_has_its_workers(with_components: list[Object]) -> None:
    manager = the(with_components, "FlinkDeployment")["spec"]["taskManager"]
    flink, workers = manager["podTemplate"]["spec"]["containers"]
    assert flink["name"] == "flink-main-container"
    (port,) = workers["ports"]
    assert option(workers, "service_port") == str(port["containerPort"])
    prepare = the(with_components, "Job", "seq2seq-prepare-on-flink")["spec"]["template"]["spec"]["containers"][0]
    assert option(prepare, "environment_config") == f"localhost:{port['containerPort']}"
    (jar,) = manager["podTemplate"]["spec"]["initContainers"]
    (server,) = the(with_components, "Job", "seq2seq-prepare-on-flink")["spec"]["template"]["spec"]["initContainers"]
    assert jar["image"] == server["image"]
    (mount,) = flink["volumeMounts"]
    assert mount["mountPath"].startswith("/opt/flink/lib/")
    assert words(jar)[-1] == f"{jar['volumeMounts'][0]['mountPath']}/{mount['subPath']}"
    assert mount["name"] == jar["volumeMounts"][0]["name"]
    assert option(prepare, "environment_cache_millis").isdigit()
    assert words(workers)[1:3] == ["-m", "apache_beam.runners.worker.worker_pool_main"]
