"""What a marker stores of one stimulus, gathered in memory and written in one go.

junifer's HDF5 storage opens the file five times for every feature, and writes the metadata of all features again with
each: for ten layers, most of the time of storing and most of the size of the file.
"""

from typing import Any

import h5py
import numpy as np
from junifer.storage import HDF5FeatureStorage

# where junifer's layout has the numbers of a feature
_DATA = "key_data"


class GatheringStorage(HDF5FeatureStorage):
    """junifer's HDF5 storage of one stimulus: the same layout in the file, but nothing is written before `write`.

    Parameters
    ----------
    storage : HDF5FeatureStorage
        Whose options hold: compression, whether float64 becomes float32.
    """

    # with an underscore: junifer 0.0.8 has made its storages frozen pydantic models
    _metadata: dict[str, dict]
    _features: dict[str, dict]

    def __init__(self, storage: HDF5FeatureStorage) -> None:
        options = ("uri", "single_output", "overwrite", "compression", "force_float32", "chunk_size")
        super().__init__(**{option: getattr(storage, option) for option in options})
        self._metadata, self._features = {}, {}  # by MD5

    def keep(self, kind: str, md5: str, element: dict, metadata: dict, **output: Any) -> None:
        """Keep one feature until `write`, as `store` would write it.

        Parameters
        ----------
        kind : str
            Of junifer's kinds: `vector`, `timeseries`, ...
        md5 : str
            Of the metadata.
        element : dict
            junifer's element, such as `{"stimulus": "stim5_alarm_clock"}`.
        metadata : dict
            As `junifer.storage.utils.process_meta` gives it; it does so anew for every feature, which takes longer
            than storing: the caller asks once for all stimuli.
        **output
            What `compute` gives of a feature: `data`, `col_names`, ...

        Raises
        ------
        ValueError
            junifer cannot store that kind.
        """
        if kind not in self._STORAGE_TYPES:
            raise ValueError(f"junifer stores no {kind!r}. Allowed: {', '.join(self._STORAGE_TYPES)}.")
        self._metadata[md5] = metadata
        getattr(self, f"store_{kind}")(meta_md5=md5, element=element, **output)

    def store_metadata(self, meta_md5: str, element: dict, meta: dict) -> None:
        """Keep the metadata of a feature that comes by junifer's `store`."""
        self._metadata[meta_md5] = meta

    def _store_data(self, kind: str, meta_md5: str, element: list[dict], data: Any, **others: Any) -> None:
        """Keep what junifer has brought into its form for one feature, instead of writing it."""
        others.pop("processed_element", None)  # of junifer 0.0.8, for storages with elements in several files
        data = [self._as_stored(part) for part in data] if isinstance(data, list) else self._as_stored(data)
        self._features[meta_md5] = others | {"element": element, "data": data, "kind": kind}

    def _as_stored(self, values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32) if self.force_float32 and values.dtype == np.float64 else values

    def write(self, file: h5py.File, stored: dict[str, dict]) -> None:
        """Write everything that was kept into an open file.

        Parameters
        ----------
        file : h5py.File
        stored : dict of str to dict
            The metadata of the features that the file holds already, by MD5.
        """
        self._write_processed_data(fname=file, processed_data=stored | self._metadata, title="meta")
        written: dict[tuple, str] = {}  # unlabelled vectors by shape and type: they differ in their numbers alone
        for md5, feature in self._features.items():
            data, form = feature["data"], None
            if feature["kind"] == "vector" and feature["column_headers"] is None:
                form = data.shape, data.dtype
            if form in written and md5 not in file:
                # a copy is made by HDF5 itself, a third of the time of making its seven parts anew
                file.copy(written[form], md5)
                file[md5][_DATA][...] = data
                continue
            self._write_processed_data(fname=file, processed_data=feature, title=md5)
            if form is not None:
                written[form] = md5
