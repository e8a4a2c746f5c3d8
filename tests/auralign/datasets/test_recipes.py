"""Recipes: what a mistake in one is told as, what selectors choose, and the recipes that are shipped."""

import hashlib
import re
from pathlib import Path

import pytest

from auralign.datasets.recipes import FileRow, matches, read_recipe
from auralign.errors import DatasetError
from custom_markers.weights.registry import PUBLISHED

ZEROS = "0" * 32
SHIPPED = ("encodecmae", "natsound165", "phantom", "podcast", "song165", "tuckute2023")


@pytest.mark.parametrize(
    ("extra", "rows", "told"),
    [
        ("colour: red\n", "", ["small.yml", "`colour`", "url_base"]),
        ("generator: phantom\n", "", ["either `table`"]),
        ("", "a.wav\t5\t123\ta.wav", ["line 2 of the table", "`md5`", "'123'"]),
        ("", "a.wav\t-5\t" + ZEROS + "\ta.wav", ["line 2 of the table", "`size`", "'-5'"]),
        ("", f"../a.wav\t5\t{ZEROS}\ta.wav", ["line 2 of the table", "`path`", "../a.wav"]),
        ("", "b.wav\t\t\tb\na.wav\t5\t\ta.wav", ["line 3 of the table", "both `size` and `md5` of a.wav"]),
        ("", f"a.wav\t5\t{ZEROS}\ta.wav\n" * 2, ["twice", "a.wav"]),
        ("", f"a.wav\t5\t{ZEROS}", ["small.tsv: line 2 has 3 values", "4 names", "`url`"]),
        ("", f"a\tdataset\t5\t{ZEROS}\thttp://x/a", ["line 2 of the table", "a is a dataset: leave `size`"]),
        ("", "a\tsubdataset\t\t\thttp://x/a\nb\tdataset\t\t\tb", ["line 2 of the table", "`kind`", "'subdataset'"]),
        ("subsets: {wavs: [sounds/wvs]}\n", "", ["`subsets`", "'sounds/wvs' of 'wavs' selects no path"]),
        ("subsets: {wavs: sounds/wav}\n", "", ["key `subsets.wavs`", "tuple", "'sounds/wav'"]),
    ],
)
def test_a_mistake_in_a_recipe_is_told_with_file_and_key(tmp_path, small, extra, rows, told):
    with pytest.raises(DatasetError) as error:
        read_recipe(small.recipe(tmp_path, extra=extra, rows=rows))
    for part in told:
        assert part in str(error.value)


def test_recipe_without_url_base_or_with_another_name_or_no_table(tmp_path, small):
    with pytest.raises(DatasetError, match="add `url_base`"):
        read_recipe(small.recipe(tmp_path, base='""'))
    path = small.recipe(tmp_path)
    with pytest.raises(DatasetError, match=r"`name` is 'small' but should be .*'other'"):
        read_recipe(path.rename(tmp_path / "other.yml"))
    (tmp_path / "small.tsv").unlink()
    with pytest.raises(DatasetError, match=r"small\.tsv"):
        read_recipe(tmp_path / "other.yml")
    (tmp_path / "other.yml").write_text("name: other\n")
    with pytest.raises(DatasetError, match=r"key `licence`: Field required\n"):
        read_recipe(tmp_path / "other.yml")


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("a/b/c.wav", ["a/b/c.wav"]),
        ("a/b", ["a/b/c.wav", "a/b/d[1].wav"]),
        ("a/b/", ["a/b/c.wav", "a/b/d[1].wav"]),
        ("a/*.wav", ["a/b/c.wav", "a/b/d[1].wav"]),
        ("a/b/d[1].wav", ["a/b/d[1].wav"]),
        ("b", []),
        ("A/*", []),
        ("*", ["a/b/c.wav", "a/b/d[1].wav", "a/bc.mat"]),
    ],
)
def test_a_pattern_is_a_path_a_folder_or_a_wildcard(pattern, chosen):
    assert [path for path in ("a/b/c.wav", "a/b/d[1].wav", "a/bc.mat") if matches(path, [pattern])] == chosen


def test_selectors_are_names_of_subsets_or_patterns(tmp_path, small):
    subsets = "subsets: {wavs: [sounds/wav], rest: [data, 'sounds/*/b.wav']}\n"
    recipe = read_recipe(small.recipe(tmp_path, extra=subsets))

    def paths(*selectors: str) -> list[str]:
        return [row.path for row in recipe.select(selectors)]

    assert paths() == list(small.CONTENT)
    assert paths("wavs") == ["sounds/wav/a b.wav", "sounds/wav/b.wav"]
    assert paths("rest") == ["sounds/wav/b.wav", "data/c.mat"]
    assert paths("data", "sounds/wav/a b.wav") == ["sounds/wav/a b.wav", "data/c.mat"]
    with pytest.raises(DatasetError, match=r"'wave' selects no path of the recipe 'small'; .* subsets wavs, rest"):
        paths("wavs", "wave")


def test_a_pattern_may_choose_what_is_inside_a_dataset_of_the_table():
    row = FileRow(path="ds1", kind="dataset", url="https://x/ds1.git")
    assert row.chosen_by("ds1") and row.chosen_by("ds1/a/*.wav") and row.chosen_by("ds*")
    assert not row.chosen_by("ds10/a") and not FileRow(path="ds1", url="https://x/ds1").chosen_by("ds1/a")


