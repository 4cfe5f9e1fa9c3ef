"""Beam does once what it does over and over, and computes the same."""

from __future__ import annotations

import pickle
import time

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, StandardOptions
from apache_beam.runners.worker import statesampler
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms import userstate
from apache_beam.utils.counters import CounterFactory

from pipelines.running import beam_options, beam_tuning


def test_views_are_made_once_and_share_their_values() -> None:
    options = beam_tuning.Options(["--runner=PrismRunner"])
    view = options.view_as(StandardOptions)
    assert view.runner == "PrismRunner"
    assert options.view_as(StandardOptions) is view
    view.streaming = True
    assert options.get_all_options()["streaming"] is True
    assert options.get_all_options() == PipelineOptions(["--runner=PrismRunner", "--streaming"]).get_all_options()


def test_a_copy_of_options_keeps_what_beam_keeps() -> None:
    options = beam_tuning.Options(["--runner=PrismRunner", "--impersonate_service_account=someone"])
    assert options.view_as(GoogleCloudOptions).impersonate_service_account == "someone"
    copy = pickle.loads(pickle.dumps(options))
    assert copy.view_as(GoogleCloudOptions).impersonate_service_account is None
    assert copy.view_as(StandardOptions).runner == "PrismRunner"


def test_the_search_of_a_dofn_is_remembered_and_says_the_same() -> None:
    class Stateful(beam.DoFn):  # type: ignore[misc]
        STATE = userstate.ReadModifyWriteStateSpec("seen", beam.coders.VarIntCoder())

        def process(self, element: int, seen: object = beam.DoFn.StateParam(STATE)) -> None: ...

    asked = []
    search = getattr(userstate.get_dofn_specs, "__wrapped__", userstate.get_dofn_specs)

    def counting(dofn: beam.DoFn) -> object:
        asked.append(dofn)
        return search(dofn)

    remembered = beam_tuning._remembered(counting)
    plain, stateful = beam.DoFn(), Stateful()
    for dofn in (plain, stateful, plain, stateful):
        assert remembered(dofn) == search(dofn)
    assert asked == [plain, stateful]
    assert remembered(stateful) == ({Stateful.STATE}, set())


def test_a_step_does_not_wait_for_the_thread_that_samples_it() -> None:
    beam_options.parse([])
    sampler = statesampler.StateSampler("step", CounterFactory())
    assert sampler.sampling_period_ms <= 10
    sampler.start()
    time.sleep(0.1)
    sampler.stop()


def test_a_graph_built_with_these_options_runs() -> None:
    with beam.Pipeline(options=beam_options.parse([], local_threads=2)) as root:
        doubled = root | beam.Create([1, 2, 3]) | beam.Reshuffle() | beam.Map(lambda number: number * 2)
        assert_that(doubled, equal_to([2, 4, 6]))
