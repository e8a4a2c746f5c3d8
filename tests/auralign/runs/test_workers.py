"""Other processes and a dask cluster compute the same numbers as this process, also where some of them are lost."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import cloudpickle
import pandas as pd
import pytest
from click.testing import CliRunner

from auralign.cli.compare import main
from auralign.config.models import memory_bytes
from auralign.config.reading import read_config
from auralign.errors import AuralignError, ConfigError, DataError, WorkerLost
from auralign.inputs.study import load_study
from auralign.questions.encoding.memory import PROCESS
from auralign.questions.encoding.plan import plan_blocks
from auralign.runs import compare
from auralign.runs.compare import run_comparison
from auralign.runs.processes import Processes
from auralign.runs.worker_process import describe_end
from auralign.runs.workers import open_workers, run_unordered

# workers need not be able to import this file
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def double(number: int) -> int:
    return 2 * number


def test_processes_give_every_result_once():
    assert sorted(run_unordered(double, range(5), 2)) == [0, 2, 4, 6, 8]


def _process(_) -> int:
    return os.getpid()


def test_processes_are_kept_from_one_call_to_the_next_and_end_with_the_run():
    with open_workers(2) as workers:
        first = set(workers.run(_process, range(4)))
        assert set(workers.run(_process, range(8))) <= first and len(first) <= 2 and os.getpid() not in first
    for process in first:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    with open_workers(1) as workers:
        assert set(workers.run(_process, range(2))) == {os.getpid()}


# a module of the working directory that this process does not import
SHADOWED = """
import os, sys
from auralign.runs.workers import run_unordered
os.chdir(sys.argv[1])
print(sorted(run_unordered(abs, [-1, -2, -3], 2)))
"""


def test_processes_import_what_this_one_does_whatever_lies_in_the_working_directory(tmp_path):
    folder, script = tmp_path / "data", tmp_path / "script.py"
    folder.mkdir()
    for name in ("pickle.py", "signal.py", "auralign.py"):
        (folder / name).write_text("raise SystemExit('another module of this name')", encoding="utf-8")
    script.write_text(SHADOWED, encoding="utf-8")
    path = os.pathsep.join(path or os.getcwd() for path in sys.path)
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.stdout == "[1, 2, 3]\n", done.stderr


def _die_until(folder: Path, deaths: int, job: int) -> int:
    """Kill the process that computes job 0, as often as there is no file for it."""
    for number in range(deaths):
        if job == 0 and not (folder / str(number)).exists():
            (folder / str(number)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return job


def test_a_job_whose_process_is_lost_is_tried_again(tmp_path):
    with Processes(2, retries=3) as processes:
        assert sorted(processes.run(partial(_die_until, tmp_path, 3), range(4))) == [0, 1, 2, 3]
        assert len(list(tmp_path.iterdir())) == 3
        assert sorted(processes.run(double, range(3))) == [0, 2, 4]


def test_a_job_whose_processes_are_lost_again_and_again_is_named_and_the_others_are_done(tmp_path):
    done = []
    with Processes(1, retries=2) as processes:
        with pytest.raises(WorkerLost, match=r"^0: .* was lost 3 times, at last killed, as the system does .*--n-jobs"):
            done += processes.run(partial(_die_until, tmp_path, 9), range(3))
        assert len(list(tmp_path.iterdir())) == 3
        # what is left is whole: another call does not meet answers of this one
        assert list(processes.run(double, [5])) == [10]


def _fail(job: int) -> int:
    if job == 1:
        raise DataError("this one")
    if job == 2:
        raise _Stubborn(1, 2)
    return job


class _Stubborn(Exception):
    """An error that cannot be sent: it is made of two things and keeps one."""

    def __init__(self, one, two):
        super().__init__(one)


def test_an_error_comes_back_as_it_was_and_the_processes_go_on():
    with Processes(2, retries=0) as processes:
        with pytest.raises(DataError, match=r"^this one") as error:
            list(processes.run(_fail, [0, 1]))
        assert "In a worker process" in error.value.__notes__[0]
        with pytest.raises(RuntimeError, match="_Stubborn: 1"):
            list(processes.run(_fail, [2]))
        assert list(processes.run(_fail, [0])) == [0]


def test_the_end_of_a_process_is_said_in_words():
    assert describe_end(-signal.SIGKILL).startswith("killed, as the system does with a process when memory runs out")
    assert describe_end(-signal.SIGSEGV) == "ended by SIGSEGV"
    assert describe_end(3) == "ended with status 3"


def test_the_memory_of_a_process_changes_no_number_and_no_key(small_config, tmp_path, capsys):
    # of one layer: the second one is the first one times two, and which of equals is the better one is rounding
    text = small_config.read_text(encoding="utf-8").replace("{table: net.tsv}", "{table: net.tsv, layers: [0]}")
    small_config.write_text(text, encoding="utf-8")
    config, out = read_config(small_config), tmp_path / "out"
    whole = dict(run_comparison(config, out))
    bounded = config.model_copy(update={"memory_per_worker": PROCESS + 71_500})
    fitted = {(one.features, one.estimator): one.job.at_once for one in _planned(bounded, tmp_path)}
    assert fitted["net", "lasso"] == 1 and fitted["plain", "ridge"] == 2  # of two targets
    run_comparison(bounded, out)
    assert "had other settings" not in capsys.readouterr().out
    assert json.loads((out / "provenance.json").read_text())["blocks"]["computed"] == 0
    again = run_comparison(bounded, out, force=True)
    assert json.loads((out / "provenance.json").read_text())["blocks"]["computed"] == 4
    for name, table in whole.items():
        pd.testing.assert_frame_equal(again[name], table, rtol=1e-12, atol=1e-12)


def _planned(config, scratch: Path) -> list:
    return plan_blocks(config, load_study(config, scratch), scratch, scratch, config.memory_per_worker)


def test_a_memory_that_is_too_small_is_refused_before_anything_is_computed(small_config, tmp_path):
    arguments = [str(small_config), "--out", str(tmp_path / "out"), "--n-jobs", "1", "--memory-per-worker"]
    refused = CliRunner().invoke(main, [*arguments, "100 MB"])
    assert isinstance(refused.exception, ConfigError)
    said = str(refused.exception)
    assert "memory_per_worker: 96 MiB are too little for features net, layer 0" in said
    assert re.search(r"with one target, its process takes about \d+ MiB\. Give that much", said)
    assert not list((tmp_path / "out" / ".blocks").glob("*.parquet"))
    wrong = CliRunner().invoke(main, [*arguments, "much"])
    assert wrong.exit_code == 2 and "'much' is no amount of memory; give one such as 1 GiB" in wrong.output


@pytest.mark.parametrize("given", ["1,5 GiB", "1,000 MB", "10**9", "1 GiB each", "", True, 0, -5, float("nan")])
def test_what_is_no_amount_of_memory_is_refused_as_a_whole(given):
    with pytest.raises(ValueError, match="is no amount of memory"):
        memory_bytes(given)


def test_amounts_of_memory_are_read_with_and_without_a_unit():
    assert [memory_bytes(given) for given in ("1.5 GiB", "800MB", " 1024 ", 2048)] == [
        3 * 2**29, 800_000_000, 1024, 2048,
    ]  # fmt: skip


def test_progress_is_told_by_the_work_that_is_done(small_config, tmp_path, capsys):
    run_comparison(read_config(small_config), tmp_path / "out")
    last = capsys.readouterr().err.split("\r")[-1]
    # two targets, three layers, two estimators
    assert re.search(r"^small: 100%\|.*\| \[\d\d:\d\d<.*, 12 of 12 targets x layers\]", last)


# two jobs that never end; the first kills the process that waits for them
KILLED = """
import os, signal, threading
from auralign.runs.workers import run_unordered