def test_the_fingerprint_tells_files_apart_and_nothing_else(tmp_path, small):
    plain = read_recipe(small.recipe(tmp_path / "a"))
    reworded = plain.model_copy(update={"description": "Others.", "licence": "x", "subsets": {"c": ("data",)}})
    assert reworded.fingerprint() == plain.fingerprint()
    # what it was before rows had a kind and recipes had subsets: datasets built then still stand
    assert plain.fingerprint() == "1e0481d39d5ee3a97d4605e21301b2036b0e33eda884ceb58324cdd059523ae0"
    unknown = read_recipe(small.recipe(tmp_path / "b", rows=small.row("data/c.mat")))
    dataset = read_recipe(small.recipe(tmp_path / "c", rows="data/c.mat\tdataset\t\t\tdata/c.mat\n"))
    assert len({recipe.fingerprint() for recipe in (plain, unknown, dataset)}) == 3


def test_every_shipped_recipe_is_valid_and_says_whose_it_is(root):
    folder = root / "datalad_dataset"
    recipes = {path.stem: read_recipe(path) for path in folder.glob("*.yml")}
    assert sorted(recipes) == list(SHIPPED)
    assert len({recipe.id for recipe in recipes.values()}) == len(recipes)
    assert all(recipe.licence and recipe.citation and recipe.description for recipe in recipes.values())


def test_natsound165_recipe(root):
    recipe = read_recipe(root / "datalad_dataset" / "natsound165.yml")
    assert len({row.path for row in recipe.files}) == len({row.md5 for row in recipe.files}) == 179
    wavs = recipe.select(["wavs"])
    assert len(wavs) == 165 and all(row.path.startswith("sounds/wav/stim") and row.size for row in wavs)
    assert [row.path for row in recipe.select(["responses"])] == ["sounds/category_labels.csv", "data/components.mat"]
    maps = {f"data/weights_fsaverage/{h}.comp{c}.mgz" for h in ("lh", "rh") for c in range(1, 7)}
    assert {row.path for row in recipe.select(["maps"])} == maps
    repository = "https://raw.githubusercontent.com/snormanhaignere/natsound165-neuron2015"
    commit = "b41b99ff620d7997dbf278fc770f58566707726a"
    urls = recipe.urls(recipe.files[0])
    name = "wav/stim5_alarm_clock.wav"
    assert urls == [f"{repository}/{commit}/{folder}/{name}" for folder in ("sounds", "stimuli")]


def test_song165_recipe(root):
    recipe = read_recipe(root / "datalad_dataset" / "song165.yml")
    commit = "snormanhaignere/song-ecog-current-biology/03bb41e95d04c191acd3b76b1c11d7185096f1f3"
    assert [recipe.urls(row) for row in recipe.files] == [
        [f"https://raw.githubusercontent.com/{commit}/data/{name}.mat"]
        for name in ("acoustic_features", "ecog_component_responses", "ecog_component_weights")
    ]


@pytest.mark.parametrize(("name", "number"), [("natsound165", 179), ("song165", 3)])
def test_a_recipe_lists_the_files_that_we_have(root, real_data, name, number):
    recipe = read_recipe(root / "datalad_dataset" / f"{name}.yml")
    local = {path.name: path for path in (real_data.parent / name).rglob("*") if path.is_file()}
    assert len(local) == len(recipe.files) == number
    for row in recipe.files:
        content = local[Path(row.path).name].read_bytes()
        assert (row.size, row.md5) == (len(content), hashlib.md5(content).hexdigest()), row.path


def test_encodecmae_recipe_has_the_checkpoints_that_the_marker_knows(root):
    recipe = read_recipe(root / "datalad_dataset" / "encodecmae.yml")
    published = {entry.file for entry in PUBLISHED.values() if entry.network == "encodecmae"}
    checkpoints = recipe.select(["checkpoints"])
    assert {row.path for row in checkpoints} == {f"checkpoints/{file}" for file in published}
    hub = "https://huggingface.co/lpepino/encodecmae-v2/resolve/main"
    assert all(recipe.urls(row) == [f"{hub}/{Path(row.path).name}"] for row in checkpoints)
    archives = [row.path for row in recipe.files if row not in checkpoints]
    assert archives == ["model_actv.tar.gz", "results.tar.gz"]
    assert [Path(row.path).stem[15:] for row in recipe.select(["by_training_data"])] == ["as", "fma", "ll"]
    assert not any(row.md5 for row in recipe.files)


def test_tuckute2023_and_podcast_recipes(root):
    recipe = read_recipe(root / "datalad_dataset" / "tuckute2023.yml")
    host = "https://mcdermottlab.mit.edu/tuckute_feather_2023"
    names = ("data.tar", "model_actv.tar", "results.tar", "fsavg_surf.tar")
    assert [(row.path, row.md5, recipe.urls(row)[0]) for row in recipe.files] == [
        (name, None, f"{host}/{name}") for name in names
    ]
    recipe = read_recipe(root / "datalad_dataset" / "podcast.yml")
    assert [(row.path, row.kind, row.url) for row in recipe.files] == [
        ("ds005574", "dataset", "https://github.com/OpenNeuroDatasets/ds005574.git")
    ]


def test_every_command_of_the_docs_names_a_recipe_and_a_subset_of_it(root):
    pages = [*root.glob("docs/*.md"), root / "README.md", root / "datalad_dataset" / "README.md"]
    commands = [c for page in pages for c in re.findall(r"build_datasets\.py( [^`#\n]*)?", page.read_text())]
    words = [command.split() for command in commands if command.strip()]
    assert sum("--subset" in line for line in words) >= 6
    for line in words:
        names = [word for word in line if word in SHIPPED]
        assert names or "mine" in line or line[0] in ("[NAME...]", "NAME"), line
        selectors = [line[i + 1] for i, word in enumerate(line) if word == "--subset"]
        if selectors:
            assert read_recipe(root / "datalad_dataset" / f"{names[0]}.yml").select(selectors), line
