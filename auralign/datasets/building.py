"""The DataLad datasets made from recipes.

A recipe `<name>.yml` says what a dataset is and names a table of files (path, size, md5, url) or a generator. From a
table comes a dataset without content: git-annex keys with their URLs, made without network. A key is
`MD5E-s<size>--<md5>.<ext>`, or `VURL--...` where no checksum is known: at the first download it becomes one of the
former. A generator fills the dataset `.origins/<name>`, which is then cloned. Either way `datalad get` brings and
checks the content, and equal recipes give equal commits: id, date and author are pinned.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from ..errors import DatasetError
from .annex import BUILD, IDENTITY, UNKNOWN, absent, annex_folder, call, pin
from .downloads import attach, fetch, get, get_selected, selected
from .recipes import FileRow, Recipe

__all__ = ["attach", "build", "drop", "fetch", "get", "get_selected", "selected", "supply"]


def build(recipe: Recipe, target: Path) -> bool:
    """Make the dataset `target`, without content and network: True; False if it stands already.

    DatasetError if `target` holds anything that was not made from this recipe; it is then left as it is.
    """
    target = Path(target).absolute()
    if _is_built(recipe, target):
        return False
    origin = target.parent / ".origins" / recipe.name if recipe.generator else target
    if not _is_built(recipe, origin):
        _create(recipe, origin)
    if recipe.generator:
        with _all_or_nothing(target) as new:
            call("datalad", "clone", str(origin), str(new), cwd=target.parent)
            # A relative address, so that the folder of both may be moved.
            call("git", "config", "remote.origin.url", f"../.origins/{recipe.name}", cwd=new)
    return True


def _is_built(recipe: Recipe, folder: Path) -> bool:
    """Whether the dataset stands; False for no folder or an empty one, DatasetError for anything else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    config = folder / ".datalad" / "config"
    if config.is_file() and f"recipe = {recipe.fingerprint()}\n" in config.read_text():
        return True
    reuse = "" if recipe.generator else f" --source {folder}.old"
    raise DatasetError(
        f"{folder} was not built from the recipe `{recipe.name}` as it is now, and is left as it is.\n"
        f"To build it anew:  mv {folder} {folder}.old  &&  {BUILD} {recipe.name}{reuse}"
    )


