"""People and their images: who is shown, and folders of people with several photos each."""

from __future__ import annotations

import numpy as np


class People:
    """What follows from ``identities``, N names of people, one per image or pair; one person may have several."""

    identities: tuple[str, ...]

    @property
    def labels(self) -> np.ndarray:
        """int ``[N]``: the people, numbered in alphabetical order."""
        return np.unique(self.identities, return_inverse=True)[1].astype(np.int32)

    @property
    def people(self) -> int:
        return len(set(self.identities))

    def __len__(self) -> int:
        return len(self.identities)
