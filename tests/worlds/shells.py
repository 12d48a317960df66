"""Other people's shells: named settings that commands must not be changed by, each alone or all that go together."""

import contextlib
import dataclasses
import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

# Nothing can be written there, not even by root, whom modes do not bind.
READ_ONLY = "/sys"

ODD_PATH = "it's my, clé ünï"  # of a clone; MLflow cannot be where both kinds of quotes are

SHADOW = "raise SystemExit('a module of the user was imported')\n"
OLD_PYTHON = """\
#!/bin/sh
# A python3 that says it is 3.6.
exec {python} -I -c '
import sys
sys.argv = [each for each in sys.argv[1:] if each != "-I"]
sys.version_info = (3, 6, 15, "final", 0)
__file__ = sys.argv[0]
exec(compile(open(__file__).read(), __file__, "exec"))
' "$@"
"""


@dataclasses.dataclass(frozen=True)
class Shell:
    """What a shell does to the commands in it: variables (None: unset; {folder}: one of its own), and the process."""

    variables: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    process: Callable[[], None] | None = None
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)  # below its folder; programs where in bin/

    def run(
        self, command: Iterable[str | Path], folder: Path, cwd: Path, known: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the shell, which may use a folder of its own."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(python=shlex.quote(os.path.realpath(sys.executable))))
            path.chmod(0o755 if path.parent.name == "bin" else 0o644)
        environ = dict(known)
        for name, value in self.variables.items():
            environ.pop(name, None)
            if value is not None:
                environ[name] = value.format(folder=folder, PATH=known.get("PATH", ""))
        return subprocess.run(
            list(command),
            cwd=cwd,
            env=environ,
            capture_output=True,
            encoding="utf-8",
            preexec_fn=self.process,
        )

    def __or__(self, other: "Shell") -> "Shell":
        def both() -> None:
            for process in (self.process, other.process):
                if process:
                    process()

        return Shell({**self.variables, **other.variables}, both, {**self.files, **other.files})


def _few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _closed_stdin() -> None:
    with contextlib.suppress(OSError):
        os.close(0)


def _umask(mask: int) -> Callable[[], None]:
    return lambda: void(os.umask(mask))


def void(_: object) -> None:
    """Return nothing."""


SHELLS = {
    "LANG=C": Shell({"LANG": "C", "LC_ALL": None, "LANGUAGE": None}),
    "LC_ALL=POSIX": Shell({"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"}),
    "Turkish": Shell({"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr"}),
    "unknown locale": Shell({"LANG": "xx_XX.ISO-8859-9", "LC_ALL": "xx_XX.ISO-8859-9"}),
    "ASCII": Shell({"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "umask 077": Shell(process=_umask(0o077)),
    "umask 000": Shell(process=_umask(0)),
    "no HOME": Shell({"HOME": None}),
    "HOME is missing": Shell({"HOME": "{folder}/nowhere"}),
    "HOME is read-only": Shell({"HOME": READ_ONLY}),
    "HOME is no folder": Shell({"HOME": "/dev/null"}),
    "TMPDIR has spaces": Shell({"TMPDIR": "{folder}/t m p é"}, files={"t m p é/.keep": ""}),
    "TMPDIR is missing": Shell({"TMPDIR": "{folder}/nowhere"}),
    "TMPDIR is read-only": Shell({"TMPDIR": READ_ONLY}),
    "caches are read-only": Shell(
        dict.fromkeys(("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"), READ_ONLY)
    ),
    "modules of the user": Shell(
        {"PYTHONPATH": "{folder}/modules", "PYTHONSTARTUP": "{folder}/modules/json.py"},
        files={f"modules/{name}.py": SHADOW for name in ("json", "typing", "click", "yaml", "sitecustomize")},
    ),
    "another Python": Shell({"PYTHONHOME": "{folder}", "PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": None}),
    "Python without its asserts": Shell({"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONINSPECT": "1"}),
    "warnings are errors": Shell({"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"}),
    "an active environment": Shell(
        {"VIRTUAL_ENV": "{folder}/venv", "CONDA_PREFIX": "{folder}/conda", "CONDA_DEFAULT_ENV": "base"}
    ),
    "python3 is older": Shell({"PATH": "{folder}/bin:{PATH}"}, files={"bin/python3": OLD_PYTHON}),
    "pip": Shell({"PIP_USER": "1", "PIP_TARGET": "{folder}/t", "PIP_PREFIX": "{folder}/p", "PIP_NO_INDEX": "1"}),
    "POSIX": Shell({"POSIXLY_CORRECT": "1", "CDPATH": "/usr:/", "GREP_OPTIONS": "--color=always", "BASH_ENV": "/no"}),
    "make -j": Shell({"MAKEFLAGS": "-j4 --no-print-directory", "MAKELEVEL": "3"}),
    "another shell": Shell({"SHELL": "/nowhere/fish"}),
    "a shell that does nothing": Shell({"SHELL": "/bin/false"}),
    "no terminal": Shell({"TERM": None, "COLUMNS": "10", "LINES": "1"}),
    "colours": Shell({"TERM": "xterm-256color", "CLICOLOR_FORCE": "1", "FORCE_COLOR": "1", "PY_COLORS": "1"}),
    "no such time zone": Shell({"TZ": "Nowhere/Nothing"}),
    "far time zone": Shell({"TZ": "XXX+24:59:59", "SOURCE_DATE_EPOCH": "0"}),
    "few open files": Shell(process=_few_files),
    "stdin is closed": Shell(process=_closed_stdin),
    "no such engine": Shell({"DOCKER_HOST": "tcp://nowhere.invalid:1", "RUNTIME": None}),
    "in a git hook": Shell(
        {
            "GIT_DIR": "{folder}/.git",
            "GIT_INDEX_FILE": "{folder}/index",
            "GIT_WORK_TREE": "{folder}",
            "GIT_PREFIX": "x/",
        }
    ),
}

# Of settings that exclude each other, the later one.
ALL = Shell()
for _shell in SHELLS.values():
    ALL |= _shell
