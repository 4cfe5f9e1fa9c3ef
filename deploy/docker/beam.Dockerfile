# syntax=docker/dockerfile:1
# Beam's SDK worker, and what launches jobs, in one image. It has no torch: for jobs that infer, see INFERENCE in README.
# Built from the root of the repository: docker build -f deploy/docker/beam.Dockerfile -t seq2seq-beam:0.1.0 .
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm
ARG BEAM_IMAGE=apache/beam_python3.11_sdk:2.77.0
ARG LAUNCHER_IMAGE=gcr.io/dataflow-templates-base/python311-template-launcher-base:20230622_RC00

FROM ${BEAM_IMAGE} AS beam

FROM ${LAUNCHER_IMAGE} AS launcher

FROM ${PYTHON_IMAGE} AS build
ARG EXTRAS=prepare,speech,audio,dataflow,s3,gcs
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY seq2seq_core seq2seq_core
COPY pipelines pipelines
RUN python -m venv /opt/seq2seq \
    && /opt/seq2seq/bin/pip install --constraint constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[${EXTRAS}]"

FROM ${PYTHON_IMAGE} AS worker
RUN useradd --uid 10001 --create-home seq2seq
COPY --from=beam /opt/apache/beam /opt/apache/beam
COPY --from=build /opt/seq2seq /opt/seq2seq
# The worker runs in the environment as it stands here, and makes none of its own.
ENV PATH=/opt/seq2seq/bin:$PATH PYTHONUNBUFFERED=1 RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
USER 10001
WORKDIR /home/seq2seq
ENTRYPOINT ["/opt/apache/beam/boot"]

# Dataflow mounts folders that root alone may write, for workers and for what launches templates.
FROM worker AS dataflow
COPY --from=launcher /opt/google/dataflow/python_template_launcher /opt/google/dataflow/python_template_launcher
COPY deploy/dataflow/launch.py /template/launch.py
ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/template/launch.py
# hadolint ignore=DL3002
USER 0
WORKDIR /template

# What stands last is built where no --target is named: it runs as nobody in particular.
FROM worker
