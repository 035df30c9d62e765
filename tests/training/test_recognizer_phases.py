"""What Φ0 is shown when it learns from the pairs."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from iacyclegan_tf.config.reading import load_config
from iacyclegan_tf.data.streams.augmentation import Augmentation
from iacyclegan_tf.data.streams.batches import Worker
from iacyclegan_tf.models.vggface import Recognizer
from iacyclegan_tf.training.recognizer_phases import match_pairs


def shown_when_matching(adapter: bool) -> np.ndarray:
    """The first batch, of people whose photo and sketch are one picture: float32 ``[4, 32, 32, 3]``, in turns."""
    pictures = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    fitting = SimpleNamespace(
        people=4, shown=(pictures, pictures), labels=np.arange(4), identities=["a", "b", "c", "d"]
    )
    phases = []
    context = SimpleNamespace(
        config=load_config(None, ["recognizer.pretrain.batch=4"]),
        faces=SimpleNamespace(fitting=fitting),
        strategy=tf.distribute.get_strategy(),
        worker=Worker(),
        views=Augmentation(enlarge=1.25, flip=True),
        phase_seed=lambda number: number,
        train=lambda phase, watched: phases.append(phase),
    )
    match_pairs(context, Recognizer(0.0625, 32, "pool2", adapter=adapter))
    return next(iter(phases[0].stream(0)))[0].numpy()


@pytest.mark.parametrize("adapter", [True, False])
def test_an_adapter_sees_photo_and_sketch_in_one_view_and_a_whole_network_each_in_its_own(adapter):
    """An adapter has no weights between places, so that what two crops differ in it could not learn away."""
    photos, sketches = shown_when_matching(adapter).reshape(2, 2, 32, 32, 3).swapaxes(0, 1)
    assert np.array_equal(photos, sketches) == adapter
    assert not np.array_equal(photos[0], photos[1])
