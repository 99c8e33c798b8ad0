"""A copy of the repository in which faults are planted: built and tested there, never where somebody works."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import typing as t

from .fault import Mutation

ROOT = pathlib.Path(__file__).resolve().parents[2]

#: Tests that say something of the tree and not of the code: here a mutated text is not found any longer.
NOT_ASKED = ("tests/test_planted_faults.py",)

_CARGO = ["--locked", "--profile", "mutations"]


class DoesNotApply(Exception):
    """A mutation's text does not stand exactly once in its file."""


class DoesNotBuild(Exception):
    """Code with a fault in it that the compiler refuses: this says nothing about the tests."""


def applied(mutation: Mutation, root: pathlib.Path) -> dict[str, str]:
    """The files of a mutation with the fault in them.

    :raises DoesNotApply: where a text to be replaced is not there, or is there more than once.
    """
    texts: dict[str, str] = {}
    for file, old, new in mutation.edits:
        text = texts[file] if file in texts else (root / file).read_text()
        if text.count(old) != 1:
            raise DoesNotApply(f"{mutation.name}: {file} has this {text.count(old)} times: {old!r}")
        texts[file] = text.replace(old, new)
    return texts


class Scratch:
    """The copy, its build, and the tests run in it."""

    def __init__(self) -> None:
        self.tree = ROOT / ".cache" / "mutations"
        target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
        self._target = pathlib.Path(target).resolve()
        self._environment = os.environ | {
            "CARGO_TARGET_DIR": str(self._target),
            "PYO3_PYTHON": sys.executable,
            "PYTHONPATH": str(self.tree / "python"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._copy()

    def _copy(self) -> None:
        """What git knows or could know. A file that is the same stays, so that little is built anew."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        names = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
        for name in names:
            here, there = ROOT / name, self.tree / name
            if there.is_file() and there.read_bytes() == here.read_bytes():
                continue
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(here, there)
        for there in [path for path in self.tree.rglob("*") if path.is_file()]:
            if str(there.relative_to(self.tree)) not in names:
                there.unlink()

    def plant(self, mutation: Mutation) -> dict[str, str]:
        """Puts the fault into the copy, and returns what :meth:`restore` takes."""
        texts = applied(mutation, self.tree)
        before = {file: (self.tree / file).read_text() for file in texts}
        self.restore(texts)
        return before

    def restore(self, texts: t.Mapping[str, str]) -> None:
        for file, text in texts.items():
            (self.tree / file).write_text(text)

    def build(self) -> None:
        """The extension module, where pytest finds it.

        :raises DoesNotBuild: with what the compiler says.
        """
        self._cargo("build", "--lib", "--features", "python")
        built = self._target / "mutations" / "libflask_session_rs.so"
        module = f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
        place = self.tree / "python" / "flask_session_rs" / module
        # Never over a file that a process may still have mapped.
        fresh = place.with_suffix(".new")
        shutil.copy(built, fresh)
        fresh.replace(place)

    def rust(self, tests: t.Sequence[str], seconds: float) -> str | None:
        """The first of these tests of the core that fails, or of all if none is named."""
        self._cargo("test", "--no-run", "--no-default-features", *_files(tests))
        for test in tests or ("",):
            command = ["cargo", "test", "--no-default-features", *_CARGO]
            if test:
                command += [*_files([test]), "--", "--exact", _name(test)]
            code, said = self._run(command, seconds)
            if code is None:
                return f"{test or 'the core'} (no end within {seconds:.0f} s)"
            if code != 0:
                failed = re.search(
                    r"^test (\S+)(?: - should panic)? \.\.\. FAILED$", said, re.MULTILINE
                )
                files = re.findall(r"Running (?:unittests )?(\S+)", said)
                file = files[-1] if files else "?"
                return f"{file}::{failed[1]}" if failed else f"{file} (crashed)"
            if test and "1 passed" not in said:
                raise DoesNotApply(f"{test} is no test")
        return None

    def python(self, tests: t.Sequence[str], seconds: float) -> str | None:
        """The first of these tests of the package that fails, or of all if none is named."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-v",
            "--tb=no",
            "-rfE",
            "-p",
            "no:cacheprovider",
        ]
        command += [f"--deselect={test}" for test in NOT_ASKED]
        command += ["-x", *tests]
        code, said = self._run(command, seconds)
        begun = re.findall(r"^(tests/\S+::\w+)", said, re.MULTILINE)
        last = begun[-1] if begun else "?"
        if code is None:
            return f"{last} (no end within {seconds:.0f} s)"
        failed = re.findall(r"^(?:FAILED|ERROR) (tests/[\w/.]+(?:::\w+)*)", said, re.MULTILINE)
        if failed:
            return str(failed[0])
        if code == 0:
            return None
        if code in (4, 5):
            raise DoesNotApply(f"pytest finds no such tests: {tests}")
        return f"{last} (crashed)"

    def _cargo(self, *command: str) -> None:
        code, said = self._run(["cargo", *command, *_CARGO], None)
        if code != 0:
            raise DoesNotBuild(said)

    def _run(self, command: list[str], seconds: float | None) -> tuple[int | None, str]:
        """The exit code and what was said; no code if it had not ended by then: it is killed, with all it started."""
        with subprocess.Popen(
            command,
            cwd=self.tree,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                said, _ = process.communicate()
                return None, said
            except BaseException:
                # It is a group of its own, which the terminal's Ctrl-C does not reach.
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return process.returncode, said


def _files(tests: t.Iterable[str]) -> list[str]:
    """The options by which cargo builds the files of these tests alone."""
    files = {pathlib.Path(test.split("::")[0]) for test in tests}
    own = ["--lib"] if any(file.parts[0] == "src" for file in files) else []
    others = sorted(file.stem for file in files if file.parts[0] == "tests")
    return own + [word for file in others for word in ("--test", file)]


def _name(test: str) -> str:
    """The name of a test in its crate: one of the library's own has its module before it, where it is not there yet."""
    file, name = test.split("::", 1)
    root, *module = pathlib.Path(file).with_suffix("").parts
    return name if root == "tests" or module == ["lib"] else "::".join([*module, name])
