"""A dask cluster computes the same numbers as this process."""

import os
import signal
import subprocess
import sys

import pandas as pd
import pytest

from auralign.config.reading import read_config
from auralign.errors import AuralignError
from auralign.runs.compare import run_comparison
from auralign.runs.workers import run_unordered


def double(number: int) -> int:
    return 2 * number


def test_processes_give_every_result_once():
    assert sorted(run_unordered(double, range(5), 2)) == [0, 2, 4, 6, 8]


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


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("distributed", reason='dask is not installed: pip install "auralign[cluster]"')
    monkeypatch.setattr("auralign.runs.workers.CONNECT_TIMEOUT", "1s")
    with pytest.raises(AuralignError, match=r"nothing answers at 'tcp://127\.0\.0\.1:9'"):
        list(run_unordered(double, [1], 1, "tcp://127.0.0.1:9"))
