"""
From files to a report
======================

Features and responses in tables, a comparison, its report: what the commands do, from Python. All that is computed is
kept in a folder, with a record of what it came from.
"""

# %%
# Tables as you may have them: a column ``stimulus`` and one column per unit or target. Here they are written from the
# built-in study.
import tempfile
from pathlib import Path

import auralign as au
from auralign.figures import layer_scores

features, responses = au.phantom()
scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)
for name, layer in (("spectrum", features[0]), ("modulation", features[2])):
    table = layer.to_pandas().reset_index()
    table.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
table = responses.to_pandas().reset_index()
table.to_csv(folder / "responses.tsv", sep="\t", index=False)

# %%
# Read back as arrays with names, ready for :func:`auralign.encode`. What cannot be used is an error that says why.
print(au.read_features(folder / "spectrum.tsv")[0].sizes)
print(au.read_responses(folder / "responses.tsv").sizes)
try:
    au.read_features(folder / "sprectrum.tsv")
except au.AuralignError as error:
    print("error:", str(error).replace(str(folder), "..."))

# %%
# A whole comparison: the keys are those of the YAML files.
config = {
    "name": "from_python",
    "features": {
        "spectrum": {"table": folder / "spectrum.tsv"},
        "modulation": {"table": folder / "modulation.tsv"},
    },
    "targets": {"kind": "table", "table": folder / "responses.tsv"},
    "splits": {"kind": "tuckute2023"},
    "estimators": {"ridge": {"kind": "ridge"}},
    "engine": "multitarget",
}
au.run(config, out=folder / "results")
for file in sorted((folder / "results").glob("[!.]*")):
    print(file.name)

# %%
# Results are read at any time, by whoever has the folder; the report is one page that opens from disk.
results = au.read_results(folder / "results")
page = au.report(results)
print(page.name, f"{page.stat().st_size / 1e6:.1f} MB")

# %%
# Its figures are there one by one, too.
figure = layer_scores(results.summary, "ridge")
print(figure.caption)
scratch.cleanup()
