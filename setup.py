"""What pyproject.toml cannot say: a wheel carries the top-level folders that people copy from, inside the package."""

from pathlib import Path
from shutil import copyfile

from setuptools import setup
from setuptools.command.build_py import build_py

# by folder: which of its files; a checkout has more in them (built datasets, features of one's own)
SHIPPED = {
    "datalad_dataset": ("*.yml", "*.tsv", "README.md"),
    "junifer_yamls": ("*.yml",),
    "julearn_configs": ("*.yml",),
    # copied into every study (`auralign study new`)
    "scripts": ("compare.py", "report.py", "verify.py", "describe.py", "build_datasets.py"),
}


class WithShipped(build_py):
    """Copies the folders to `auralign/shipped/`, where `auralign.files.shipped` looks; a checkout has them itself."""

    def run(self) -> None:
        """Build the packages, then add the folders."""
        super().run()
        if self.editable_mode:
            return
        for source, target in self._shipped().items():
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name what is built, the folders with it."""
        return [*super().get_outputs(include_bytecode), *([] if self.editable_mode else self._shipped().values())]

    def get_source_files(self) -> list[str]:
        """Name what a source distribution needs."""
        return [*super().get_source_files(), *self._shipped()]

    def _shipped(self) -> dict[str, str]:
        """Return where each file comes from and goes to."""
        root, into = Path(__file__).resolve().parent, Path(self.build_lib) / "auralign" / "shipped"
        files = {path for folder, names in SHIPPED.items() for name in names for path in (root / folder).glob(name)}
        sources = sorted(path.relative_to(root).as_posix() for path in files)
        return {source: str(into / source) for source in sources}


setup(cmdclass={"build_py": WithShipped})
