"""`auralign predict`: the responses to sounds that a saved model predicts."""

from pathlib import Path

import click

from . import command


@click.command(context_settings=command.HELP)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("wavs", nargs=-1, required=True, metavar="WAV...", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write the table there (.tsv) instead of printing it.")
def main(model: Path, wavs: tuple[Path, ...], out: Path | None) -> None:
    """Predict the responses to the sounds WAV... with a MODEL that `au.save_model` wrote.

    Prints a table of one line per sound and one column per target. The model's card says from which network its
    features are; the sounds go through that network first.

    \b
    Example:
      auralign predict speech_model/ new_sound.wav another.wav --out predicted.tsv

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    import auralign

    from ..errors import DataError
    from ..extras import require

    if missing := [str(wav) for wav in wavs if not wav.is_file()]:
        raise DataError(f"{', '.join(missing[:5])}: there is no such sound file.")
    require("features", "predicting from sounds")
    loaded = auralign.load_model(model)
    try:
        predicted = loaded.predict(list(wavs))
    except ValueError as error:
        # of the markers, which know nothing of our errors: a sound that cannot be read, in a sentence
        if not type(error).__module__.startswith("custom_markers."):
            raise
        raise DataError(str(error)) from error
    table = predicted.to_pandas() if hasattr(predicted, "to_pandas") else predicted
    table.index.name = "stimulus"
    text = table.to_csv(sep="\t", lineterminator="\n")
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{out}: the table cannot be written there ({error.strerror}).") from error
    click.echo(f"written: {out} ({len(table)} x {table.shape[1]})")
