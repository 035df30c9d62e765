"""Two logical CPU devices are the same mathematics as one: gradients, triplet mining and image pools."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# One process for all: logical devices cannot be made once TensorFlow has begun.
SCRIPT = r'''
import sys
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import tiny
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.method.pair_matching import PairMatching
from iacyclegan_tf.method.image_pool import ImagePool
from iacyclegan_tf.method.recognizer_training import TripletTrainer
from iacyclegan_tf.models.vggface import Recognizer
from iacyclegan_tf.models.saved_state import read_folder, write_folder
from iacyclegan_tf.training.distributed.strategy import make_strategy
from pathlib import Path


def relative(one, two):
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in zip(one, two))


def pairs_of_two():
    return tf.data.Dataset.from_tensors(tiny.batch(2)).repeat()


def gradients(strategy):
    """Of the first step, read off plain SGD with rate 1."""
    with strategy.scope():
        model = tiny.gan(pool=0, optimizer=lambda: keras.optimizers.SGD(1.0, jit_compile=False), eager=True)
        before = [v.numpy() for v in model.generator_variables + model.discriminator_variables]
    model.fit(pairs_of_two(), steps_per_epoch=1, verbose=0)
    return [b - v.numpy() for b, v in zip(before, model.generator_variables + model.discriminator_variables)]


def recognizer_gradients(strategy, make, labels):
    images = tf.constant(np.random.default_rng(3).uniform(-1, 1, (8, 32, 24, 3)).astype(np.float32))
    with strategy.scope():
        trainer = make(Recognizer(0.0625, 32, "pool2", seed=4))
        trainer.compile(keras.optimizers.SGD(1.0, jit_compile=False), run_eagerly=True)
        before = [v.numpy() for v in trainer.trained_variables]
    batches = tf.data.Dataset.from_tensors((images, tf.constant(labels))).repeat()
    loss = trainer.fit(batches, steps_per_epoch=1, verbose=0).history["loss"][0]
    return [b - v.numpy() for b, v in zip(before, trainer.trained_variables)], loss


def pools(strategy, folder):
    made = [ImagePool(3, tiny.SHAPE, 2, seed=s) for s in (5, 6)]
    with strategy.scope():
        model = tiny.gan(pool=3, perception=False, eager=True)
        model.photo_pool, model.sketch_pool = made
    model.fit(pairs_of_two(), steps_per_epoch=5, verbose=0)
    photos, sketches = (images.numpy() for images in tiny.batch(2))
    photos[1, 3, 3, 0] = np.nan  # the second replica's share alone: neither may take the step
    watched = [*model.generator_variables, *model.discriminator_variables, *model.generator_optimizer.variables]
    before = [v.numpy() for v in watched]
    kept = [v.numpy() for pool in made for v in (pool.images, pool.stored)]
    told = model.fit(tf.data.Dataset.from_tensors((photos, sketches)), verbose=0).history
    assert not np.isfinite(told["gradient/generators"][0])
    for one, two in zip(before, watched):
        assert all(np.array_equal(one, replica.numpy()) for replica in two.values), two.name
    for variable, value in zip([v for pool in made for v in (pool.images, pool.stored)], kept):
        variable.assign(value)
    write_folder(Path(folder) / "pools", tf.train.Checkpoint(photo=made[0], sketch=made[1]))
    again = [ImagePool(3, tiny.SHAPE, 2, seed=s) for s in (5, 6)]
    read_folder(Path(folder) / "pools", tf.train.Checkpoint(photo=again[0], sketch=again[1]))
    restored = [v.numpy() for pool in again for v in (pool.images, pool.stored)]
    assert all(np.array_equal(a, b) for a, b in zip(kept, restored))
    images, stored = kept[0], kept[1]
    assert stored.tolist() == [3, 3]
    assert np.abs(images[0]).max() > 0 and np.abs(images[1]).max() > 0
    assert not np.array_equal(images[0], images[1])


one, two = tf.distribute.get_strategy(), make_strategy(("CPU:0", "CPU:1"))
assert two.num_replicas_in_sync == 2
error = relative(gradients(one), gradients(two))
assert error < 1e-5, error
for make, labels in (
    (lambda phi: TripletTrainer(phi, margin=0.3), [0, 1, 2, 3, 0, 1, 2, 3]),  # every positive lies on the other replica
    (PairMatching, [0, 0, 1, 1, 2, 2, 3, 3]),  # photos and sketches in turn
):
    (single, loss_1), (double, loss_2) = [recognizer_gradients(strategy, make, labels) for strategy in (one, two)]
    error = relative(single, double)
    assert error < 1e-4, (make, error)
    assert abs(loss_1 - loss_2) < 1e-5 < loss_1
pools(two, sys.argv[1])
print("all held")
'''


@pytest.mark.slow
def test_two_replicas(tmp_path):
    tests = Path(__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "PYTHONPATH": f"{tests.parent}:{tests}", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert result.returncode == 0 and result.stdout == "all held\n", result.stdout + result.stderr[-3000:]
