"""Imports point one way, heavy libraries stay in their place, and commands answer at once."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "iacyclegan_tf"
PACKAGE = ROOT / NAME

# The rooms of the house, from the ground up: a room imports from lower floors only, or within itself.
FLOORS = (
    {"common"},
    {"config", "metrics"},
    {"data"},
    {"models"},
    {"method", "serving"},
    {"inference"},
    {"evaluation"},
    {"search", "training"},
    {"web"},
    {"__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
COMMANDS = (
    "app",
    "beam",
    "client",
    "compare",
    "evaluate",
    "export",
    "gallery",
    "prepare",
    "samples",
    "train",
    "translate",
    "weights",
)

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imported(tree: ast.AST) -> list[str]:
    """Absolute names of all modules imported anywhere, also inside functions and for type checking."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def own_imports(tree: ast.AST) -> set[str]:
    """Of those, the modules of this package, e.g. ``data.images``."""
    names = {name.removeprefix(f"{NAME}.") for name in imported(tree) if name.startswith(f"{NAME}.")}
    return {known for known in MODULES for name in names if known in (name, f"{name}.__init__")}


def importers(library: str) -> list[str]:
    return [name for name, tree in TREES.items() if any(i.split(".")[0] == library for i in imported(tree))]


def room(name: str) -> str:
    """The room of a module, e.g. ``data`` of ``data.images.files``; a command is on the floor above all rooms."""
    first = name.split(".")[0]
    return "__main__" if first in COMMANDS else first


def test_only_commands_and_rooms_lie_at_the_top():
    assert {path.name for path in PACKAGE.glob("*.py")} == {
        "__init__.py",
        "__main__.py",
        *(f"{name}.py" for name in COMMANDS),
    }
    assert {room(name) for name in MODULES} == set(FLOOR)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_downwards(name):
    for other in own_imports(TREES[name]):
        inside = room(name) == room(other) and name not in COMMANDS
        assert inside or FLOOR[room(other)] < FLOOR[room(name)], (
            f"{name} imports {other}, which is not on a lower floor"
        )


def test_no_two_modules_import_each_other_in_a_ring():
    """Inside a package, where floors say nothing."""
    graph = {name: own_imports(tree) for name, tree in TREES.items()}
    done = set()

    def visit(name, path):
        assert name not in path, f"a ring: {' -> '.join([*path, name])}"
        if name not in done:
            for other in graph[name]:
                if other != name.rpartition(".")[0] + ".__init__":
                    visit(other, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_metrics_need_numpy_scipy_and_errors_only():
    allowed = {*sys.stdlib_module_names, "numpy", "scipy", "skimage", NAME}
    for name in MODULES:
        if name.startswith("metrics."):
            assert {i.split(".")[0] for i in imported(TREES[name])} <= allowed, name
            assert {o.split(".")[0] for o in own_imports(TREES[name])} <= {"common", "metrics"}, name


@pytest.mark.parametrize(
    "library, file", [("tensorflow_addons", "method.triplet_loss"), ("tensorflow_io", "data.images.pixels")]
)
def test_libraries_that_end_are_imported_in_one_file_each(library, file):
    assert importers(library) == [file]


def test_keras_is_reached_through_its_door_alone():
    """Where ``keras`` is Keras 3, ``tf.train.Checkpoint`` saves our layers without their weights, and says nothing."""
    elsewhere = re.compile(
        r"\btf\.(keras|layers|initializers|losses|metrics|optimizers)\b|\b(tensorflow|tf)\.python\.keras\b"
        r"|^\s*(import (.*, *)?(tf_)?keras\b|from (tf_|tensorflow\.)?keras\b|from tensorflow import .*\bkeras\b)",
        re.MULTILINE,
    )
    door = PACKAGE / "common" / "keras_door.py"
    assert elsewhere.search(door.read_text(encoding="utf-8"))
    files = [path for folder in (NAME, "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 300 and door in files
    found = {str(path.relative_to(ROOT)) for path in files if elsewhere.search(path.read_text(encoding="utf-8"))}
    assert found == {"iacyclegan_tf/common/keras_door.py"}


def test_nothing_unsafe_is_imported():
    for library in ("pickle", "marshal", "shelve", "dill", "joblib"):
        assert importers(library) == []


# ---------------------------------------------------------------- commands


def has_main(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in tree.body)


HEAVY = (
    "tensorflow",
    "keras",
    "tf_keras",
    "tensorflow_addons",
    "tensorflow_io",
    "cv2",
    "matplotlib",
    "scipy",
    "skimage",
    "h5py",
    "rich",
    "gradio",
    "fastapi",
    "uvicorn",
    "apache_beam",
)


def help_of(name: str, *options: str) -> tuple[subprocess.CompletedProcess, float]:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *options, "-m", f"{NAME}.{name}", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    return done, time.perf_counter() - start


def test_commands_are_found():
    runs_alone = {"serving.publishing.stock_runtime"}  # started by its path, in a process without this package
    assert {name for name, tree in TREES.items() if has_main(tree)} == {*COMMANDS, "__main__", *runs_alone}


def test_all_commands_are_listed_and_installed(capsys, monkeypatch):
    from iacyclegan_tf import __main__ as listing

    assert sorted(listing.COMMANDS) == sorted(COMMANDS)
    monkeypatch.setattr(sys, "argv", ["iacyclegan"])
    listing.main()
    lines = capsys.readouterr().out.splitlines()
    for name in COMMANDS:
        (line,) = [line for line in lines if line.startswith(f"  python -m {NAME}.{name} ")]
        assert len(line) > 50
        assert f"iacyclegan-{name} = {NAME}.{name}:main" in (ROOT / "setup.cfg").read_text()


def test_usage_names_the_program_that_was_called(monkeypatch):
    from iacyclegan_tf.common.run_command import program

    monkeypatch.setattr(sys, "argv", ["/usr/bin/iacyclegan-translate"])
    assert program("translate") == "iacyclegan-translate"
    monkeypatch.setattr(sys, "argv", ["/x/iacyclegan_tf/translate.py"])
    assert program("translate") == "python -m iacyclegan_tf.translate"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_loads_nothing_heavy(name):
    done, _ = help_of(name, "-X", "importtime")
    assert done.returncode == 0 and done.stdout.startswith("usage: ") and len(done.stdout) > 100
    loaded = {
        line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "import time:" in line
    }
    assert "argparse" in loaded  # the listing was understood
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_answers_within_a_second(name):
    """The best of three, since other programs may run on this machine."""
    assert min(help_of(name)[1] for _ in range(3)) < 1.0


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_defined_twice(name):
    """A second function or class of one name silently replaces the first."""
    for scope in ast.walk(TREES[name]):
        if isinstance(scope, (ast.Module, ast.ClassDef)):
            names = [
                node.name
                for node in scope.body
                if isinstance(node, (ast.FunctionDef, ast.ClassDef))
                and not any(
                    "overload" in ast.unparse(one) or ".setter" in ast.unparse(one) for one in node.decorator_list
                )
            ]
            assert len(names) == len(set(names)), sorted({one for one in names if names.count(one) > 1})
