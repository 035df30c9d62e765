"""The judge of identity that took no part in training: dlib's network, on drawn people."""

import numpy as np

from iacyclegan_tf.config.settings import RecognizerConfig
from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.face_pairs import FacePairs
from iacyclegan_tf.evaluation.identity_judge import DlibJudge, judge_for

PEOPLE = 5


def test_dlib_judges_the_other_network_and_hog_judges_dlib():
    photos, sketches = zip(draw_pair(0, 0, seed=7, height=250, width=200))
    pairs = FacePairs(np.zeros([1, 4, 4, 3], np.uint8), np.zeros([1, 4, 4, 3], np.uint8), ("a",), photos, sketches)
    assert isinstance(judge_for(RecognizerConfig(network="vggface"), pairs), DlibJudge)
    assert judge_for(RecognizerConfig(network="dlib"), pairs) is None


def test_images_that_show_their_person_are_told_from_those_that_do_not():
    photos, sketches = zip(*(draw_pair(person, 0, seed=7, height=250, width=200) for person in range(PEOPLE)))
    again, _ = zip(*(draw_pair(person, 1, seed=7, height=250, width=200) for person in range(PEOPLE)))
    small = np.zeros([PEOPLE, 4, 4, 3], np.uint8)
    pairs = FacePairs(small, small, tuple("abcde"), photos, sketches)
    judge = DlibJudge(pairs)
    scores = judge.scores(again, sketches)
    assert np.mean(np.diag(scores["photos"])) > np.mean(scores["photos"]) + 0.2
    assert np.mean(np.diag(scores["sketches"])) > np.mean(scores["sketches"])
    shuffled = judge.scores(again[1:] + again[:1], sketches)["photos"]
    assert np.diag(shuffled).mean() < np.diag(scores["photos"]).mean()
