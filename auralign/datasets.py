"""The DataLad datasets made from recipes, and bringing their content.

A recipe `<name>.yml` says what a dataset is and names a table of files (path, size, md5, url) or a generator.
From a table comes a dataset without content: git-annex keys `MD5E-s<size>--<md5>.<ext>` with their URLs, made
without network. A generator fills the dataset `.origins/<name>`, which is then cloned. Either way `datalad
get` brings and checks the content, and equal recipes give equal commits: id, date and author are pinned.
"""

import hashlib
import json
import os
import re
import shutil
import ssl
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from subprocess import PIPE, run
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tqdm import tqdm

from . import phantom
from .checksums import md5_of
from .errors import DatasetError
from .recipes import Recipe

BUILD = "python scripts/build_datasets.py"
IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
            for what, value in {"NAME": "auralign", "EMAIL": "auralign@localhost"}.items()}  # fmt: skip


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
            _run("datalad", "clone", str(origin), str(new), cwd=target.parent)
            # A relative address, so that the folder of both may be moved.
            _run("git", "config", "remote.origin.url", f"../.origins/{recipe.name}", cwd=new)
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
            return _run("git", *args, cwd=new, stdin=stdin, extra=pinned)

        git("init", "--quiet", "--initial-branch=main")
        git("annex", "init", "--quiet", recipe.name)
        in_git = ("**/.git*", "README.md", *(["*.tsv", "*.csv"] if recipe.generator else []))
        attributes = ["* annex.backend=MD5E", *(f"{name} annex.largefiles=nothing" for name in in_git)]
        (new / ".gitattributes").write_text("\n".join(attributes) + "\n")
        config = f'[datalad "dataset"]\n\tid = {recipe.id}\n[auralign]\n\trecipe = {recipe.fingerprint()}\n'
        (new / ".datalad" / "config").write_text(config)
        terms = f"Licence: {recipe.licence}\n\nCite: {recipe.citation}\n"
        (new / "README.md").write_text(f"# {recipe.title}\n\n{recipe.description}\n\n{terms}")
        if recipe.generator:
            phantom.write(phantom.generate(recipe.seed, recipe.n_voxels), new)
            git("annex", "add", "--quiet", ".")
        keys = {row: f"MD5E-s{row.size}--{row.md5}{PurePosixPath(row.path).suffix}" for row in recipe.files}
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


def supply(dataset: Path, source: Path) -> tuple[int, list[str]]:
    """Satisfy a dataset's keys from local files: the number of files that entered, a line per problem.

    A file is looked for at its path below `source`, then by its name anywhere below. It is copied, and the
    copy is checked by size and md5 before it enters; `source` never changes. What is present is passed over.
    """
    source = Path(source)
    if not source.is_dir():
        raise DatasetError(f"{source} is not a folder: name the one that holds the files, or one above it")
    absent = _absent(dataset, [])
    named = defaultdict(list)
    for path in sorted(source.rglob("*")):
        named[path.name].append(path)
    pairs, problems = [], []  # pairs: copy, path in the dataset, copy, path, ...
    with tempfile.TemporaryDirectory(dir=Path(dataset) / ".git" / "annex") as incoming:
        for number, file in enumerate(tqdm(absent, desc="checking", unit="file", disable=None)):
            candidates = [source / file["file"], *named[PurePosixPath(file["file"]).name]]
            wanted, refused = f"{file['size']} bytes, md5 {file['md5']}", []
            for candidate in dict.fromkeys(path for path in candidates if path.is_file()):
                copy = shutil.copyfile(candidate, Path(incoming, str(number)))
                found = f"{copy.stat().st_size} bytes, md5 {md5_of(copy)}"
                if found == wanted:
                    pairs += [str(copy), file["file"]]
                    break
                refused.append(f"{file['file']}: refused {candidate} ({found}); wanted {wanted}")
            else:
                problems += refused or [f"{file['file']}: no file of this name in {source}"]
        if pairs:
            _run("git", "annex", "reinject", "--quiet", *pairs, cwd=dataset)
    return len(pairs) // 2, problems


def get(dataset: Path) -> int:
    """`fetch` everything that is absent."""
    return fetch(dataset, [])


