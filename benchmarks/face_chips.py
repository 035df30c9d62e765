"""Sketches against photos with dlib's network, of chips by landmarks and by the fixed box, without any synthesis.

From the repository root:  python -m benchmarks.face_chips ROOT [ROOT …] [--test ROOT] [--layer level2] [--seeds 0,1]
All roots hold pairs as docs/data.md has them. The adapter is trained on the ``train`` of each ROOT; of ``--test``
(default: the first ROOT) the others are judged, with the centres of its own ``train``. A pair in which no face is found
is left out and counted. A few minutes for 660 pairs; needs the extra ``face``.
"""

from __future__ import annotations

import argparse

import numpy as np

STEPS, WARM_UP, PEOPLE, RATE, SCALE = 200, 20, 48, 1e-3, 16.0
VIEWS = 4  # of each training chip: as it is, mirrored, and moved in another light; all images of a step share one


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.face_chips", description=__doc__.split("\n\n")[0])
    parser.add_argument("roots", nargs="+", metavar="ROOT")
    parser.add_argument("--test", metavar="ROOT")
    parser.add_argument("--layer", default="level2")
    parser.add_argument("--seeds", default="0", help="of the adapter; empty: none is trained")
    options = parser.parse_args()
    from iacyclegan_tf.models.dlib_resnet import DlibRecognizer

    phi = DlibRecognizer(options.layer)
    phi.load_file("")
    test = options.test or options.roots[0]
    sets = {root: cut(root) for root in dict.fromkeys([*options.roots, test])}
    chips, boxes, train = sets[test]
    if options.seeds:
        fitted = np.concatenate([sets[root][0][sets[root][2]] for root in options.roots])
        views = np.stack([features(phi, view) for view in seen(fitted)])
    found = {"fixed box": features(phi, boxes), "landmarks": features(phi, chips)}
    for name, maps in found.items():
        print(f"{name}, untrained: {judged(maps, train)}", flush=True)
    for seed in filter(None, options.seeds.split(",")):
        kernel = trained(views, int(seed))
        for name, maps in found.items():
            print(f"{name}, adapter of seed {seed}: {judged(maps @ kernel, train)}", flush=True)


def cut(root: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chips and boxes uint8 ``[N, 2, 150, 150, 3]``, photo and sketch, and which people are trained on."""
    import cv2

    from iacyclegan_tf.common.errors import UserError
    from iacyclegan_tf.data.alignment.landmarks import CHIP, face_chip, find_faces
    from iacyclegan_tf.data.images.files import read_image
    from iacyclegan_tf.data.pairs.pairing import find_pairs
    from iacyclegan_tf.models.dlib_resnet import BOX

    chips, boxes, train, missed = [], [], [], 0
    pairs = find_pairs(root).pairs
    for pair in pairs:
        images = [read_image(pair.photo), read_image(pair.sketch)]
        try:
            chips.append([face_chip(image, find_faces(image)[0].points) for image in images])
        except UserError:
            missed += 1
            continue
        parts = [np.rint(np.multiply(BOX, 2 * image.shape[:2])).astype(int) for image in images]
        boxes.append([cv2.resize(i[t:b, left:r], (CHIP, CHIP)) for i, (t, left, b, r) in zip(images, parts)])
        train.append(pair.split == "train")
    print(f"{root}: {len(pairs)} pairs, in {missed} of them no face was found in photo or sketch", flush=True)
    return np.array(chips), np.array(boxes), np.array(train)


def seen(chips: np.ndarray):
    """``VIEWS`` views of all chips, each the same change of every one of them."""
    import cv2

    random = np.random.default_rng(0)
    for number in range(VIEWS):
        view = chips.astype(np.float32)
        if number > 1:
            turn = cv2.getRotationMatrix2D((74.5, 74.5), random.uniform(-4, 4), random.uniform(0.95, 1.05))
            turn[:, 2] += random.uniform(-4, 4, 2)
            contrast, light = random.uniform(0.8, 1.2), random.uniform(-25, 25)
            for place in np.ndindex(chips.shape[:2]):
                moved = cv2.warpAffine(view[place], turn, chips.shape[2:4], borderMode=cv2.BORDER_REPLICATE)
                view[place] = (moved - 128) * contrast + 128 + light
        yield np.clip(view[:, :, :, ::-1] if number % 2 else view, 0, 255).astype(np.uint8)


def features(phi, images: np.ndarray) -> np.ndarray:
    """The embedding layer's maps ``[N, 2, …]`` of chips."""
    flat = images.reshape(-1, *images.shape[2:])
    maps = [
        phi.features(flat[start : start + 32].astype(np.float32) / 127.5 - 1.0, (phi.embedding,))[0]
        for start in range(0, len(flat), 32)
    ]
    return np.concatenate(maps).reshape(*images.shape[:2], *maps[0].shape[1:])


def trained(views: np.ndarray, seed: int) -> np.ndarray:
    """The adapter's kernel ``[C, C]`` after ``STEPS`` steps on maps ``[V, N, 2, h, w, C]``."""
    import tensorflow as tf

    from iacyclegan_tf.common.keras_door import keras
    from iacyclegan_tf.method.pair_matching import contrast, freed_of_means
    from iacyclegan_tf.training.recognizer_phases import warmed_up_cosine

    random, people = np.random.default_rng(seed), min(PEOPLE, views.shape[1])
    kernel = tf.Variable(np.eye(views.shape[-1], dtype=np.float32))
    optimizer, labels = keras.optimizers.Adam(warmed_up_cosine(RATE, STEPS, WARM_UP)), np.repeat(range(people), 2)

    @tf.function
    def step(maps):
        with tf.GradientTape() as tape:
            vectors = tf.math.l2_normalize(tf.reshape(maps @ kernel, [2 * people, -1]), axis=1)
            loss, _ = contrast(freed_of_means(vectors), tf.constant(labels), SCALE)
        optimizer.apply_gradients([(tape.gradient(loss, kernel), kernel)])

    for _ in range(STEPS):
        some = views[random.integers(len(views)), random.permutation(views.shape[1])[:people]]
        step(tf.constant(some.reshape(2 * people, *some.shape[2:])))
    return kernel.numpy()


def judged(maps: np.ndarray, train: np.ndarray) -> str:
    """``none``: each sketch against all photos of those not trained on, from the nearer of the two mean embeddings."""
    from iacyclegan_tf.metrics import d_prime, genuine_and_impostor_scores, rank_k, rank_of_match, verification_rate

    flat = maps.reshape(*maps.shape[:2], -1)
    vectors = flat / np.linalg.norm(flat, axis=-1, keepdims=True)
    centres = vectors[train].mean(0)
    nearest = np.argmax(vectors @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T, -1)
    vectors = vectors - centres[nearest]
    vectors = vectors[~train] / np.linalg.norm(vectors[~train], axis=-1, keepdims=True)
    scores, people = vectors[:, 1] @ vectors[:, 0].T, range(len(vectors))
    rates = " / ".join(f"{100 * verification_rate(scores, people, people, far):.1f}" for far in (0.01, 0.001))
    rank1 = 100 * rank_k(rank_of_match(scores, people, people), 1)
    separation = d_prime(*genuine_and_impostor_scores(scores, people, people))
    return (
        f"{len(vectors)} people, rank-1 {rank1:.1f} %, verification at FAR 1 % / 0.1 %: {rates} %, d′ {separation:.2f}"
    )


if __name__ == "__main__":
    main()
