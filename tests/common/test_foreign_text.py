"""Text from elsewhere cannot steer the terminal or flood it."""

from iacyclegan_tf.common.foreign_text import printable


def test_control_characters_are_escaped_and_letters_of_all_scripts_stay():
    assert printable("\x1b]0;title\x07\nb\u202e") == "\\x1b]0;title\\x07\\nb\\u202e"
    assert printable("José 文字 नमस्ते") == "José 文字 नमस्ते"
    assert printable(b"\x00") == "b'\\x00'"


def test_long_text_is_cut():
    assert printable("x" * 5_000_000) == "x" * 300 + "…"
    assert printable("x" * 300) == "x" * 300