def fetch(dataset: Path, paths: list[str], timeout: float = 5.0) -> int:
    """Fetch with `datalad get` what is absent of `paths` (empty: of all): the number of files fetched.

    Each host is asked first, once and all at the same time, for at most `timeout` seconds. DatasetError names
    the files that did not come, their addresses and the reason, and tells how to supply them by hand.
    """
    absent = _absent(dataset, paths)
    silent = _silent_hosts([url for file in absent for url in file["urls"]], timeout)
    reasons = {}
    for file in absent:
        why = [silent.get(urlsplit(url).netloc) for url in file["urls"]]
        if why and all(why) and not file["elsewhere"]:
            reasons[file["file"]] = why[0]
    if wanted := [file["file"] for file in absent if file["file"] not in reasons]:
        # No retries: the waits in between add up. Progress goes to the terminal.
        command = ["datalad", "-c", "datalad.annex.retry=0", "-f", "json", "get", "--", *wanted]
        for line in _run(*command, cwd=dataset, check=False, stderr=None).splitlines():
            record = json.loads(line)
            said = (record.get("error_message") or record.get("message") or "").splitlines()
            said = dict.fromkeys(line for line in said if "known url(s) failed" not in line)
            reasons[os.path.relpath(record["path"], record["refds"])] = "; ".join(said)
    if not (left := _absent(dataset, paths)):
        return len(absent)
    lines = [f"{len(left)} of {len(absent)} files could not be fetched into {dataset}:"]
    for file in left:
        place = file["urls"][0] if file["urls"] else "where it was cloned from"
        lines.append(f"{file['file']} from {place}: {reasons.get(file['file']) or _served(file, timeout)}")
    by_hand = f"Try again later, or supply the files by hand: {BUILD} {Path(dataset).name} --source FOLDER"
    raise DatasetError("\n  ".join(lines) + f"\n{by_hand}")


def _silent_hosts(urls: list[str], timeout: float) -> dict[str, str]:
    """Host -> why it cannot be reached, for every host of `urls` that gives no answer in time."""
    one_each = {urlsplit(url).netloc: url for url in urls if urlsplit(url).scheme in ("http", "https")}
    silent = {host: f"{host} does not answer within {timeout:g} s" for host in one_each}

    def ask(host: str, url: str) -> None:
        try:
            urlopen(Request(url, method="HEAD"), timeout=timeout).close()
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, OSError) and not isinstance(reason, ssl.SSLError):
                silent[host] = f"{host} cannot be reached ({reason})"
                return
        del silent[host]  # it answers, even if only by an error

    # Threads that nobody waits for: looking up a name has no time-out of its own.
    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in one_each.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(silent)


def _served(file: dict, timeout: float) -> str:
    """Why git-annex refused a file without a word: what its first address serves, if it has one."""
    try:
        with urlopen("".join(file["urls"][:1]), timeout=timeout) as reply:
            found = hashlib.file_digest(reply, "md5").hexdigest()
        return f"wrong checksum: md5 {found}, wanted {file['md5']}"
    except (OSError, ValueError) as error:
        return str(error)


def _absent(dataset: Path, paths: list[str]) -> list[dict]:
    """The annexed files whose content is not here: file, size, md5, urls, and if another dataset has it."""
    dataset = Path(dataset)
    if not (dataset / ".git" / "annex").is_dir():
        raise DatasetError(f"{dataset} is not a DataLad dataset: build it with `{BUILD} {dataset.name}`")
    if unknown := [path for path in paths if not os.path.lexists(dataset / path)]:
        raise DatasetError(f"{dataset} has no file {', '.join(unknown[:5])}")
    command = ["git", "annex", "whereis", "--json", "--not", "--in=here", "--", *paths]
    absent = []
    for record in map(json.loads, _run(*command, cwd=dataset, check=False).splitlines()):
        key = re.fullmatch(r"MD5E?-s(\d+)--(\w{32}).*", record["key"])
        if not key:
            raise DatasetError(f"{dataset}: {record['file']} has no MD5 key but {record['key']}")
        urls = [url for place in record["whereis"] for url in place["urls"]]
        elsewhere = any(not place["urls"] for place in record["whereis"])
        absent.append(dict(file=record["file"], size=key[1], md5=key[2], urls=urls, elsewhere=elsewhere))
    return absent


def _run(*command: str, cwd: Path, stdin: str = "", extra: dict | None = None, check=True, stderr=PIPE):
    """Standard output of a command, run with the git-annex and datalad that belong to this Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # What git sets while it runs a hook would lead to another repository.
    hooks = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
    env = {name: value for name, value in os.environ.items() if name not in hooks} | {"PATH": path}
    try:
        known = run(["git", "var", "GIT_COMMITTER_IDENT"], cwd=cwd, env=env, capture_output=True)
        env = (IDENTITY if known.returncode else {}) | env | (extra or {})
        done = run(command, cwd=cwd, env=env, input=stdin, stdout=PIPE, stderr=stderr, text=True)
    except FileNotFoundError as error:
        raise DatasetError(f"{error.filename} is missing: install git, datalad and git-annex") from error
    if check and done.returncode:
        raise DatasetError(f"`{' '.join(command[:4])} ...` failed in {cwd}: {done.stderr.strip()[-2000:]}")
    return done.stdout
