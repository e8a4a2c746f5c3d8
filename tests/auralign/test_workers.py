"""A dask cluster computes the same numbers as this process."""

import pandas as pd
import pytest

from auralign.compare import run_comparison
from auralign.config import read_config
from auralign.errors import AuralignError
from auralign.workers import run_unordered


def double(number: int) -> int:
    return 2 * number


def test_processes_give_every_result_once():
    assert sorted(run_unordered(double, range(5), 2)) == [0, 2, 4, 6, 8]


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
    monkeypatch.setattr("auralign.workers.CONNECT_TIMEOUT", "1s")
    with pytest.raises(AuralignError, match=r"nothing answers at 'tcp://127\.0\.0\.1:9'"):
        list(run_unordered(double, [1], 1, "tcp://127.0.0.1:9"))
