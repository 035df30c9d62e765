"""Fitting images to the network: geometry there and back, one code for arrays and graphs."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.resizing import Fit


def smooth_image(height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(11).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 4)


@pytest.mark.parametrize("size, outer", [((250, 200), (252, 200)), ((64, 64), (64, 64)), ((5, 7), (8, 8))])
def test_native_pads_by_replication_and_undoes_bit_for_bit(size, outer):
    image, fit = smooth_image(*size), Fit("native")
    padded = fit.apply(image)
    rows, columns = outer[0] - size[0], outer[1] - size[1]
    edges = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
    np.testing.assert_array_equal(padded, np.pad(image, edges, mode="edge"))
    np.testing.assert_array_equal(fit.undo(padded, size), image)
    assert fit.network_size(size) == outer


@pytest.mark.parametrize("size", [(250, 200), (100, 300), (31, 33), (20, 15)])
def test_squeeze_agrees_with_pillow(size):
    image = smooth_image(*size)
    other = np.asarray(Image.fromarray(image).resize((96, 128), Image.Resampling.BICUBIC))
    assert np.abs(Fit("squeeze", 128, 96).apply(image).astype(int) - other).max() <= 1


@pytest.mark.parametrize(
    "size, inner", [((250, 200), (128, 102)), ((200, 250), (102, 128)), ((30, 30), (128, 128)), ((3, 900), (1, 128))]
)
def test_pad_keeps_proportions_and_replicates_edges(size, inner):
    image = smooth_image(*size)
    fitted = Fit("pad", 128, 128).apply(image)
    other = np.asarray(Image.fromarray(image).resize(inner[::-1], Image.Resampling.BICUBIC))
    rows, columns = 128 - inner[0], 128 - inner[1]
    edges = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
    assert np.abs(fitted.astype(int) - np.pad(other, edges, mode="edge")).max() <= 1


@pytest.mark.parametrize("mode", ["pad", "squeeze", "native"])
@pytest.mark.parametrize("size", [(250, 200), (200, 301), (97, 64)])
def test_there_and_back_leaves_every_spot_where_it_was(mode, size):
    """The centre of gravity of a blurred dot moves by less than a tenth of a pixel."""
    for spot in ((0.3, 0.25), (0.5, 0.5), (0.7, 0.8)):
        row, column = spot[0] * size[0], spot[1] * size[1]
        grid = np.mgrid[: size[0], : size[1]]
        dot = 250 * np.exp(-((grid[0] - row) ** 2 + (grid[1] - column) ** 2) / (2 * 5.0**2))
        image = np.repeat(dot[..., None], 3, axis=-1).astype(np.uint8)
        fit = Fit(mode, 128, 96) if mode != "native" else Fit(mode)
        back = fit.undo(fit.apply(image), size)
        assert back.shape == image.shape and back.dtype == np.uint8
        for axis in (0, 1):
            moved = (grid[axis] * back[..., 0]).sum() / back[..., 0].sum()
            meant = (grid[axis] * image[..., 0].astype(float)).sum() / image[..., 0].sum()
            assert abs(moved - meant) < 0.1


def test_graph_version_with_batch_and_dynamic_size_equals_the_array_version():
    fit, image = Fit("pad", 64, 64), smooth_image(50, 40)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def there_and_back(batch):
        fitted = fit.apply_graph(batch)
        assert fitted.shape[1:] == (64, 64, 3)  # the graph must know the network's size
        return fitted, fit.undo_graph(fitted, tf.shape(batch)[1:3])

    fitted, back = there_and_back(np.stack([image, image[::-1]]).astype(np.float32))
    np.testing.assert_array_equal(fitted[0], fit.apply(image))
    np.testing.assert_array_equal(back[1], fit.undo(fit.apply(image[::-1]), (50, 40)))


def test_results_are_whole_numbers_in_range_where_bicubic_overshoots():
    image = np.zeros((40, 40, 3), np.float32)
    image[:, 20:] = 255
    fitted = Fit("squeeze", 100, 100).apply_graph(image).numpy()
    assert fitted.min() == 0 and fitted.max() == 255 and np.array_equal(fitted, np.round(fitted))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("stretch", 64, 64), "allowed are native, pad, squeeze"),
        (("pad", 250, 200), "Height 250 and width 200"),
        (("squeeze", 64, 0), "Height 64 and width 0"),
        (("native", 64, 0), "give both or leave both 0"),
    ],
)
def test_wrong_settings_are_named(arguments, words):
    with pytest.raises(UserError, match=words):
        Fit(*arguments)


def test_native_refuses_a_second_size():
    assert Fit("native", 250, 200).apply(smooth_image(250, 200)).shape == (252, 200, 3)
    assert Fit("native", 252, 200).apply(smooth_image(250, 200)).shape == (252, 200, 3)
    with pytest.raises(UserError, match=r"112x92.*share the size 250x200"):
        Fit("native", 250, 200).apply(smooth_image(112, 92))
    with pytest.raises(UserError, match=r"64x64.*cannot be undone"):
        Fit("native", 250, 200).undo(smooth_image(64, 64), (250, 200))


def test_many_threads_at_once_trace_once(monkeypatch):
    traced, original = [], Fit.apply_graph
    monkeypatch.setattr(Fit, "apply_graph", lambda fit, image: traced.append(1) or original(fit, image))
    fit, image = Fit("squeeze", 44, 36), smooth_image(20, 30)  # a size that no other test uses
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: fit.apply(image), range(16)))
    assert len(traced) == 1 and all(np.array_equal(result, results[0]) for result in results)
