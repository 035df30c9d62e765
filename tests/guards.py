"""Takes one guard away at a time and runs its test, which must fail: python tests/guards.py [WORD ...]

Works on a copy of the repository. With words only the guards whose name holds one of them. Not part of ``make test``; run it
after a guard or its test has changed. docs/reliability.md holds the result of the last run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Guard(NamedTuple):
    name: str
    file: str  # below iacyclegan_tf/
    there: str  # must stand in it exactly once
    instead: str
    test: str  # its file and (part of) its name


GUARDS = (
    Guard(
        "a step that is not finite is not taken",
        "descent.py",
        "    finite = tf.math.is_finite(losses) & tf.reduce_all(",
        "    finite = tf.math.is_finite(0.0 * tf.zeros_like(losses)) | tf.reduce_all(",
        "test_faults.py::test_all_optimizers_step_or_none",
    ),
    Guard(
        "all replicas agree on it",
        "descent.py",
        '.all_reduce("sum", tf.add_n([d.loss for d in descents]))',
        '.all_reduce("sum", 0.0)',
        "test_faults.py::test_all_optimizers_step_or_none",
    ),
    Guard(
        "loss scaling may overflow",
        "descent.py",
        "    if scaling and optimizer.dynamic:",
        "    if False:",
        "test_faults.py::test_loss_scaling_may_overflow_while_the_scale_can_fall",
    ),
    Guard(
        "the run stops there",
        "training.py",
        "    everything = [StopOnNonFinite(returns), history,",
        "    everything = [history,",
        "test_faults.py::test_the_default_stops_names_step_and_images_and_keeps_the_last_good_checkpoint",
    ),
    Guard(
        "the rate is lowered",
        "training.py",
        "        rate.factor.assign(LOWER ** returns)",
        "        pass",
        "test_faults.py::test_lower_rate_returns_to_the_checkpoint_and_converges_where_the_full_rate_diverged",
    ),
    Guard(
        "tries are bounded",
        "training.py",
        "            if returns > settings.non_finite_tries:",
        "            if returns > 6:",
        "test_faults.py::test_tries_are_bounded",
    ),
    Guard(
        "signals are given back",
        "training.py",
        "    finally:\n        keeper.restore_handlers()",
        "    finally:\n        pass",
        "test_faults.py::test_signals_are_python_s_own_again_after_a_fault",
    ),
    Guard(
        "a discriminator at zero",
        "monitor.py",
        "            if mean < self.LIMIT and",
        "            if False and",
        "test_faults.py::test_a_discriminator_at_zero_is_warned_of_once_with_the_figure",
    ),
    Guard(
        "a collapsed generator",
        "snapshots.py",
        "            if people > 1 and",
        "            if False and",
        "test_faults.py::test_a_collapsed_generator_is_warned_of_with_both_figures",
    ),
    Guard(
        "one process per run folder",
        "run_folder.py",
        "        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "        pass",
        "test_crashes.py::test_a_second_process_is_refused_until_the_first_is_gone_even_by_sigkill",
    ),
    Guard(
        "no child holds the lock",
        "run_folder.py",
        "fcntl.lockf(file",
        "fcntl.flock(file",
        "test_crashes.py::test_a_child_does_not_hold_the_lock",
    ),
    Guard(
        "SIGTERM cleans up",
        "commands.py",
        "    _raise_on_sigterm()\n    if",
        "    if",
        "test_crashes.py::test_asked_to_stop_anywhere",
    ),
    Guard(
        "SIGTERM is not swallowed",
        "commands.py",
        "class Terminated(BaseException)",
        "class Terminated(Exception)",
        "test_crashes.py::test_asked_to_stop_anywhere",
    ),
    Guard(
        "a full disk is a sentence",
        "commands.py",
        "        if refusal is None:",
        "        if True:",
        "test_commands.py::test_expected_ends_are_one_line_and_a_code",
    ),
    Guard(
        "a full disk keeps earlier states",
        "checkpoint.py",
        '    except (OSError, tf.errors.OpError) as error:\n        raise UserError(f"{folder} could',
        '    except ZeroDivisionError as error:\n        raise UserError(f"{folder} could',
        "test_crashes.py::test_a_full_disk_ends_in_a_sentence",
    ),
    Guard(
        "changed bytes are noticed",
        "checkpoint.py",
        "        if (folder / _SUMS).read_text(",
        "        if False and (folder / _SUMS).read_text(",
        "test_crashes.py::test_every_changed_byte_of_a_saved_state_is_noticed",
    ),
    Guard(
        "a read-only folder",
        "run_folder.py",
        '        except OSError as error:\n            raise UserError(f"The run folder {self.path} cannot',
        '        except ZeroDivisionError as error:\n            raise UserError(f"The run folder {self.path} cannot',
        "test_crashes.py::test_a_read_only_run_folder",
    ),
    Guard(
        "states are renamed when whole",
        "atomic_files.py",
        "    aside = _aside(folder)\n    shutil",
        "    aside = folder\n    shutil",
        "test_checkpoint.py::test_new_folder_is_there_only_when_it_is_whole",
    ),
    Guard(
        "what kills leave is removed",
        "run_folder.py",
        "                remove_abandoned(folder)",
        "                pass",
        "test_run_folder.py::test_what_a_killed_writer_left",
    ),
    Guard(
        "what is being written stays",
        "atomic_files.py",
        "            fcntl.flock(handle, fcntl.LOCK_EX)",
        "            pass",
        "test_run_folder.py::test_what_a_killed_writer_left",
    ),
    Guard(
        "other data are refused",
        "run_folder.py",
        "        if before != data:",
        "        if False:",
        "test_run_folder.py::test_other_data_are_refused",
    ),
    Guard(
        "CSV names are no formulas",
        "spreadsheet_names.py",
        "if name.startswith(_FORMULA)",
        "if False",
        "test_gallery.py::test_no_name_is_a_formula",
    ),
    Guard(
        "names are UTF-8",
        "data/images.py",
        '        path.name.encode("utf-8")',
        "        pass",
        "test_bad_input.py::test_a_name_that_is_not_utf8",
    ),
    Guard(
        "any encoding may be printed",
        "commands.py",
        '        sys.stdout.reconfigure(errors="backslashreplace")',
        "        pass",
        "test_bad_input.py::test_the_command_reads_odd_but_good_files",
    ),
    Guard(
        "PNGs of few bits",
        "data/images.py",
        "    if header.depth < 8 and",
        "    if False and",
        "test_bad_input.py::test_pngs_of_1_2_4_and_8_bits_keep_their_colours",
    ),
    Guard(
        "PNGs of few bits, served",
        "serving/decoding.py",
        "    filled = (depth < 8) &",
        "    filled = (depth < 0) &",
        "test_decoding.py::test_pixels_are_those_of_the_door_for_files",
    ),
    Guard(
        "pixels are bounded",
        "data/images.py",
        "    if header.width * header.height > MAX_PIXELS:",
        "    if False:",
        "test_images.py::test_bomb_headers_are_refused_before_decoding",
    ),
    Guard(
        "packed files are bounded",
        "data/images.py",
        "unpacker.decompress(data, MAX_BYTES + 1)",
        "unpacker.decompress(data)",
        "test_images.py::test_packed_bomb_is_never_unpacked_whole",
    ),
    Guard(
        "archives stay inside",
        "data/archives.py",
        '    if ".." in parts or',
        "    if False and",
        "test_layouts.py::test_paths_that_lead_out",
    ),
    Guard(
        "links in archives",
        "data/archives.py",
        "    if stat.S_ISLNK(entry.external_attr >> 16):",
        "    if False:",
        "test_layouts.py::test_links_in_archives_are_refused",
    ),
    Guard(
        "tables stay inside",
        "data/manifest.py",
        "    if os.path.isabs(relative) or",
        "    if False and",
        "test_pairing.py::test_wrong_manifests",
    ),
    Guard(
        "YAML without anchors",
        "strict_yaml.py",
        '        if getattr(self.peek_event(), "anchor", None):',
        "        if False:",
        "test_config.py::test_broken_or_unsafe_files",
    ),
    Guard(
        "YAML keys stand once",
        "strict_yaml.py",
        "            if key in seen:",
        "            if False:",
        "test_config.py::test_broken_or_unsafe_files",
    ),
    Guard(
        "YAML without objects",
        "strict_yaml.py",
        "class _StrictLoader(_Strict, yaml.SafeLoader):",
        "class _StrictLoader(_Strict, yaml.UnsafeLoader):",
        "test_config.py::test_nothing_is_run_by_a_tag",
    ),
    Guard(
        "no pickle in NumPy files",
        "models/npz_archive.py",
        "np.load(path, allow_pickle=False)",
        "np.load(path, allow_pickle=True)",
        "test_security.py::test_numpy_never_unpickles",
    ),
    Guard(
        "no password is repeated",
        "serving/connecting.py",
        'if "@" not in address else',
        "if True else",
        "test_security.py::test_a_server_is_a_host",
    ),
    Guard(
        "what reads foreign weights has a limit of memory",
        "models/vggface_weights/reading.py",
        "(resource.RLIMIT_AS, memory), ",
        "",
        "test_vggface_wrong_files.py::test_mat",
    ),
    Guard(
        "HDF5 stays inside its file",
        "models/vggface_weights/keras_h5.py",
        "if any(part.external or part.is_virtual for part in (kernel, bias)):",
        "if False:",
        "test_vggface_wrong_files.py::test_hdf5_that_points_outside_is_refused",
    ),
)


def without(guard: Guard, copy: Path) -> tuple[bool, str]:
    """Whether its test fails without it, and the last line of that."""
    path = copy / "iacyclegan_tf" / guard.file
    text = path.read_text(encoding="utf-8")
    assert text.count(guard.there) == 1, (
        f"{guard.name}: {guard.there!r} stands {text.count(guard.there)} times in {guard.file}"
    )
    path.write_text(text.replace(guard.there, guard.instead), encoding="utf-8")
    file, name = guard.test.split("::")
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "--no-header",
                "-p",
                "no:cacheprovider",
                f"tests/{file}",
                "-k",
                name,
            ],
            cwd=copy,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(copy)},
        )
    finally:
        path.write_text(text, encoding="utf-8")
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert done.returncode in (0, 1), f"{guard.name}: no test ran\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.returncode == 1, lines[0] if lines else "passed"


def main(words: list[str]) -> None:
    chosen = [guard for guard in GUARDS if not words or any(word in guard.name for word in words)]
    needless = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "runs", "__pycache__"))
        for guard in chosen:
            begun = time.monotonic()
            failed, line = without(guard, copy)
            needless += [] if failed else [guard.name]
            print(
                f"{'fails' if failed else 'PASSES'} without: {guard.name} ({guard.file}) {time.monotonic() - begun:.0f} s: "
                f"{line[:150]}",
                flush=True,
            )
    print(
        f"{len(chosen) - len(needless)} of {len(chosen)} guards are needed"
        + (f"; not shown: {needless}" if needless else "")
    )
    sys.exit(1 if needless else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
