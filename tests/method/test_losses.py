"""Every loss in every form against NumPy in float64, and the properties that it must have."""

import numpy as np
import pytest
import tensorflow as tf

from iacyclegan_tf.method import losses

RNG = np.random.default_rng(5)
REAL = RNG.normal(0, 2, [3, 6, 5, 1]).astype(np.float32)
FAKE = RNG.normal(0, 2, [3, 6, 5, 1]).astype(np.float32)
FORMS = ("lsgan", "log")


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


# ---------------------------------------------------------------- adversarial


def test_generator_adversarial_equals_numpy():
    assert losses.generator_adversarial(FAKE, "lsgan").numpy() == pytest.approx(np.mean((FAKE - 1.0) ** 2), rel=1e-5)
    assert losses.generator_adversarial(FAKE, "log").numpy() == pytest.approx(-np.mean(np.log(sigmoid(FAKE))), rel=1e-5)


def test_discriminator_adversarial_equals_numpy():
    squares = 0.5 * (np.mean((REAL - 1.0) ** 2) + np.mean(FAKE**2))
    assert losses.discriminator_adversarial(REAL, FAKE, "lsgan").numpy() == pytest.approx(squares, rel=1e-5)


def test_log_form_is_the_textbook_value_function():
    """Eq. 1: the discriminator maximizes V = E log D(y) + E log(1 − D(G(x))); the loss is −V / 2."""
    value = np.mean(np.log(sigmoid(REAL))) + np.mean(np.log(1 - sigmoid(FAKE)))
    assert losses.discriminator_adversarial(REAL, FAKE, "log").numpy() == pytest.approx(-value / 2, rel=1e-5)


