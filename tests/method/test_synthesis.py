"""One step of IACycleGAN: which gradient reaches what, against losses put together by hand."""

import numpy as np
import pytest
import tensorflow as tf
import tiny

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.settings import LossConfig
from iacyclegan_tf.method import losses

SHIFT = tf.zeros([2])  # only networks of coarse grids heed it


def gradients_of(model, name: str, photos, sketches, variables):
    with tf.GradientTape() as tape:
        terms, _ = model.generator_terms(photos, sketches, model._real_features(photos, sketches, SHIFT), SHIFT)
    return tape.gradient(terms[name], variables)


def reaches(gradients) -> bool:
    return any(g is not None and float(tf.reduce_max(tf.abs(g))) > 0 for g in gradients)


@pytest.mark.parametrize("term", ["adversarial", "cycle", "identity_mapping", "identity_perception"])
def test_every_loss_reaches_both_generators(term):
    model, (photos, sketches) = tiny.gan(), tiny.batch()
    for generator in (model.photo_to_sketch, model.sketch_to_photo):
        assert reaches(gradients_of(model, term, photos, sketches, generator.trainable_variables))


def test_both_cycle_terms_reach_both_generators():
    model, (photos, sketches) = tiny.gan(), tiny.batch()
    for cycled, real in (
        ((lambda: model.sketch_to_photo(model.photo_to_sketch(photos))), photos),
        ((lambda: model.photo_to_sketch(model.sketch_to_photo(sketches))), sketches),
    ):
        with tf.GradientTape() as tape:
            loss = losses.cycle_consistency(cycled(), real)
        gradients = tape.gradient(
            loss, [model.photo_to_sketch.trainable_variables, model.sketch_to_photo.trainable_variables]
        )
        assert reaches(gradients[0]) and reaches(gradients[1])


def test_terms_equal_the_equations_put_together_by_hand():
    settings = LossConfig(perception_layer=("pool3", "fc7"), perception_normalization="position")
    model, (x, y) = tiny.gan(settings), tiny.batch(2)
    terms, (fake_y, fake_x) = model.generator_terms(x, y, model._real_features(x, y, SHIFT), SHIFT)
    g_x, g_y = model.photo_to_sketch, model.sketch_to_photo
    np.testing.assert_allclose(fake_y, g_x(x), atol=1e-6)
    np.testing.assert_allclose(fake_x, g_y(y), atol=1e-6)

    def mean_abs(a, b):
        return float(np.mean(np.abs(np.asarray(a) - np.asarray(b))))

    assert float(terms["cycle"]) == pytest.approx(mean_abs(g_y(g_x(x)), x) + mean_abs(g_x(g_y(y)), y), rel=1e-5)
    assert float(terms["identity_mapping"]) == pytest.approx(mean_abs(g_y(x), x) + mean_abs(g_x(y), y), rel=1e-5)
    adversarial = np.mean((model.sketch_discriminator(g_x(x)).numpy() - 1) ** 2) + np.mean(
        (model.photo_discriminator(g_y(y)).numpy() - 1) ** 2
    )
    assert float(terms["adversarial"]) == pytest.approx(adversarial, rel=1e-5)

    def distance(phi, fake, real):
        total = 0.0
        for layer in settings.perception_layer:
            a, b = (phi.features(images, (layer,))[0].numpy() for images in (fake, real))
            a, b = (v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-5) for v in (a, b))
            total += np.mean((a - b) ** 2)
        return total / len(settings.perception_layer)

    expected = distance(model.photo_recognizer, g_y(y), x) + distance(model.sketch_recognizer, g_x(x), y)
    assert float(terms["identity_perception"]) == pytest.approx(expected, rel=1e-4)


def test_the_paired_loss_joins_only_when_it_is_asked_for_and_reaches_both_generators():
    without, (x, y) = tiny.gan(), tiny.batch()
    assert "paired" not in without.generator_terms(x, y, without._real_features(x, y, SHIFT), SHIFT)[0]
    model = tiny.gan(LossConfig(paired_weight=2.0), eager=True)
    terms, _ = model.generator_terms(x, y, model._real_features(x, y, SHIFT), SHIFT)
    expected = sum(
        float(losses.paired(fake, real, "ssim_l1"))
        for fake, real in ((model.photo_to_sketch(x), y), (model.sketch_to_photo(y), x))
    )
    assert float(terms["paired"]) == pytest.approx(expected, rel=1e-5)
    for generator in (model.photo_to_sketch, model.sketch_to_photo):
        assert reaches(gradients_of(model, "paired", x, y, generator.trainable_variables))
    logs = model.fit(tiny.pairs(), steps_per_epoch=1, verbose=0).history
    assert logs["weighted/paired"][0] == pytest.approx(2 * logs["loss/paired"][0], rel=1e-5)


