"""docs/add_an_estimator.md, followed literally in an empty folder."""

import ast
import subprocess
from pathlib import Path

import pandas as pd

from .blocks import blocks_of
from .conftest import environment


def test_the_page_followed_literally_gives_scores(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scripts").symlink_to(root / "scripts")
    names: dict = {}
    for block in blocks_of(root / "docs" / "add_an_estimator.md"):
        if block.directive == "file":
            Path(block.argument).parent.mkdir(exist_ok=True)
            Path(block.argument).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)
        elif block.language == "bash":
            command = ["bash", "-euo", "pipefail", "-c", block.text]
            done = subprocess.run(command, env=environment(tmp_path, root), capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    summary = pd.read_csv("my_study/results/summary.tsv", sep="\t").set_index(["estimator", "target"])
    assert (summary.loc["pcr", "r2_corr_median"] > 0.5).all() and summary.loc["pcr", "alpha_median"].isna().all()


def test_it_is_20_lines_of_code(root):
    code = next(
        block for block in blocks_of(root / "docs" / "add_an_estimator.md") if block.argument.endswith(".py")
    ).text
    statements = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.stmt)]
    docstrings = [node for node in statements if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    imports = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
    assert len(statements) - len(docstrings) <= 20, len(statements)
    assert len(imports) == 6
