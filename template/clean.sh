# shellcheck shell=bash
# Sourced when the job ends. The session's guard has ended its processes and removed its keys; this is for the case that
# it couldn't.
if [ -n "${SCRIPT_PID:-}" ] && kill -0 "$SCRIPT_PID" 2>/dev/null; then
  kill -s TERM "$SCRIPT_PID" 2>/dev/null
  for _ in {1..100}; do
    kill -0 "$SCRIPT_PID" 2>/dev/null || break
    sleep 0.1
  done
  kill -s KILL "$SCRIPT_PID" 2>/dev/null
fi
rm -f session/api.key session/keys.json session/login.key
true
