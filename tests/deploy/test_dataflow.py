"""The template and the jobs that Dataflow would be asked to run, described without asking it."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.commands.table import COMMANDS
from seq2seq_core.config import keys
from tests.deploy.validators import DEPLOY, module
from tests.tone_speech import talk, write

IMAGE = "europe-west4-docker.pkg.dev/my-project/seq2seq/beam:0.1.0"
ACCELERATOR = "type:nvidia-l4;count:1;install-nvidia-driver"
GIVEN = [
    "--runner=DataflowRunner",
    "--project=my-project",
    "--region=europe-west4",
    "--job_name=seq2seq",
    "--temp_location=gs://my-bucket/temp",
    "--staging_location=gs://my-bucket/staging",
    f"--sdk_container_image={IMAGE}",
]
DRY = ["--dry_run=True", "--no_auth"]
STEPS = {
    "prepare": [
        "job",
        "index_inputs",
        "plan",
        "stage_training",
        "catalogue",
        "make_tokenizers",
        "build_shards",
        "merge_known",
        "publish",
    ],
    "translate": [
        "List inputs",
        "Count inputs",
        "Open output",
        "Skip finished",
        "Lay out",
        "Translate units",
        "Watch failures",
        "All entries",
        "Close output",
    ],
    "transcribe": [
        "List inputs",
        "Look at inputs",
        "Open output",
        "Skip finished",
        "Recognise",
        "Tell",
        "Make transcripts",
        "Write",
        "Close output",
    ],
}


@pytest.fixture
def template() -> dict[str, Any]:
    values: dict[str, Any] = json.loads((DEPLOY / "dataflow" / "template.json").read_text())
    return values


@pytest.fixture
def launch() -> Any:
    spec = importlib.util.spec_from_file_location("launch", DEPLOY / "dataflow" / "launch.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def inputs(tmp_path: Path, echo_model: str) -> dict[str, list[str]]:
    """What each command is given."""
    (tmp_path / "a.en").write_text("hello world\none\n")
    (tmp_path / "a.de").write_text("hallo welt\neins\n")
    write(tmp_path / "a.flac", talk(2, seed=1))
    infer = [f"--model={echo_model}", "--engine.kind=echo", f"--output={tmp_path / 'output'}"]
    return {
        "prepare": [f"--source={tmp_path / 'a.en'}", f"--target={tmp_path / 'a.de'}", infer[-1]],
        "translate": [f"--input={tmp_path / 'a.en'}", *infer],
        "transcribe": [f"--input={tmp_path / 'a.flac'}", "--voice.method=energy", *infer],
    }


def test_the_template_is_one_that_dataflow_knows(template: dict[str, Any]) -> None:
    spec = module("google.cloud.dataflow_v1beta3").ContainerSpec
    read = spec.from_json(json.dumps(template))
    assert json.loads(spec.to_json(read))["metadata"]["parameters"]
    with pytest.raises(Exception, match="parametres"):
        spec.from_json(json.dumps({"image": "i", "metadata": {"name": "n", "parametres": []}}))


def test_parameters_of_the_template_are_keys_or_options(template: dict[str, Any]) -> None:
    from pipelines.graphs.hints import ModelOptions

    jobs = ("prepare", "translate", "transcribe")
    known = {key.name for command in jobs for key in keys(COMMANDS[command].keys)}
    known |= {"command", "config", *ModelOptions([]).get_all_options()}
    for parameter in template["metadata"]["parameters"]:
        assert parameter["name"] in known
        re.compile(*parameter["regexes"])
    (command,) = (each for each in template["metadata"]["parameters"] if each["name"] == "command")
    (pattern,) = command["regexes"]
    assert all(re.fullmatch(pattern, job) for job in jobs)
    assert not re.fullmatch(pattern, "train")


def test_the_launcher_passes_on_what_is_whose(launch: Any) -> None:
    given = ["--input=gs://b/in/*.txt", "--command=translate", "--job_name=j", "--config=gs://b/c.yaml"]
    given += ["--model_accelerator=type:t4;count:1", "--search.beam=3"]
    ours, engine = given[:1] + given[3:4] + given[5:], [given[2], given[4]]
    workers = ["--sdk_location=container", "--no_save_main_session"]
    assert launch.words(given) == ["translate", *ours, "--", *engine, *workers]


@pytest.mark.parametrize("command", STEPS)
def test_a_job_is_described_and_not_done(
    command: str, inputs: dict[str, list[str]], launch: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module("apache_beam.runners.dataflow.internal.apiclient")
    module("google.cloud.storage")
    assert main(launch.words([f"--command={command}", *inputs[command], *GIVEN, *DRY])) == 0
    assert "described to Dataflow" in capsys.readouterr().out
    assert not (tmp_path / "output" / "dataset.json").exists()
    assert not (tmp_path / "output" / "output.json").exists()


@pytest.fixture
def described(launch: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[dict[str, Any], Any]]:
    """The job that a call would send to Dataflow, as JSON, and its graph."""
    client = module("apache_beam.runners.dataflow.internal.apiclient")
    module("google.cloud.storage")
    from pipelines.graphs import description

    describe, results = description.describe, []
    monkeypatch.setattr(description, "describe", lambda *given: results.append(describe(*given)))

    class Client(client.DataflowApplicationClient):  # type: ignore[misc, name-defined]
        """Sends nothing to the stores of Google."""

        def stage_file_with_retry(self, *_: Any, **__: Any) -> None:
            pass

    def job(*words: str) -> tuple[dict[str, Any], Any]:
        assert main(launch.words([*words, *GIVEN, *DRY])) == 0
        found = results.pop().job
        Client(found.options, found.root_staging_location).create_job_description(found)
        return json.loads(found.json()), found.proto_pipeline

    return job


def names(graph: Any) -> list[str]:
    """The steps on top, in order."""
    (root,) = graph.root_transform_ids
    inside = [graph.components.transforms[id_] for id_ in graph.components.transforms[root].subtransforms]
    return [step.unique_name for step in inside]


def hints_of(graph: Any) -> dict[str, dict[str, bytes]]:
    """The resource hints of each step that does something, by its full name."""
    environments = graph.components.environments
    return {
        step.unique_name: dict(environments[step.environment_id].resource_hints)
        for step in graph.components.transforms.values()
        if step.environment_id
    }


@pytest.mark.parametrize("command", STEPS)
def test_every_worker_runs_the_image(
    command: str, inputs: dict[str, list[str]], described: Callable[..., tuple[dict[str, Any], Any]]
) -> None:
    job, graph = described(f"--command={command}", *inputs[command])
    (pool,) = job["environment"]["workerPools"]
    assert {image["containerImage"] for image in pool["sdkHarnessContainerImages"]} == {IMAGE}
    assert job["type"] == "JOB_TYPE_BATCH"
    options = {each["key"]: each["value"] for each in job["environment"]["sdkPipelineOptions"]["display_data"]}
    assert (options["sdk_location"], options["save_main_session"]) == ("container", False)
    assert "use_runner_v2" in options["experiments"]
    assert all(not hints for hints in hints_of(graph).values())


@pytest.mark.parametrize("command", STEPS)
def test_steps_keep_their_names(
    command: str, inputs: dict[str, list[str]], described: Callable[..., tuple[dict[str, Any], Any]]
) -> None:
    _, graph = described(f"--command={command}", *inputs[command])
    assert names(graph) == STEPS[command]


def test_what_beam_does_not_take_is_refused(inputs: dict[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["translate", *inputs["translate"], "--", "--model_min_ram=much"]) == 2
    assert "Resource hint min_ram has invalid value much" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "step"), [("translate", "Translate units"), ("transcribe", "Recognise")])
def test_the_step_with_the_model_alone_asks_for_a_gpu(
    command: str, step: str, inputs: dict[str, list[str]], described: Callable[..., tuple[dict[str, Any], Any]]
) -> None:
    asked = [f"--model_accelerator={ACCELERATOR}", "--model_min_ram=30GB", "--model_bundles_per_worker=1"]
    _, graph = described(f"--command={command}", *inputs[command], *asked)
    asking = {name: hints for name, hints in hints_of(graph).items() if hints}
    assert asking
    assert {name.split("/")[0] for name in asking} == {step}
    for hints in asking.values():
        assert hints["beam:resources:accelerator:v1"] == ACCELERATOR.encode()
        assert hints["beam:resources:min_ram_bytes:v1"] == b"30000000000"