def test_generator_log_form_pushes_as_the_textbook_form_where_both_are_balanced():
    """−log D and log(1 − D) have gradients −(1 − D) and −D: equal at D = ½, and both downwards everywhere."""
    logits = tf.constant([[-8.0, 0.0, 4.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        ours = losses.generator_adversarial(logits, "log")
        textbook = tf.reduce_mean(tf.math.log(1 - tf.sigmoid(logits)))
    mine, theirs = tape.gradient(ours, logits).numpy()[0], tape.gradient(textbook, logits).numpy()[0]
    assert mine[1] == pytest.approx(theirs[1], rel=1e-5)
    assert (mine < 0).all() and (theirs < 0).all()
    assert abs(mine[0]) > 100 * abs(theirs[0])  # why it is used: fakes that are seen through still learn


@pytest.mark.parametrize("form", FORMS)
def test_adversarial_losses_at_the_extremes_are_finite_and_right(form):
    far = tf.constant([[1e4]])
    assert np.isfinite(losses.discriminator_adversarial(-far, far, form))
    perfect = 1.0 if form == "lsgan" else 1e4
    assert losses.generator_adversarial(tf.constant([[perfect]]), form).numpy() == 0.0
    nothing = 0.0 if form == "lsgan" else -1e4
    assert losses.discriminator_adversarial(tf.constant([[perfect]]), tf.constant([[nothing]]), form).numpy() == 0.0


@pytest.mark.parametrize("form", FORMS)
def test_adversarial_losses_do_not_depend_on_batch_or_patches(form):
    def twice(x):
        return np.concatenate([x, x])

    def wide(x):
        return np.concatenate([x, x], 2)

    for more in (twice, wide):
        assert losses.generator_adversarial(more(FAKE), form).numpy() == pytest.approx(
            losses.generator_adversarial(FAKE, form).numpy(), rel=1e-5
        )
        assert losses.discriminator_adversarial(more(REAL), more(FAKE), form).numpy() == pytest.approx(
            losses.discriminator_adversarial(REAL, FAKE, form).numpy(), rel=1e-5
        )


# ---------------------------------------------------------------- L1 losses


@pytest.mark.parametrize("loss", [losses.cycle_consistency, losses.identity_mapping])
def test_l1_losses(loss):
    a, b = RNG.uniform(-1, 1, [2, 4, 8, 6, 3]).astype(np.float32)
    assert loss(a, b).numpy() == pytest.approx(np.abs(a.astype(np.float64) - b).mean(), rel=1e-5)
    assert loss(a, b).numpy() == loss(b, a).numpy() > 0
    assert loss(a, a).numpy() == 0
    assert loss(np.concatenate([a, a]), np.concatenate([b, b])).numpy() == pytest.approx(loss(a, b).numpy(), rel=1e-5)
    assert loss(-np.ones([1, 4, 4, 3], np.float32), np.ones([1, 4, 4, 3], np.float32)).numpy() == 2.0  # the largest


# ---------------------------------------------------------------- paired (not in the paper)


def test_paired_loss_equals_numpy_and_scikit_image():
    from skimage.metrics import structural_similarity

    fake, real = np.clip(RNG.normal(0, 0.5, [2, 2, 16, 20, 3]), -1, 1).astype(np.float32)
    real = np.clip(0.5 * real + 0.5 * fake, -1, 1)
    gray = [((x.astype(np.float64) + 1) * 127.5) @ (0.299, 0.587, 0.114) for x in (fake, real)]
    similar = []
    for a, b in zip(*gray):
        whole = structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True
        )[1]
        similar.append(whole[5:-5, 5:-5].mean())  # the valid region, as Wang et al.
    l1, dissimilarity = np.abs(fake.astype(np.float64) - real).mean(), 1 - np.mean(similar)
    assert 0.05 < dissimilarity < 1
    for form, expected in (("l1", l1), ("ssim", dissimilarity), ("ssim_l1", 0.84 * dissimilarity + 0.16 * l1 / 2)):
        assert losses.paired(fake, real, form).numpy() == pytest.approx(expected, rel=1e-4)
        assert losses.paired(real, real, form).numpy() == pytest.approx(0, abs=1e-6)


# ---------------------------------------------------------------- identity perception


def feature_maps(seed: int) -> list[np.ndarray]:
    """Two maps of unlike size and a vector, positive as after ReLU."""
    rng = np.random.default_rng(seed)
    return [np.abs(rng.normal(0, 3, shape)).astype(np.float32) for shape in ([2, 4, 3, 8], [2, 2, 1, 16], [2, 10])]


def normalized(x, kind):
    if kind == "none":
        return x
    if kind == "position":
        return x / np.sqrt((x**2).sum(-1, keepdims=True))
    return x / np.sqrt((x**2).reshape(len(x), -1).sum(1)).reshape([-1] + [1] * (x.ndim - 1))


def perception(fakes, reals, kind, reduction):
    layers = []
    for fake, real in zip(fakes, reals):
        fake, real = (normalized(x.astype(np.float64), kind) for x in (fake, real))
        images = ((fake - real) ** 2).reshape(len(fake), -1)
        layers.append((images.mean(1) if reduction == "mean" else images.sum(1)).mean())
    return np.mean(layers)


KINDS = pytest.mark.parametrize("kind", ["none", "position", "vector"])
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum"])


@KINDS
@REDUCTIONS
def test_perception_equals_numpy(kind, reduction):
    fakes, reals = feature_maps(1), feature_maps(2)
    for some in ([0], [2], [0, 1, 2]):
        ours = losses.identity_perception([fakes[i] for i in some], [reals[i] for i in some], kind, reduction)
        theirs = perception([fakes[i] for i in some], [reals[i] for i in some], kind, reduction)
        assert ours.numpy() == pytest.approx(theirs, rel=1e-5)


@KINDS
@REDUCTIONS
def test_perception_properties(kind, reduction):
    fakes, reals = feature_maps(1), feature_maps(2)

    def loss(a, b):
        return losses.identity_perception(a, b, kind, reduction).numpy()

    def twice(maps):
        return [np.concatenate([m, m]) for m in maps]

    assert loss(fakes, reals) > 0 and loss(fakes, fakes) == 0
    assert loss(fakes, reals) == pytest.approx(loss(reals, fakes), rel=1e-6)
    assert loss(twice(fakes), twice(reals)) == pytest.approx(loss(fakes, reals), rel=1e-5)
    larger = loss([7 * f for f in fakes], [7 * r for r in reals])
    assert larger == pytest.approx(loss(fakes, reals) * (49 if kind == "none" else 1), rel=1e-4)


@KINDS
def test_nothing_flows_into_the_real_side_and_something_into_the_fake_side(kind):
    fakes, reals = ([tf.constant(m) for m in feature_maps(seed)] for seed in (1, 2))
    with tf.GradientTape() as tape:
        tape.watch([*fakes, *reals])
        loss = losses.identity_perception(fakes, reals, kind, "mean")
    into_fakes, into_reals = tape.gradient(loss, [fakes, reals])
    assert all(gradient is None for gradient in into_reals)
    assert all(np.abs(gradient).max() > 0 for gradient in into_fakes)


@KINDS
def test_features_that_are_all_zero_give_finite_values_and_gradients(kind):
    """ReLU leaves positions, and sometimes whole maps, at 0."""
    dead = tf.zeros([2, 3, 3, 4])
    with tf.GradientTape() as tape:
        tape.watch(dead)
        loss = losses.identity_perception([dead], [tf.ones_like(dead)], kind, "sum")
    assert np.isfinite(loss) and np.isfinite(tape.gradient(loss, dead)).all()


@pytest.mark.parametrize("kind, axes", [("position", -1), ("vector", (1, 2, 3))])
def test_normalised_features_have_length_1_where_it_is_meant(kind, axes):
    lengths = np.linalg.norm(losses.normalize_features(feature_maps(3)[0], kind).numpy(), axis=None) ** 2
    squares = (losses.normalize_features(feature_maps(3)[0], kind).numpy() ** 2).sum(axes)
    np.testing.assert_allclose(squares, 1, rtol=1e-5)
    assert lengths == pytest.approx(squares.size, rel=1e-5)


def test_layers_must_pair_up():
    with pytest.raises(ValueError):
        losses.identity_perception(feature_maps(1), feature_maps(2)[:2], "none", "mean")
