"""The pusher: versions appear whole or not at all, are never changed, and the server's files follow them."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from google.protobuf import text_format
from serving_protos import BatchingParameters, MonitoringConfig
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import BatchingConfig, ExportConfig
from iacyclegan_tf.serving.publishing.pusher import fingerprint, push
from iacyclegan_tf.serving.publishing.server_files import batching, models
from iacyclegan_tf.serving.signatures import SERVABLES
from iacyclegan_tf.serving.version_folders import SUMS, check_files, sums


def exports(folder: Path, content: str, servables=SERVABLES) -> dict[str, Path]:
    """Folders with the files of a SavedModel, filled with a few words."""
    for servable in servables:
        for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
            path = folder / content / servable / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content} {servable} {name}")
    return {servable: folder / content / servable for servable in servables}


def write_sums(folder: Path) -> None:
    (folder / "assets.extra").mkdir(exist_ok=True)
    (folder / SUMS).write_text(sums(folder))


def flip(path: Path, bit: int = 12) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def versions(base: Path) -> dict[str, list[str]]:
    return {
        servable: sorted(path.name for path in (base / servable).iterdir())
        for servable in SERVABLES
        if (base / servable).exists()
    }


def served(base: Path) -> dict:
    config = text_format.Parse((base / "models.config").read_text(), ModelServerConfig())
    return {one.name: one for one in config.model_config_list.config}


def test_a_push_copies_everything_under_one_new_number(tmp_path):
    base, first = tmp_path / "serving", exports(tmp_path, "first")
    assert push(first, base, ExportConfig(), "run round 1") == 1
    assert push(exports(tmp_path, "second"), base, ExportConfig(), "run round 2") == 2
    assert versions(base) == {servable: ["1", "2"] for servable in SERVABLES}
    for servable, folder in first.items():
        for path in folder.rglob("*"):
            if path.is_file():
                assert (base / servable / "1" / path.relative_to(folder)).read_bytes() == path.read_bytes()
        record = json.loads((base / servable / "1/assets.extra/pushed.json").read_text())
        assert record == {"from": "run round 1", "sha256": fingerprint(folder)}


def test_another_runs_versions_keep_their_label_unless_told(tmp_path):
    base = tmp_path / "serving"
    push(exports(tmp_path, "first"), base, ExportConfig(), "one round 1")
    other = exports(tmp_path, "second")
    with pytest.raises(UserError, match="serves one round 1, and other round 1 does not take its place unasked"):
        push(other, base, ExportConfig(), "other round 1")
    assert versions(base) == {servable: ["1"] for servable in SERVABLES}
    assert push(other, base, ExportConfig(), "other round 1", overwrite=True) == 2


def test_a_folder_of_other_files_does_not_become_a_base(tmp_path):
    first, base = exports(tmp_path, "first"), tmp_path / "base"
    base.mkdir()
    (base / "models.config").write_text("mine")
    with pytest.raises(UserError, match="of others and no serving base"):
        push(first, base, ExportConfig(), "one round 1")
    assert [path.name for path in base.iterdir()] == ["models.config"]


def test_servables_of_one_push_share_a_number_that_is_new_for_all(tmp_path):
    base = tmp_path / "serving"
    push(exports(tmp_path, "first", SERVABLES[:1]), base, ExportConfig(), "")
    assert push(exports(tmp_path, "second"), base, ExportConfig(), "") == 2
    assert versions(base) == {SERVABLES[0]: ["1", "2"], **{servable: ["2"] for servable in SERVABLES[1:]}}


def test_what_is_there_is_not_pushed_again(tmp_path):
    base, first = tmp_path / "serving", exports(tmp_path, "first")
    assert push(first, base, ExportConfig(), "") == push(first, base, ExportConfig(), "") == 1
    assert versions(base) == {servable: ["1"] for servable in SERVABLES}


def test_a_push_that_was_cut_short_goes_on_under_its_number(tmp_path):
    base, both = tmp_path / "serving", exports(tmp_path, "first")
    push({SERVABLES[0]: both[SERVABLES[0]]}, base, ExportConfig(), "")
    (base / SERVABLES[1] / ".1.partial").mkdir(parents=True)
    (base / SERVABLES[1] / ".1.partial/saved_model.pb").write_text("half")
    assert push(both, base, ExportConfig(), "") == 1
    assert versions(base) == {servable: ["1"] for servable in SERVABLES}


def test_a_version_that_somebody_else_put_there_is_neither_changed_nor_removed(tmp_path):
    base = tmp_path / "serving"
    (base / SERVABLES[0] / "7").mkdir(parents=True)
    (base / SERVABLES[0] / "7/saved_model.pb").write_text("mine")
    numbers = [push(exports(tmp_path, str(i)), base, ExportConfig(keep=2), "") for i in range(4)]
    assert numbers == [8, 9, 10, 11]
    assert (base / SERVABLES[0] / "7/saved_model.pb").read_text() == "mine"
    assert versions(base)[SERVABLES[0]] == ["10", "11", "7"] and versions(base)[SERVABLES[1]] == ["10", "11"]


def test_the_version_may_be_the_time(tmp_path):
    before = int(time.time())
    first = push(exports(tmp_path, "first"), tmp_path / "serving", ExportConfig(version="time"), "")
    second = push(exports(tmp_path, "second"), tmp_path / "serving", ExportConfig(version="time"), "")
    assert before <= first < second <= int(time.time()) + 1


@pytest.mark.parametrize("keep, left", [(0, [1, 2, 3, 4, 5]), (2, [4, 5]), (3, [3, 4, 5])])
def test_old_versions_go_by_policy(tmp_path, keep, left):
    base = tmp_path / "serving"
    for i in range(5):
        push(exports(tmp_path, str(i)), base, ExportConfig(keep=keep), "")
    assert versions(base) == {servable: list(map(str, left)) for servable in SERVABLES}


def test_a_base_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "serving").write_text("a file")
    with pytest.raises(UserError, match=f"could not be pushed to {tmp_path / 'serving'}"):
        push(exports(tmp_path, "first"), tmp_path / "serving", ExportConfig(), "")


# ---------------------------------------------------------------- what was blessed is what is pushed


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001", SUMS]
)
def test_nothing_is_pushed_where_one_bit_has_changed(tmp_path, name):
    base, first = tmp_path / "serving", exports(tmp_path, "first")
    for folder in first.values():
        write_sums(folder)
    assert push(first, base, ExportConfig(), "") == 1
    again = exports(tmp_path, "second")
    for folder in again.values():
        write_sums(folder)
    flip(again[SERVABLES[3]] / name)
    with pytest.raises(UserError, match=r"not as it was exported|is missing|does not name|cannot be read"):
        push(again, base, ExportConfig(), "")
    assert versions(base) == {servable: ["1"] for servable in SERVABLES}


def test_a_copy_that_went_wrong_is_not_pushed(tmp_path, monkeypatch):
    first = exports(tmp_path, "first", SERVABLES[:1])
    write_sums(first[SERVABLES[0]])
    copy = shutil.copytree

    def damaging(source, target, *more, **named):
        copy(source, target, *more, **named)
        if named:  # the outermost call
            flip(target / "saved_model.pb")

    monkeypatch.setattr(shutil, "copytree", damaging)
    with pytest.raises(UserError, match="not as it was exported"):
        push(first, tmp_path / "serving", ExportConfig(), "")
    assert versions(tmp_path / "serving") == {SERVABLES[0]: []}


def test_sums_are_those_of_sha256sum_and_files_may_be_added(tmp_path):
    folder = exports(tmp_path, "first")[SERVABLES[0]]
    check_files(folder)  # an export of an earlier build, without sums
    write_sums(folder)
    (folder / "assets.extra/pushed.json").write_text("{}")
    check_files(folder)
    subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=folder, check=True)
    (folder / "variables/variables.index").unlink()
    with pytest.raises(UserError, match=r"variables.index is missing"):
        check_files(folder)


def test_a_push_record_that_is_damaged_is_named(tmp_path):
    base, first = tmp_path / "serving", exports(tmp_path, "first")
    push(first, base, ExportConfig(), "")
    (base / SERVABLES[0] / "1/assets.extra/pushed.json").write_bytes(b"\xff{")
    with pytest.raises(UserError, match=r"pushed.json cannot be read"):
        push(first, base, ExportConfig(), "")


# ---------------------------------------------------------------- the server's files


def test_models_config_labels_the_newest_and_loads_the_one_before(tmp_path):
    base = tmp_path / "serving"
    for i in range(3):
        push(exports(tmp_path, str(i), SERVABLES if i else SERVABLES[:1]), base, ExportConfig(), "")
    config = served(base)
    assert list(config) == list(SERVABLES)
    for servable in SERVABLES:
        one = config[servable]
        assert one.base_path == f"/models/{servable}" and one.model_platform == "tensorflow"
        assert dict(one.version_labels) == {"stable": 3, "canary": 3}
        assert list(one.model_version_policy.specific.versions) == [2, 3]


def test_a_version_for_trial_is_canary_and_never_stable(tmp_path):
    """Somebody's own version, without a blessing: labels point to loaded versions only."""
    base = tmp_path / "serving"
    push(exports(tmp_path, "0"), base, ExportConfig(), "")
    (base / "photo_to_sketch/5").mkdir()
    push(exports(tmp_path, "0"), base, ExportConfig(), "")
    one = served(base)["photo_to_sketch"]
    assert dict(one.version_labels) == {"stable": 1, "canary": 5}
    assert list(one.model_version_policy.specific.versions) == [1, 5]
    latest = text_format.Parse(models(base, ExportConfig(version_policy="latest")), ModelServerConfig())
    assert latest.model_config_list.config[0].model_version_policy.latest.num_versions == 2


