"""The work of a night as a DAG of Airflow: prepare, train, evaluate, a gate, accept, translate.

Each task calls `seq2seq`, which may stand in an environment of its own, and carries on where it stopped when it is
tried again. A model that misses the gate is skipped, with what would accept it: the one in use translates.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

_NOT_GOOD_ENOUGH = 4
_PLACES = {
    "SEQ2SEQ": "{{ params.program }}",
    "CONFIG": "{{ params.config }}",
    "ROOT": "{{ params.root }}",
    "MINIMUM_BLEU": "{{ params.minimum_bleu }}",
    "RUN": "{{ dag_run.run_after.strftime('%Y-%m-%dT%H%M%S') }}",
}

with DAG(
    dag_id="seq2seq_nightly",
    description="Prepares what is new, trains, accepts what is good enough, translates",
    schedule="30 1 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "env": _PLACES, "append_env": True},
    params={
        "root": Param(
            os.environ.get("SEQ2SEQ_ROOT", "/srv/seq2seq"), type="string", description="where all data stands"
        ),
        "config": Param(
            os.environ.get("SEQ2SEQ_CONFIG", "/opt/seq2seq/deploy/config"),
            type="string",
            description="folder of the configuration files",
        ),
        "program": Param(os.environ.get("SEQ2SEQ_PROGRAM", "/opt/seq2seq/bin/seq2seq"), type="string"),
        "minimum_bleu": Param(
            float(os.environ.get("SEQ2SEQ_MINIMUM_BLEU", "25")),
            type="number",
            minimum=0,
            maximum=100,
            description="what a model has to reach",
        ),
    },
    tags=["seq2seq"],
):
    prepare = BashOperator(task_id="prepare", bash_command='"$SEQ2SEQ" prepare --config "$CONFIG/prepare.yaml"')
    train = BashOperator(task_id="train", bash_command='"$SEQ2SEQ" train --config "$CONFIG/train.yaml"')
    evaluate = BashOperator(task_id="evaluate", bash_command='"$SEQ2SEQ" translate --config "$CONFIG/evaluate.yaml"')
    gate = BashOperator(
        task_id="gate",
        bash_command='"$SEQ2SEQ" score --hypotheses "$ROOT/evaluated/$RUN/test.en-*.txt" '
        '--references "$ROOT/test/test.de" --minimum.bleu "$MINIMUM_BLEU"',
        skip_on_exit_code=_NOT_GOOD_ENOUGH,
    )
    accept = BashOperator(
        task_id="accept", bash_command='"$SEQ2SEQ" accept --model "$ROOT/runs/$RUN/best" --output "$ROOT/model"'
    )
    translate = BashOperator(
        task_id="translate",
        bash_command='"$SEQ2SEQ" translate --config "$CONFIG/translate.yaml"',
        trigger_rule="none_failed",  # also by the model of an earlier night
    )
    prepare >> train >> evaluate >> gate >> accept >> translate
