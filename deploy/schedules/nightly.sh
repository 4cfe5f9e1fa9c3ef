#!/bin/sh
# The work of a night, one step after the other: prepare what is new, train, evaluate, accept what is good enough,
# translate what is there. Run again with the same RUN, it carries on where it stopped.
#
# ROOT          where all data stands: a folder or URL
# CONFIG        the folder of the configuration files; default: ../config beside this file
# RUN           the name of the training run; default: the day
# MINIMUM_BLEU  what a model has to reach to take the place of the one in use; default: 25
set -eu
: "${ROOT:?is to name the folder or URL where all data stands}"
CONFIG=${CONFIG:-$(dirname "$0")/../config}
RUN=${RUN:-$(date +%F)}
export ROOT RUN

seq2seq prepare --config "$CONFIG/prepare.yaml"
seq2seq train --config "$CONFIG/train.yaml"
seq2seq translate --config "$CONFIG/evaluate.yaml"

seq2seq score --hypotheses "$ROOT/evaluated/$RUN/test.en-*.txt" --references "$ROOT/test/test.de" \
        --minimum.bleu "${MINIMUM_BLEU:-25}" &&
    seq2seq accept --model "$ROOT/runs/$RUN/best" --output "$ROOT/model" ||
    [ $? -eq 4 ] # not good enough: the model in use stays, and the night goes on with it

seq2seq translate --config "$CONFIG/translate.yaml"