def wait(number):
    if number == 0:
        os.kill(os.getppid(), signal.SIGKILL)
    threading.Event().wait()

if __name__ == "__main__":
    list(run_unordered(wait, range(2), 2))
"""


def test_workers_end_with_their_parent_even_if_it_is_killed(tmp_path):
    (tmp_path / "killed.py").write_text(KILLED, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "killed.py")], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        # a pipe ends when nobody holds it any more: neither the parent nor one of its workers
        process.communicate(timeout=60)
    finally:
        if process.poll() is None or sys.exc_info()[0] is not None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def test_a_local_cluster_gives_the_same_scores(small_config, tmp_path):
    distributed = pytest.importorskip("distributed", reason='dask is not installed: pip install "auralign[cluster]"')
    alone = run_comparison(read_config(small_config), tmp_path / "alone")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        shared = run_comparison(read_config(small_config), tmp_path / "cluster", scheduler=address)
    pd.testing.assert_frame_equal(alone["scores"], shared["scores"], check_exact=True)
    pd.testing.assert_frame_equal(alone["selected"], shared["selected"], check_exact=True)


def _compute_or_die(notes: Path, block) -> tuple[int, int, str]:
    """Compute a block; the first worker is lost before it has, and another one after it has written its block."""
    try:
        (notes / "before").touch(exist_ok=False)
    except FileExistsError:
        done = compare._computed(block)
    else:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        with open(notes / "after", "x", encoding="utf-8") as file:
            file.write(f"{block.file('scores')}\n{block.file('scores').stat().st_mtime_ns}")
    except FileExistsError:
        return done
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("where", ["cluster", "processes"])
def test_lost_workers_are_replaced_and_nothing_is_counted_twice(where, small_config, tmp_path, monkeypatch):
    config, notes = read_config(small_config), tmp_path / "notes"
    notes.mkdir()
    alone = run_comparison(config, tmp_path / "alone")
    monkeypatch.setattr(compare, "_computed", partial(_compute_or_die, notes))
    if where == "cluster":
        distributed = pytest.importorskip(
            "distributed", reason='dask is not installed: pip install "auralign[cluster]"'
        )
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
            shared = run_comparison(config, tmp_path / "out", scheduler=cluster.scheduler_address)
    else:
        shared = run_comparison(config, tmp_path / "out", n_jobs=2)
    for name, table in alone.items():
        pd.testing.assert_frame_equal(table, shared[name], check_exact=True)
    assert json.loads((tmp_path / "out" / "provenance.json").read_text())["blocks"] == {"all": 6, "computed": 6}
    # the block that was written before its worker was lost is not computed again
    file, written = (notes / "after").read_text(encoding="utf-8").splitlines()
    assert Path(file).stat().st_mtime_ns == int(written)


def test_a_job_whose_workers_of_a_cluster_are_always_lost_is_named(tmp_path):
    distributed = pytest.importorskip("distributed", reason='dask is not installed: pip install "auralign[cluster]"')
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        open_workers(1, cluster.scheduler_address, retries=1) as workers,
        pytest.raises(WorkerLost, match=r"^0: the worker that had it was lost 2 times, at last tcp://.*--memory-per"),
    ):
        list(workers.run(partial(_die_until, tmp_path, 9), [0]))
    assert len(list(tmp_path.glob("[0-9]"))) == 2


def _slow(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_a_scheduler_that_ends_in_the_middle_is_said_in_a_sentence():
    distributed = pytest.importorskip("distributed", reason='dask is not installed: pip install "auralign[cluster]"')
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        pytest.raises(WorkerLost, match=r"^scheduler: it has ended, or the connection to it is lost.*run the same"),
        open_workers(1, cluster.scheduler_address) as workers,
    ):
        results = workers.run(_slow, [0.0, 60.0])
        assert next(results) == 0.0
        cluster.close(timeout=5)
        next(results)


def test_a_scheduler_is_left_as_it_was_when_the_last_run_ends():
    distributed = pytest.importorskip("distributed", reason='dask is not installed: pip install "auralign[cluster]"')
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        scheduler, address = cluster.scheduler, cluster.scheduler_address
        before = scheduler.allowed_failures = 5
        with open_workers(1, address, retries=1):
            assert scheduler.allowed_failures == 1
            with open_workers(1, address, retries=2):
                assert scheduler.allowed_failures == 2
        assert scheduler.allowed_failures == before
        with pytest.raises(DataError), open_workers(1, address, retries=0):
            raise DataError("a run that fails")
        assert scheduler.allowed_failures == before


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("distributed", reason='dask is not installed: pip install "auralign[cluster]"')
    monkeypatch.setattr("auralign.runs.workers.CONNECT_TIMEOUT", "1s")
    with pytest.raises(AuralignError, match=r"nothing answers at 'tcp://127\.0\.0\.1:9'"):
        list(run_unordered(double, [1], 1, "tcp://127.0.0.1:9"))
