# syntax=docker/dockerfile:1
# Trains: torch, no Beam. With a GPU as it stands; for CPUs with --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu.
# Built from the root of the repository: docker build -f deploy/docker/trainer.Dockerfile -t seq2seq-trainer:0.1.0 .
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG EXTRAS=train,speech,tensorboard,s3,gcs
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY seq2seq_core seq2seq_core
COPY pipelines pipelines
RUN python -m venv /opt/seq2seq \
    && /opt/seq2seq/bin/pip install --constraint constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[${EXTRAS}]"

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --create-home seq2seq
COPY --from=build /opt/seq2seq /opt/seq2seq
ENV PATH=/opt/seq2seq/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/seq2seq
ENTRYPOINT ["seq2seq"]
CMD ["train", "--help"]
