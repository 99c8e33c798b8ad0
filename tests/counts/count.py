"""The instructions of the core's hot paths, counted under callgrind and compared with tests/counts/counts.json.

    python tests/counts/count.py            exits with 1 if a path takes over 5 % more than the file says
    python tests/counts/count.py --update   writes the file anew

Counts hold for one processor (as valgrind shows it to the program: without SHA instructions and AVX-512), one
rustc, one libc and one valgrind. On others than the file names, this says so and judges nothing.

It needs nothing but Python's standard library, cargo and valgrind.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = pathlib.Path(__file__).with_name("counts.json")

# A rise of more than this share is named. The counts themselves are the same each time.
ALLOWED = 0.05
# Without SHA instructions the MAC is most of these paths, and a rise of the rest would be lost in it: it is counted
# alone as well, over the same bytes, and taken off.
WITHOUT_MAC = {"open": "mac_verify", "seal": "mac_sign"}
# Nearly empty: where the stack begins depends on what stands there.
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def build() -> str:
    """The program of tests/counts/paths.rs: optimised as the release is, with its symbols."""
    command = ["cargo", "build", "--locked", "--no-default-features", "--bench", "counts"]
    command += ["--profile", "profiling", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    executables = [
        message["executable"]
        for message in messages
        if message.get("executable") and message["target"]["name"] == "counts"
    ]
    return str(executables[-1])


def output(*command: str) -> str:
    """What a command says, its standard error included."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def about(program: str) -> dict[str, str]:
    """What the counts depend on, apart from the code."""
    facts = dict(
        line.split(": ", 1)
        for line in output("valgrind", "--tool=none", "--quiet", program, "about").splitlines()
    )
    rustc = subprocess.run(
        ["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    return {
        "processor": facts["processor"],
        "rounds": facts["rounds"],
        "rustc": rustc.stdout.strip(),
        "libc": " ".join(platform.libc_ver()).strip() or "unknown",
        "valgrind": output("valgrind", "--version").strip(),
    }


def count(program: str, path: str, rounds: int) -> int:
    """Instructions of one round of a path."""
    said = output(
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        "--collect-atstart=no",
        "--toggle-collect=*counted*",
        program,
        path,
    )
    collected = re.search(r"Collected : (\d+)", said)
    if collected is None or int(collected[1]) == 0:
        sys.exit(f"callgrind collected nothing of {path}:\n{said}")
    return round(int(collected[1]) / rounds)


def counts(program: str, rounds: int) -> dict[str, int]:
    """All paths, and those with the MAC once more without it."""
    found = {path: count(program, path, rounds) for path in output(program, "list").split()}
    for path, mac in WITHOUT_MAC.items():
        found[f"{path}_without_mac"] = found[path] - found[mac]
    return found


def judge(kept: dict[str, int], found: dict[str, int]) -> list[str]:
    """One line for each path that takes more than it may, or that the file and the program do not share."""
    risen = [
        f"{path}: {kept[path]} -> {found[path]} instructions, {found[path] / kept[path] - 1:+.1%}"
        for path in found.keys() & kept.keys()
        if found[path] > kept[path] * (1 + ALLOWED)
    ]
    strange = [f"{path}: in counts.json, and no longer a path" for path in kept.keys() - found]
    strange += [f"{path}: not in counts.json" for path in found.keys() - kept]
    return sorted(risen) + sorted(strange)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--update", action="store_true", help="write counts.json anew")
    update: bool = parser.parse_args().update

    program = build()
    machine = about(program)
    found = counts(program, int(machine["rounds"]))
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {"machine": {}, "counts": {}}

    for path, instructions in found.items():
        before = kept["counts"].get(path)
        print(f"{path:24} {instructions:8}" + (f"   kept: {before:8}" if before else ""))
    if update:
        KEPT.write_text(json.dumps({"machine": machine, "counts": found}, indent=2) + "\n")
        print(f"written to {KEPT.relative_to(ROOT)}")
        return 0

    differs = [
        f"{name}: {kept['machine'].get(name, 'not said')} in counts.json, {here} here"
        for name, here in machine.items()
        if kept["machine"].get(name) != here
    ]
    if differs:
        print("counts.json is for another machine: nothing is judged.", *differs, sep="\n  ")
        return 0
    failures = judge(kept["counts"], found)
    if failures:
        print(
            f"risen by more than {ALLOWED:.0%} (if it has to be: make counts UPDATE=1):",
            *failures,
            sep="\n  ",
        )
        return 1
    print(f"none has risen by more than {ALLOWED:.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
