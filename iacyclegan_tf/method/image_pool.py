"""The history of generated images that the discriminators see (Shrivastava et al. 2017; CycleGAN: 50 images)."""

from __future__ import annotations

import tensorflow as tf


class ImagePool(tf.Module):
    """Remembers up to ``capacity`` generated images for each replica, as TensorFlow state.

    Each image of a batch is handled alone, as in the public CycleGAN: while the pool is not full the image is
    stored and returned; afterwards, with probability ½, it takes the place of a random older image, which is
    returned instead. With ``capacity`` 0 images pass through.

    Make it **outside** a strategy's scope: one plain variable with a leading replica axis, written at the
    replica's own row, is saved and restored whole, where per-replica variables would keep one replica's content.
    Random choices are functions of (seed, step, replica), so a resume needs no hidden state.

    Args:
        capacity: images remembered per replica.
        image_shape: (H, W, 3).
        replicas: replicas in sync.
    """

    def __init__(self, capacity: int, image_shape: tuple[int, int, int], replicas: int = 1, seed: int = 0, name=None):
        super().__init__(name=name)
        self.capacity, self.seed = capacity, seed
        self.images = tf.Variable(tf.zeros([replicas, capacity, *image_shape]), trainable=False, name="images")
        self.stored = tf.Variable(tf.zeros([replicas], tf.int32), trainable=False, name="stored")

    def query(self, batch: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """``[N, H, W, 3]`` fresh images -> as many, some of them from the past. N is static, ``step`` int64."""
        if self.capacity == 0:
            return batch
        replica = tf.convert_to_tensor(tf.distribute.get_replica_context().replica_id_in_sync_group)
        seed = tf.stack([tf.cast(self.seed, tf.int64) + tf.cast(replica, tf.int64), step])
        swap = tf.random.stateless_uniform([batch.shape[0]], seed) < 0.5
        places = tf.random.stateless_uniform([batch.shape[0]], seed + [1_000_003, 0], 0, self.capacity, tf.int32)
        chosen = [self._query_one(batch[i], replica, swap[i], places[i]) for i in range(batch.shape[0])]
        return tf.stack(chosen)

    def _query_one(self, image, replica, swap, place):
        stored = self.stored[replica]
        filling = stored < self.capacity
        slot = tf.where(filling, stored, place)
        past = self.images[replica, slot]
        keep = tf.logical_or(filling, swap)  # does the fresh image enter the pool?
        # One write in every case, so that the graph has no branch: an image that stays out rewrites what was there.
        with tf.control_dependencies([past]):
            write = self.images.scatter_nd_update([[replica, slot]], [tf.where(keep, image, past)])
            count = self.stored.scatter_nd_update([[replica]], [stored + tf.cast(filling, tf.int32)])
        with tf.control_dependencies([write, count]):
            return tf.where(tf.logical_and(swap, tf.logical_not(filling)), past, image)
