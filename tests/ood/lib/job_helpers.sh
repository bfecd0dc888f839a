# What a sourced file of the app may call; job_script.rb fills in the numbers.
source_helpers () {
  random_number () { shuf -i "$1-$2" -n 1; }
  export -f random_number
  # Not exported, so a child of the script that asks port_used gets 127 for every strategy.
  port_used_nc () { nc -w 2 "$1" "$2" </dev/null >/dev/null 2>&1; }
  port_used_bash () { (: <"/dev/tcp/$1/$2") >/dev/null 2>&1; }
  port_used () {
    local port="${1#*:}" host strategy status
    host=$([[ $1 == *:* ]] && echo "${1%%:*}" || echo localhost)
    for strategy in port_used_nc port_used_bash; do
      "$strategy" "$host" "$port"
      status=$?
      if [ "$status" = 0 ] || [ "$status" = 1 ]; then return "$status"; fi
    done
    return 127
  }
  export -f port_used
  find_port () {
    local host="${1:-localhost}" port
    for port in $(shuf -i "${2:-%<min_port>s}-${3:-%<max_port>s}"); do
      port_used "$host:$port" || { echo "$port"; return 0; }
    done
    echo "error: no port is free in ${2:-%<min_port>s}..${3:-%<max_port>s}" >&2
    return 1
  }
  export -f find_port
  wait_until_port_used () {
    local i
    for ((i = 1; i <= ${2:-30} * 2; i++)); do
      port_used "$1" && return 0
      [ $? = 127 ] && return 127
      sleep 0.5
    done
    return 1
  }
  export -f wait_until_port_used
  create_passwd () (
    set +o pipefail
    tr -cd 'a-zA-Z0-9' </dev/urandom 2>/dev/null | head -c"${1:-%<size>s}"
  )
  export -f create_passwd
}
export -f source_helpers