def test_paths_with_any_characters_are_read_back(tmp_path):
    push(exports(tmp_path, "0"), tmp_path, ExportConfig(server_path='/a "b"\\c/Müller/'), "")
    assert served(tmp_path)["photo_to_sketch"].base_path == '/a "b"\\c/Müller/photo_to_sketch'


def test_only_servables_that_were_pushed_are_configured(tmp_path):
    push(exports(tmp_path, "0", SERVABLES[2:3]), tmp_path / "serving", ExportConfig(), "")
    assert list(served(tmp_path / "serving")) == [SERVABLES[2]]


def test_batching_and_monitoring_parse_as_the_servers_protos(tmp_path):
    settings = ExportConfig(batching=BatchingConfig(max_batch_size=24, timeout_micros=100, threads=3))
    push(exports(tmp_path, "0"), tmp_path / "serving", settings, "")
    found = text_format.Parse((tmp_path / "serving/batching.config").read_text(), BatchingParameters())
    assert (found.max_batch_size.value, found.batch_timeout_micros.value, found.num_batch_threads.value) == (24, 100, 3)
    assert text_format.Parse(batching(settings.batching), BatchingParameters()) == found
    monitoring = text_format.Parse((tmp_path / "serving/monitoring.config").read_text(), MonitoringConfig())
    assert monitoring.prometheus_config.enable and monitoring.prometheus_config.path == "/monitoring/prometheus/metrics"


# ---------------------------------------------------------------- kills


@pytest.mark.slow
def test_200_kills_leave_only_complete_versions():
    """SIGKILL at random moments of pushes; after each, every version that a server would take is whole."""
    kills, memory = 200, Path("/dev/shm")  # in memory fsync costs nothing, and a kill is no power failure
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        done = subprocess.run(
            [sys.executable, Path(__file__).parents[1] / "kill_pushes.py", folder, str(kills)],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        left = [path for path in Path(folder, "serving").rglob(".*") if path.name != ".lock"]
    result = json.loads(done.stdout)
    print(result)
    assert result["killed"] == kills and result["kinds"] >= 4, "the kills hit too few kinds of moments"
    assert not left, "the last push clears away what the killed ones left aside"
