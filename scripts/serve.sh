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

echo "Starting the app (stop with Ctrl-C)"
"$python" -m streamlit run app.py --server.port "$port" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; [ -z "${TMPDIR:-}" ] || case "$TMPDIR" in /dev/shm/mrnet-*) rm -rf "$TMPDIR";; esac' EXIT
trap 'exit 130' INT TERM

"$python" - "$port" "$server" <<'PY' || true
import os, sys, time, urllib.error, urllib.request
address, server = f"http://127.0.0.1:{sys.argv[1]}", int(sys.argv[2])
while True:
    try:
        os.kill(server, 0)  # the server lives: however slow the machine, it will answer
        urllib.request.urlopen(f"{address}/_stcore/script-health-check", timeout=120).read()
        break
    except ProcessLookupError:
        sys.exit()
    except urllib.error.HTTPError:
        break  # it answers, though a page has an error: that page says so itself
    except OSError:
        time.sleep(0.25)
print(f"The app is ready: {address}", flush=True)
PY
wait "$server"