def test_identity_mapping_as_printed_compares_the_translation_with_its_own_input():
    model, (x, y) = tiny.gan(LossConfig(identity_mapping_form="as_printed")), tiny.batch()
    terms, _ = model.generator_terms(x, y, model._real_features(x, y, SHIFT), SHIFT)
    expected = np.mean(np.abs(model.photo_to_sketch(x) - x)) + np.mean(np.abs(model.sketch_to_photo(y) - y))
    assert float(terms["identity_mapping"]) == pytest.approx(expected, rel=1e-5)


def test_a_step_changes_generators_and_discriminators_and_never_the_recognizers():
    model = tiny.gan(eager=True)
    before = {
        network.name + str(i): [v.numpy() for v in network.variables]
        for i, network in enumerate(
            (
                model.photo_to_sketch,
                model.sketch_to_photo,
                model.photo_discriminator,
                model.sketch_discriminator,
                model.photo_recognizer,
                model.sketch_recognizer,
            )
        )
    }
    model.fit(tiny.pairs(), steps_per_epoch=2, verbose=0)
    for i, network in enumerate(
        (
            model.photo_to_sketch,
            model.sketch_to_photo,
            model.photo_discriminator,
            model.sketch_discriminator,
            model.photo_recognizer,
            model.sketch_recognizer,
        )
    ):
        same = [np.array_equal(a, b) for a, b in zip(before[network.name + str(i)], network.variables)]
        assert all(same) if i >= 4 else not any(same[:1]), network.name


def test_the_first_step_equals_gradients_taken_by_hand():
    """Generators first, with the discriminators as they were; then discriminators on the fakes of before the update."""

    def sgd():
        return keras.optimizers.SGD(0.1)

    model, (x, y) = tiny.gan(pool=0, optimizer=sgd, eager=True), tiny.batch()
    twin = tiny.gan(pool=0, optimizer=sgd)
    s = LossConfig()
    with tf.GradientTape() as tape:
        terms, (fake_y, fake_x) = twin.generator_terms(x, y, twin._real_features(x, y, SHIFT), SHIFT)
        weight = s.perception_share * s.cycle_weight * terms["cycle"] / terms["identity_perception"]
        total = (
            terms["adversarial"]
            + 10 * terms["cycle"]
            + 5 * terms["identity_mapping"]
            + tf.stop_gradient(weight) * terms["identity_perception"]
        )
    generators = tape.gradient(total, twin.generator_variables)
    with tf.GradientTape() as tape:
        loss = sum(
            0.5 * (tf.reduce_mean((d(real) - 1) ** 2) + tf.reduce_mean(d(fake) ** 2))
            for d, real, fake in ((twin.photo_discriminator, x, fake_x), (twin.sketch_discriminator, y, fake_y))
        )
    discriminators = tape.gradient(loss, twin.discriminator_variables)
    model.fit(tiny.pairs(), steps_per_epoch=1, verbose=0)
    for after, before, gradient in zip(
        model.generator_variables + model.discriminator_variables,
        twin.generator_variables + twin.discriminator_variables,
        generators + discriminators,
    ):
        np.testing.assert_allclose(after, before - 0.1 * gradient, atol=2e-5, err_msg=after.name)


def test_auto_weight_starts_the_identity_term_at_its_share_and_then_stays():
    settings = LossConfig(perception_share=0.25, perception_auto_steps=3)
    model = tiny.gan(settings, eager=True)
    logs = [model.fit(tiny.pairs(), steps_per_epoch=1, verbose=0).history for _ in range(6)]
    first = logs[0]
    assert first["weighted/identity_perception"][0] == pytest.approx(0.25 * first["weighted/cycle"][0], rel=1e-5)
    cycle, perception = (
        np.cumsum([log[f"loss/{name}"][0] for log in logs]) for name in ("cycle", "identity_perception")
    )
    for i, log in enumerate(logs):
        used = min(i, 2)
        assert log["perception_weight"][0] == pytest.approx(0.25 * 10 * cycle[used] / perception[used], rel=1e-4)


