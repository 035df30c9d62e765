"""Nothing in this package runs what a file says, reaches the network unasked, or opens a path that an archive or
table chose.

SECURITY.md says why for each; these tests read the source, so that a line that breaks a promise is named. What
hostile files do to the readers is in test_fuzz.py, test_vggface_wrong_files.py, test_layouts.py (archives) and
test_config.py (YAML).
"""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SET = "requirements.txt" if sys.version_info < (3, 12) else "requirements-current.txt"
PACKAGE = ROOT / "iacyclegan_tf"
TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}


@functools.cache
def calls() -> list[tuple[str, str, ast.Call]]:
    """(file, what is called as written, the call) of the whole package."""
    return [
        (file, ast.unparse(node.func), node)
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


def called(pattern: str) -> list[str]:
    return sorted({f"{file}:{node.lineno} {name}" for file, name, node in calls() if re.fullmatch(pattern, name)})


def keywords(call: ast.Call) -> dict[str, str]:
    return {word.arg: ast.unparse(word.value) for word in call.keywords if word.arg}


# One pattern a promise: what runs code from data, or opens what it is told to.
FORBIDDEN = {
    "eval and exec": r"(builtins\.)?(eval|exec|compile|__import__)",
    "modules named by data": r"(importlib\.)?import_module",
    "pickle": r"(pickle|cPickle|marshal|shelve|dill|joblib|cloudpickle)\..*",
    "pandas, whose readers unpickle": r"pd\.read_.*|pandas\..*",
    "Keras loaders, which rebuild Lambda layers": r".*\b(load_model|model_from_(json|config|yaml)"
    r"|deserialize_keras_object|enable_unsafe_deserialization|get_custom_objects)",
    "Keras Lambda layers": r".*\blayers\.Lambda",
    "Python inside a graph": r"tf\.(py_function|numpy_function|py_func)",
    "custom operations": r".*\bload_(op_)?library",
    "YAML with objects": r"yaml\.(unsafe_load|full_load|load_all|unsafe_load_all|full_load_all)",
    "shells": r"os\.(system|popen|exec.*|spawn.*)",
    "archives unpacked unseen": r".*\.(extractall|unpack_archive)|tarfile\..*",
    "files without a private name": r"tempfile\.mktemp",
    "downloads": r"(urllib\.request|requests|urlopen|.*\bget_file)\b.*",
    "listening sockets": r"(socketserver|http\.server|socket)\..*",
}


# Where a promise does not hold, and why that is no danger.
EXCEPTIONS = {
    (
        "modules named by data",
        "iacyclegan_tf/__init__.py",
    ): "public names from a table in that file, imported when first used",
    (
        "Python inside a graph",
        "iacyclegan_tf/data/streams/image_sources.py",
    ): "training images are read from their files in tf.data, in this process; no export has it",
    ("listening sockets", "iacyclegan_tf/web/server.py"): "the page in the browser, on 127.0.0.1 unless told otherwise",
}


@pytest.mark.parametrize("promise", FORBIDDEN)
def test_what_is_never_called(promise):
    assert [line for line in called(FORBIDDEN[promise]) if (promise, line.split(":")[0]) not in EXCEPTIONS] == []


def test_the_patterns_find_what_they_forbid():
    """A pattern that matches nothing would promise nothing."""
    samples = {
        "eval and exec": "eval",
        "modules named by data": "importlib.import_module",
        "pickle": "pickle.load",
        "pandas, whose readers unpickle": "pd.read_pickle",
        "Keras loaders, which rebuild Lambda layers": "keras.models.load_model",
        "Keras Lambda layers": "keras.layers.Lambda",
        "Python inside a graph": "tf.py_function",
        "custom operations": "tf.load_op_library",
        "YAML with objects": "yaml.full_load",
        "shells": "os.system",
        "archives unpacked unseen": "archive.extractall",
        "files without a private name": "tempfile.mktemp",
        "downloads": "keras.utils.get_file",
        "listening sockets": "socket.create_server",
    }
    assert samples.keys() == FORBIDDEN.keys()
    for promise, sample in samples.items():
        assert re.fullmatch(FORBIDDEN[promise], sample), promise


def test_every_yaml_load_names_a_loader_without_objects():
    loads = [(file, keywords(call).get("Loader")) for file, name, call in calls() if name == "yaml.load"]
    assert loads == [("iacyclegan_tf/config/strict_yaml.py", "_StrictTextLoader if only_text else _StrictLoader")]
    bases = {
        node.name: [ast.unparse(base) for base in node.bases]
        for node in ast.walk(TREES["iacyclegan_tf/config/strict_yaml.py"])
        if isinstance(node, ast.ClassDef)
    }
    assert bases == {
        "_Strict": [],
        "_StrictLoader": ["_Strict", "yaml.SafeLoader"],
        "_StrictTextLoader": ["_Strict", "yaml.BaseLoader"],
    }


def test_numpy_never_unpickles():
    loads = [
        (file, keywords(call))
        for file, name, call in calls()
        if name in ("np.load", "numpy.load", "np.lib.format.read_array")
    ]
    assert loads and all(words.get("allow_pickle") == "False" for _, words in loads), loads


def test_no_child_process_gets_a_shell_and_each_is_one_of_ours():
    started = [
        (file, ast.unparse(call.args[0]))
        for file, name, call in calls()
        if name.startswith("subprocess.") and call.args
    ]
    assert all("shell" not in keywords(call) for _, name, call in calls() if name.startswith("subprocess."))
    assert started and all(command.startswith("[sys.executable, ") for _, command in started), started


# SavedModels are programs: each place that opens one, and whose path it is.
SAVED_MODELS = {
    "iacyclegan_tf/evaluation/measure_run.py": "a run that the user named",
    "iacyclegan_tf/serving/calling.py": "a run or a folder of exports that the user named",
}


def test_saved_models_are_opened_in_known_places_only():
    assert {line.split(":")[0] for line in called(r"tf\.saved_model\.load")} <= SAVED_MODELS.keys()


def test_the_environment_is_neither_kept_nor_told():
    """Tokens live in environments and home folders: only variables of known names are read, and no file of the
    user's."""
    read = {}
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            text = ast.unparse(node) if isinstance(node, (ast.Call, ast.Subscript)) else ""
            if re.match(r"os\.(environ|getenv)", text):
                read.setdefault(file, set()).update(re.findall(r"'([A-Z_]+)'", text))
        names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        forbidden = {"Path.home", "os.path.expanduser", "os.environb", "getpass.getuser"}
        if Path(file).name == "user_paths.py":  # the one door for ~ in what a user typed
            forbidden.remove("os.path.expanduser")
        assert not names & forbidden, file
    assert set.union(*read.values()) == {"TF_CPP_MIN_LOG_LEVEL", "KERAS_HOME", "PATH"}, read


@pytest.mark.parametrize(
    "server", ["user:secret@host:8501", "user:secret@host", "https://host:8501", "host/path:8501", "ho st:1"]
)
def test_a_server_is_a_host_and_a_port_and_no_password_is_repeated(server):
    done = subprocess.run(
        [sys.executable, "-m", "iacyclegan_tf.client", "status", "--server", server],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (
        done.returncode == 2 and done.stderr.startswith("error: --server") and "secret" not in done.stderr + done.stdout
    )
    assert "HOST or HOST:PORT" in done.stderr


def test_every_package_of_the_tested_set_is_pinned_to_one_version():
    """The set of this Python; packages that it does not need have a marker."""
    lines = []
    for line in (ROOT / SET).read_text().splitlines():
        line, _, marker = line.partition("; ")
        if line and not line.startswith("#") and (not marker or Marker(marker).evaluate()):
            lines.append(line)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.]+", line) for line in lines)
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines}
    assert len(pinned) == len(lines)
    from importlib.metadata import requires, version

    needs = {
        (name, needed.name)
        for name in pinned
        for needed in map(Requirement, requires(name) or [])
        if needed.marker is None or needed.marker.evaluate({"extra": ""})
    }
    assert sorted(f"{name} needs {other}" for name, other in needs if canonicalize_name(other) not in pinned) == []
    different = [line for line in lines if version(line.split("==")[0]) != line.split("==")[1]]
    assert different == []


def test_the_table_of_known_flaws_is_of_the_versions_that_are_pinned():
    import runpy

    script = runpy.run_path(str(ROOT / "docs/known_flaws.py"))
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert script["written"](page) == page, "run python docs/known_flaws.py"
    assert f"| opencv-python-headless {script['pinned']()['opencv-python-headless']} | CVE-2025-53644" in page
