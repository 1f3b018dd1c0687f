#!/usr/bin/env bash
# Makes the virtual environment FOLDER (once) and installs REQUIREMENTS into it.
# Usage: environment.sh FOLDER REQUIREMENTS
set -euo pipefail
folder=$1
requirements=$2

usable() { "$1" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 12)))' 2>/dev/null; }

if [ ! -x "$folder/bin/python" ]; then
    found=""
    for candidate in "${PYTHON:-}" python3.12 python3.11 python3 python; do
        if [ -n "$candidate" ] && usable "$candidate"; then found=$candidate; break; fi
    done
    if [ -z "$found" ]; then
        echo "Python 3.11 or 3.12 is needed and was not found: install one (Debian, Ubuntu: apt install python3 python3-venv;" \
             "macOS: brew install python@3.12) or name it with PYTHON=/path/to/python3.12 make …" >&2
        exit 1
    fi
    if ! "$found" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$found has no venv module: install it (Debian, Ubuntu: apt install python3-venv), then run make again." >&2
        exit 1
    fi
    echo "Making the environment in $folder with $("$found" --version)"
    "$found" -m venv "$folder"
fi

echo "Installing $requirements into $folder (about two minutes the first time)"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
