"""THE TABLE of commands: what each is called and takes, and where its file stands, which is imported when it runs."""

from __future__ import annotations

from pipelines.commands.call import STANDARD_INPUT, Command

_FOLLOW = "--follow never ends: files are taken as they land; its keys: seq2seq {} --follow --help."
_ENGINE = "Options of Beam stand after --, for instance: -- --runner=FlinkRunner --parallelism=8"

COMMANDS = {
    command.name: command
    for command in (
        Command(
            name="prepare",
            summary="Clean, deduplicate, split, tokenize and shard raw text to a dataset folder.",
            main="pipelines.commands.prepare:main",
            config="pipelines.commands.prepare:PrepareConfig",
            follows=("pipelines.commands.follow.prepare:main", "pipelines.commands.follow.prepare:FollowPrepareConfig"),
            usage="seq2seq prepare [--config FILE] [--dry-run [--sample N]] [--key value ...] [-- BEAM OPTIONS]",
            takes_engine_options=True,
            carries_on=True,
            is_watched=True,
            unless=("--dry-run", "--dry_run"),
            notes="One corpus: --source FILE --target FILE, or --path FILE (TSV, JSONL, Parquet ...), or --text FILE.\n"
            "Several: --corpora, or a file of keys.\n"
            "--dry-run writes nothing: it tries the rules on a sample (--sample N, default 10000 rows) and "
            "prints what they reject.\n"
            "--strict is short for --on_error fail: the first row that cannot be read ends the run.\n"
            f"{_FOLLOW.format('prepare')}\n{_ENGINE}",
        ),
        Command(
            name="train",
            summary="Train a model on a dataset folder; the same command carries on where it stopped.",
            main="pipelines.commands.train:main",
            config="seq2seq_core.training.config:TrainConfig",
            usage="seq2seq train [--config FILE] [--processes N] [--find-batch [GB]] [--key value ...]",
            carries_on=True,
            is_watched=True,
            unless=("--find-batch", "--find_batch"),
            notes="--processes N starts N processes on this machine; for more machines: "
            "torchrun ... -m seq2seq_core.training --config FILE\n"
            "--find-batch trains nothing: it measures how large a batch may be for the memory that is free, or for so "
            "many gigabytes.",
        ),
        Command(
            name="translate",
            summary="Translate documents in bulk, resumably; `translate -` filters lines from stdin to stdout.",
            main="pipelines.commands.translate:main",
            config="pipelines.commands.translate:TranslateConfig",
            follows=(
                "pipelines.commands.follow.translate:main",
                "pipelines.commands.follow.translate:FollowTranslateConfig",
            ),
            usage="seq2seq translate [-] --model FOLDER [--input FILES --output FOLDER] [-- BEAM OPTIONS]",
            positional=1,
            takes_engine_options=True,
            carries_on=True,
            is_watched=True,
            unless=(STANDARD_INPUT,),
            notes=f"{_FOLLOW.format('translate')}\n{_ENGINE}",
        ),
        Command(
            name="summarize",
            summary="Sum texts up in bulk, resumably, those that the model cannot read whole by parts.",
            main="pipelines.commands.summarize:main",
            config="pipelines.commands.summarize:SummarizeConfig",
            usage="seq2seq summarize --model FOLDER --input FILES --output FOLDER [-- BEAM OPTIONS]",
            takes_engine_options=True,
            carries_on=True,
            is_watched=True,
            notes=f"Its keys are those of translate.\n{_ENGINE}",
        ),
        Command(
            name="transcribe",
            summary="Transcribe recordings in bulk, resumably: texts, subtitles, words with times.",
            main="pipelines.commands.transcribe:main",
            config="pipelines.commands.transcribe:TranscribeConfig",
            follows=(
                "pipelines.commands.follow.transcribe:main",
                "pipelines.commands.follow.transcribe:FollowTranscribeConfig",
            ),
            usage="seq2seq transcribe --model FOLDER --input FILES --output FOLDER [--format NAME ...] "
            "[-- BEAM OPTIONS]",
            takes_engine_options=True,
            carries_on=True,
            is_watched=True,
            notes=f"{_FOLLOW.format('transcribe')}\n{_ENGINE}",
        ),
        Command(
            name="average",
            summary="Average checkpoints of a run to a model, without training.",
            main="pipelines.commands.average:main",
            config="seq2seq_core.training.averaged_model:AverageRunConfig",
            usage="seq2seq average --run FOLDER --output FOLDER [--count 5] [--of best]",
        ),
        Command(
            name="export",
            summary="Write a model in the form of another engine: smaller, and free of torch.",
            main="pipelines.commands.export:main",
            config="pipelines.commands.export:ExportConfig",
            usage="seq2seq export --model FOLDER --output FOLDER [--to ctranslate2] [--quantization int8]",
        ),
        Command(
            name="score",
            summary="BLEU and chrF; WER and CER (--task asr); ROUGE (--task summarization); a model's scores.",
            main="pipelines.commands.score:main",
            config="pipelines.commands.score:ScoreConfig",
            usage="seq2seq score [--task asr|summarization] --hypotheses FILES --references FILES",
            notes="With --minimum.bleu 30 or --maximum.wer 10 the exit code is 4 where the score misses it.\n"
            "With --model FOLDER --source FILE --target FILE --output FILE.jsonl each pair gets its cross-entropy.",
        ),
        Command(
            name="accept",
            summary="Put a model, whole, in the place of the one in use, which stands until then.",
            main="pipelines.commands.accept:main",
            config="pipelines.commands.accept:AcceptConfig",
            usage="seq2seq accept --model FOLDER --output FOLDER",
            carries_on=True,
        ),
        Command(
            name="inspect",
            summary="Say what a dataset, run, model or output folder holds.",
            main="pipelines.commands.inspect:main",
            config="pipelines.commands.inspect:InspectConfig",
            usage="seq2seq inspect PATH [--verify]",
            positional=1,
            switches=("verify",),
        ),
        Command(
            name="compact",
            summary="Fold the generations of a dataset that has grown into one: the same rows in fewer files.",
            main="pipelines.commands.compact:main",
            config="pipelines.commands.compact:CompactConfig",
            usage="seq2seq compact DATASET [--grace_seconds S]",
            positional=1,
            carries_on=True,
        ),
        Command(
            name="status",
            summary="Say whether the jobs of some folders are running, finished, stopped or dead, and how far.",
            main="pipelines.commands.status:main",
            config="pipelines.commands.status:StatusConfig",
            usage="seq2seq status PATH ... [--format json] [--wanted finished] [--every SECONDS]",
            positional=1 << 20,
            is_watched=True,
            notes="Exit codes: 0 all are running or finished, 3 finished but records failed, 4 stopped or dead; "
            "with --wanted finished 5, still running.",
        ),
        Command(
            name="report",
            summary="Write one HTML page about a dataset, a run and its translations.",
            main="pipelines.commands.report:main",
            config="pipelines.commands.report:ReportConfig",
            usage="seq2seq report --output FILE.html [--dataset FOLDER] [--run FOLDER] [--model FOLDER] ...",
        ),
        Command(
            name="demo",
            summary="Make a corpus, prepare, train, translate, score and report, in a few minutes.",
            main="pipelines.commands.demo:main",
            config="pipelines.commands.demo:DemoConfig",
            usage="seq2seq demo [--output FOLDER]",
            carries_on=True,
            is_watched=True,
        ),
        Command(
            name="demo-speech",
            summary="Speak sentences, prepare, train, transcribe, score and report, in a few minutes.",
            main="pipelines.commands.demo_speech:main",
            config="pipelines.commands.demo_speech:DemoSpeechConfig",
            usage="seq2seq demo-speech [--output FOLDER]",
            carries_on=True,
            is_watched=True,
        ),
    )
}
