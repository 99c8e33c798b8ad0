#!/usr/bin/env bash
# The threads' tests on a free-threaded CPython: the one that FREE_THREADED names, or one that is built and kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${FREE_THREADED:-}
if [ -z "$python" ]; then
    kept=$PWD/.cache/python-3.14t
    python=$kept/bin/python3.14t
    [ -x "$python" ] || tests/free-threaded-python.sh "$kept"
fi
if ! "$python" -c 'import sys; sys.exit(sys._is_gil_enabled())' 2>/dev/null; then
    echo "free-threaded: not run. $python is no free-threaded CPython" >&2
    exit 1
fi
version=$("$python" -c 'import sysconfig; print(sysconfig.get_python_version() + "t")')
venv=$PWD/.venv/$version
run=$venv/bin/python
if [ requirements/dev.txt -nt "$venv/.installed" ]; then
    "$python" -m venv --clear "$venv"
    # Left out: what has no wheel for it, and what no test below imports.
    grep -vE '^(gevent|eventlet|lupa|fakeredis|hiredis|greenlet|mypy|librt|ast-serialize|ruff|gunicorn)\b' \
        requirements/dev.txt >"$venv/requirements.txt"
    "$run" -m pip install --quiet --disable-pip-version-check --requirement "$venv/requirements.txt"
    touch "$venv/.installed"
fi
tests/install.sh redis-server
VIRTUAL_ENV=$venv "$venv/bin/maturin" develop --release --locked
# PYTHON_GIL=0: an extension that asks for the GIL does not get it. The second line proves that ours does not ask.
PYTHON_GIL=0 "$run" -m pytest tests/test_threads.py tests/test_session_object.py tests/test_lazy.py \
    tests/test_contract.py tests/test_record_codec.py tests/test_record_input.py tests/redis/test_many_threads.py "$@"
"$run" -W error -c 'import sys, flask_session_rs._native; sys.exit(sys._is_gil_enabled())'
