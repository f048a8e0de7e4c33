#!/bin/sh
# Makes the two virtual environments of the benches: benches/setup.sh [FOLDER] (default: .venv-bench).
# text-dedup pins packages that the others cannot share, so it gets FOLDER-text-dedup and is called as a command.
# thresher itself is not installed here: build and install the checkout into FOLDER first or afterwards, optimised.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
folder=${1:-$here/../.venv-bench}
python=${PYTHON:-python3}
for name in "" -text-dedup; do
    "$python" -m venv "$folder$name"
    "$folder$name/bin/python" -m pip install --quiet --upgrade pip
    "$folder$name/bin/python" -m pip install --quiet -r "$here/requirements$name.txt"
done
