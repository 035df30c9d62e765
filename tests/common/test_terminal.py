"""What a terminal of 80 columns shows: bars with total and time left, sentences broken between words."""

import io

from rich.console import Console

from iacyclegan_tf.common.terminal import bar, say


def screen(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)


def test_a_bar_keeps_total_and_time_left():
    for words in ("round_2/sketch_recognizer of a run with a long name", "short"):
        for width in (80, 60):
            console = screen(width)
            shown = bar(console)
            shown.add_task(
                words, total=12345, completed=6789, values="cycle 0.706  adversarial 0.717  perception 0.129"
            )
            console.print(shown.get_renderable())
            lines = console.file.getvalue().splitlines()
            assert len(lines) == 1 and len(lines[0].rstrip()) <= width, lines
            assert "6789/12345" in lines[0].replace(" ", "") and "-:--" in lines[0] and "left" in lines[0]


def test_sentences_are_broken_between_words_and_paths_stay_whole():
    console, path = screen(40), f"/a/{'long' * 12}/path.png"
    say(console, f"The output {path} is there already and was not made by this command.")
    lines = console.file.getvalue().splitlines()
    assert path in (line.strip() for line in lines)
    assert " ".join(line.strip() for line in lines).split()[-3:] == ["by", "this", "command."]
    file = Console(file=io.StringIO(), width=40)
    say(file, "word " * 30)
    assert len(file.file.getvalue().splitlines()) == 1
