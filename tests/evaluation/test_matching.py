"""Batching by size, and the four ways of matching, with models whose answers are known."""

import numpy as np
import pytest
import tensorflow as tf
from golden import HEIGHT, WIDTH, generator, recognizer

from iacyclegan_tf.data.resizing import Fit
from iacyclegan_tf.evaluation.matching import WAYS, Matcher, from_servables, match
from iacyclegan_tf.serving.calling import call, embed
from iacyclegan_tf.serving.served_modules import Embedder, Translator


def faces(count: int, seed: int, sizes=((20, 16),)) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, [*sizes[i % len(sizes)], 3]).astype(np.uint8) for i in range(count)]


class Counting:
    """Stands in for a servable: inverts ``images``, or gives their mean color as ``embedding``; keeps the batches."""

    def __init__(self, output: str):
        self.output, self.batches = output, []

    def tensor(self, batch):
        assert batch.dtype == np.float32
        self.batches.append(batch.shape)
        mean = batch.mean((1, 2))
        unit = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return {self.output: tf.constant(255 - batch if self.output == "images" else unit)}


def test_translate_keeps_order_and_size_over_mixed_sizes():
    images, servable = faces(21, 0, sizes=((20, 16), (8, 8), (20, 17))), Counting("images")
    results = call(servable, images)
    assert len(results) == 21
    for image, result in zip(images, results):
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, 255 - image)
    assert all(shape[0] <= 8 for shape in servable.batches) and sum(s[0] for s in servable.batches) == 21
    assert len(servable.batches) == 3


def test_embed_keeps_order_over_mixed_sizes():
    images = faces(19, 0, sizes=((20, 16), (8, 8)))
    results = embed(Counting("embedding"), images)
    means = np.stack([image.mean((0, 1)) for image in images])
    np.testing.assert_allclose(results, means / np.linalg.norm(means, axis=1, keepdims=True), rtol=1e-5)


def linear(seed: int):
    """An embedding that is a random projection of the pixels, of length 1."""
    weights = np.random.default_rng(seed).normal(size=[20 * 16 * 3, 6])

    def embed_all(images):
        vectors = np.stack([image.reshape(-1) for image in images]).astype(np.float64) @ weights
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return embed_all


def test_match_compares_what_each_way_is_said_to_compare():
    embeds = {name: linear(i) for i, name in enumerate(("initial", "photo", "sketch"))}
    matcher = Matcher(None, None, embeds["initial"], embeds["photo"], embeds["sketch"])
    sketches, photos, fake_photos, fake_sketches = faces(4, 1), faces(5, 2), faces(4, 3), faces(5, 4)
    scores = match(matcher, sketches, photos, fake_photos, fake_sketches)
    assert tuple(scores) == WAYS == ("none", "photo", "sketch", "fusion")

    def cosines(embed_all, probes, gallery):
        return np.array([[float(np.dot(p, g)) for g in embed_all(gallery)] for p in embed_all(probes)])

    by_photo, by_sketch = (
        cosines(embeds["photo"], fake_photos, photos),
        cosines(embeds["sketch"], sketches, fake_sketches),
    )
    np.testing.assert_allclose(scores["none"], cosines(embeds["initial"], sketches, photos), atol=1e-9)
    np.testing.assert_allclose(scores["photo"], by_photo, atol=1e-9)
    np.testing.assert_allclose(scores["sketch"], by_sketch, atol=1e-9)
    expected = sum((m - m.mean()) / np.sqrt(((m - m.mean()) ** 2).mean()) for m in (by_photo, by_sketch))
    np.testing.assert_allclose(scores["fusion"], expected, atol=1e-8)
    assert all(matrix.shape == (4, 5) for matrix in scores.values())


def test_matcher_of_servables_calls_each_in_its_role():
    parts = [Counting(output) for output in ("images", "images", "embedding", "embedding", "embedding")]
    matcher = from_servables(*parts)
    for number, function in enumerate(
        (matcher.to_sketch, matcher.to_photo, matcher.embed_initial, matcher.embed_photo, matcher.embed_sketch)
    ):
        function(faces(2, 0))
        assert [len(part.batches) for part in parts] == [1] * (number + 1) + [0] * (4 - number)


def test_servables_give_what_the_networks_give():
    fit, images = Fit("squeeze", HEIGHT, WIDTH), faces(3, 5, sizes=((HEIGHT, WIDTH),))
    network, phi = generator(1), recognizer(1)
    inputs = np.stack(images).astype(np.float32) / 127.5 - 1
    outputs = np.clip(np.round((network(inputs).numpy() + 1) * 127.5), 0, 255)
    ours = np.stack(call(Translator(network, fit), images))
    assert ours.dtype == np.uint8 and np.abs(ours - outputs).max() <= 1 and (ours == outputs).mean() > 0.99
    embeddings = embed(Embedder(phi, fit), images)
    np.testing.assert_allclose(embeddings, phi(inputs), atol=1e-5)
    assert embeddings.shape == (3, phi.embedding_length)


@pytest.mark.parametrize("size", [(37, 29), (250, 200)])
def test_a_translated_image_has_its_inputs_size(size):
    (image,) = faces(1, 6, sizes=(size,))
    (result,) = call(Translator(generator(1), Fit("pad", HEIGHT, WIDTH)), [image])
    assert result.shape == image.shape and result.dtype == np.uint8