def _create(recipe: Recipe, folder: Path) -> None:
    """A dataset with one commit: generated files with content, or keys and URLs."""
    date = f"{int(recipe.date.timestamp())} +0000"
    pinned = IDENTITY | {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    with _all_or_nothing(folder) as new:
        (new / ".datalad").mkdir(parents=True)

        def git(*args: str, stdin: str = "") -> str:
            return call("git", *args, cwd=new, stdin=stdin, extra=pinned)

        git("init", "--quiet", "--initial-branch=main")
        git("annex", "init", "--quiet", recipe.name)
        in_git = ("**/.git*", "README.md", *(["*.tsv", "*.csv"] if recipe.generator else []))
        attributes = ["* annex.backend=MD5E", *(f"{name} annex.largefiles=nothing" for name in in_git)]
        (new / ".gitattributes").write_text("\n".join(attributes) + "\n")
        config = f'[datalad "dataset"]\n\tid = {recipe.id}\n[auralign]\n\trecipe = {recipe.fingerprint()}\n'
        (new / ".datalad" / "config").write_text(config)
        terms = f"Licence: {recipe.licence}\n\nCite: {recipe.citation}\n"
        for row in recipe.files:
            if row.kind == "dataset":
                terms += f"\nAttach: `datalad clone -d . {recipe.urls(row)[0]} {row.path}`\n"
        (new / "README.md").write_text(f"# {recipe.title}\n\n{recipe.description}\n\n{terms}")
        if recipe.generator:
            from ..phantom import study as phantom  # with pandas and scipy, which no other recipe needs

            phantom.write(phantom.generate(recipe.seed, recipe.n_voxels), new)
            git("annex", "add", "--quiet", ".")
        keys = {row: _key(recipe, row) for row in recipe.files if row.kind == "file"}
        paths = "".join(f"{key} {row.path}\n" for row, key in keys.items())
        urls = "".join(f"{key} {url}\n" for row, key in keys.items() for url in recipe.urls(row))
        git("annex", "fromkey", "--quiet", "--force", "--batch", stdin=paths)
        git("annex", "registerurl", "--quiet", "--batch", stdin=urls)
        git("add", "--all")
        git("-c", "commit.gpgsign=false", "commit", "--quiet", "--no-verify", "-m", f"Build {recipe.name}")


@contextmanager
def _all_or_nothing(target: Path) -> Iterator[Path]:
    """A path to fill; it becomes `target` at the end, and is removed if anything goes wrong."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
        yield Path(folder) / target.name
        os.rename(Path(folder) / target.name, target)  # also over an empty folder


def _key(recipe: Recipe, row: FileRow) -> str:
    """git-annex's key of a file's content, or of what its first address will serve."""
    if row.md5:
        return f"MD5E-s{row.size}--{row.md5}{PurePosixPath(row.path).suffix}"
    name = re.sub(r"[^\w.-]", "_", PurePosixPath(row.path).name, flags=re.ASCII)  # the end tells readers the format
    return f"{UNKNOWN}{hashlib.md5(recipe.urls(row)[0].encode()).hexdigest()}-{name[-100:]}"


def supply(dataset: Path, source: Path, paths: Sequence[str] = ()) -> tuple[int, list[str]]:
    """Satisfy a dataset's keys from local files: the number of files that entered, a line per problem.

    A file is looked for at its path below `source`, then by its name anywhere below. It is copied, and the copy is
    checked by size and checksum before it enters; `source` never changes. What is present is passed over. A file of
    which no checksum is known is taken on trust, and its checksum recorded (`annex.pin`). `paths` (empty: all) are
    files of the dataset.
    """
    source = Path(source)
    if not source.is_dir():
        raise DatasetError(f"{source} is not a folder: name the one that holds the files, or one above it")
    files = absent(dataset, paths)
    named = defaultdict(list)
    for path in sorted(source.rglob("*")):
        named[path.name].append(path)
    pairs, problems = [], []  # pairs: copy, path in the dataset, copy, path, ...
    with tempfile.TemporaryDirectory(dir=annex_folder(dataset)) as incoming:
        for number, file in enumerate(tqdm(files, desc="checking", unit="file", disable=None)):
            candidates = [source / file.path, *named[PurePosixPath(file.path).name]]
            algorithm, refused = file.checksum[0] if file.checksum else "md5", []
            for candidate in dict.fromkeys(path for path in candidates if path.is_file()):
                copy = shutil.copyfile(candidate, Path(incoming, str(number)))
                with open(copy, "rb") as content:
                    digest = hashlib.file_digest(content, algorithm).hexdigest()
                found = f"{copy.stat().st_size} bytes, {algorithm} {digest}"
                if file.checksum is None or found == file.wanted():
                    pairs += [str(copy), file.path]
                    break
                refused.append(f"{file.path}: refused {candidate} ({found}); wanted {file.wanted()}")
            else:
                problems += refused or [f"{file.path}: no file of this name in {source}"]
        if pairs:
            call("git", "annex", "reinject", "--quiet", "--", *pairs, cwd=dataset)
            pin(dataset, pairs[1::2])
    return len(pairs) // 2, problems


def drop(dataset: Path, paths: Sequence[str]) -> list[str]:
    """Drop the content of files that can be had again: a line on every file that stays, with the reason.

    git-annex asks the other places for each file first; one that it cannot find there stays.
    """
    if not paths:
        return []  # to git-annex, none would mean all
    command = ["git", "annex", "drop", "--json", "--json-error-messages", "--jobs=4", "--", *paths]
    stayed = []
    for record in map(json.loads, call(*command, cwd=dataset, check=False).splitlines()):
        if not record["success"]:
            said = [*record["error-messages"], *record.get("note", "").splitlines()]
            stayed.append(f"{record['file']}: {'; '.join(line.strip() for line in said if line.strip())}")
    return stayed