def test_a_kept_weight_is_used_from_the_first_step_on_instead_of_auto():
    model = tiny.gan(LossConfig(perception_share=0.25, perception_auto_steps=3), eager=True)
    model.kept_weight.assign(7.5)
    logs = [model.fit(tiny.pairs(), steps_per_epoch=1, verbose=0).history for _ in range(2)]
    assert [log["perception_weight"][0] for log in logs] == [7.5, 7.5]
    assert logs[0]["weighted/identity_perception"][0] == pytest.approx(7.5 * logs[0]["loss/identity_perception"][0])


def test_literal_weight_is_used_as_it_is():
    model = tiny.gan(LossConfig(perception_weight=3e7), eager=True)
    logs = model.fit(tiny.pairs(), steps_per_epoch=1, verbose=0).history
    assert logs["weighted/identity_perception"][0] == pytest.approx(3e7 * logs["loss/identity_perception"][0], rel=1e-5)


def test_without_recognizers_it_is_cyclegan():
    model = tiny.gan(perception=False, eager=True)
    logs = model.fit(tiny.pairs(), steps_per_epoch=1, verbose=0).history
    assert logs["weighted/identity_perception"][0] == 0 and logs["perception_weight"][0] == 0
    assert logs["loss/generators"][0] == pytest.approx(
        sum(logs[f"weighted/{name}"][0] for name in ("adversarial", "cycle", "identity_mapping")), rel=1e-5
    )


def test_switching_perception_and_assigning_phi_trace_nothing_again():
    model = tiny.gan(LossConfig(perception_weight=100.0))
    model.perceiving.assign(False)
    off = model.fit(tiny.pairs(), steps_per_epoch=2, verbose=0).history
    traces = model.traces
    model.perceiving.assign(True)
    one = model.fit(tiny.pairs(), steps_per_epoch=1, verbose=0).history
    for variable in model.photo_recognizer.trainable_variables:
        variable.assign(variable * 0.5)
    two = model.fit(tiny.pairs(), steps_per_epoch=1, verbose=0).history
    assert off["loss/identity_perception"][0] == 0 < one["loss/identity_perception"][0]
    assert one["loss/identity_perception"][0] != two["loss/identity_perception"][0]
    assert model.traces == traces == 1


def test_discriminators_learn_at_half_and_pool_feeds_them():
    model = tiny.gan(pool=2, eager=True)
    model.fit(tiny.pairs(), steps_per_epoch=3, verbose=0)
    assert model.photo_pool.stored.numpy().tolist() == [2] and model.sketch_pool.stored.numpy().tolist() == [2]
    assert float(tf.reduce_max(tf.abs(model.photo_pool.images))) > 0


@pytest.mark.parametrize(
    "precision", ["float32", *(pytest.param(f"mixed_{kind}16", marks=pytest.mark.slow) for kind in ("bfloat", "float"))]
)
def test_a_tiny_model_overfits_one_pair_in_every_precision(precision):
    def scaled():
        return keras.mixed_precision.LossScaleOptimizer(keras.optimizers.Adam(2e-3, 0.5, jit_compile=False))

    # little adversarial weight: whether the step learns is asked here, not who wins
    model = tiny.gan(
        LossConfig(adversarial_weight=0.1),
        dtype=precision,
        rate=2e-3,
        optimizer=scaled if precision == "mixed_float16" else None,
    )
    photo = np.zeros((1, *tiny.SHAPE), np.float32) - 0.5
    photo[:, 8:24, 6:18] = 0.7
    sketch = -0.8 * photo[..., :1].repeat(3, -1)
    data = tf.data.Dataset.from_tensors((photo, sketch)).repeat()
    model.fit(data, steps_per_epoch=1, verbose=0)

    def distance():
        return (
            float(np.abs(model.photo_to_sketch(photo) - sketch).mean()),
            float(np.abs(model.sketch_to_photo(sketch) - photo).mean()),
        )

    before = distance()
    model.fit(data, steps_per_epoch=100, verbose=0)
    after = distance()
    assert after[0] < 0.4 * before[0] and after[1] < 0.4 * before[1], (before, after)
    assert all(v.dtype == tf.float32 for v in model.generator_variables)
