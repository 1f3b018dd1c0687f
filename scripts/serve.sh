#!/usr/bin/env bash
# Starts the app on 127.0.0.1:PORT. Uploads are spooled to memory where the system has a memory file system,
# and one request at start makes links straight to a page work at once.
set -euo pipefail
port=${PORT:-8501}
python=${PYTHON:-.venv/bin/python}

if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    TMPDIR=$(mktemp -d /dev/shm/mrnet-XXXXXX)
    export TMPDIR
    trap 'rm -rf "$TMPDIR"' EXIT
fi

if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    echo "Port $port is in use: stop what runs there, or choose another with PORT=8502 make app" >&2
    exit 1
fi

echo "Starting the app on http://127.0.0.1:$port (stop with Ctrl-C)"
"$python" -m streamlit run app.py --server.port "$port" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; [ -z "${TMPDIR:-}" ] || case "$TMPDIR" in /dev/shm/mrnet-*) rm -rf "$TMPDIR";; esac' EXIT
trap 'exit 130' INT TERM

"$python" - "$port" <<'PY' || true
import sys, time, urllib.request
url = f"http://127.0.0.1:{sys.argv[1]}/_stcore/script-health-check"
for _ in range(120):
    try:
        urllib.request.urlopen(url, timeout=30).read()
        break
    except OSError:
        time.sleep(0.25)
PY
wait "$server"
