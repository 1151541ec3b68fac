# What install.sh and install-valkey.sh have in common; they read it.

as_root=''
# Whether packages may be installed here.
find_root() {
  if [ "$(id -u)" -eq 0 ]; then return 0; fi
  as_root='sudo'
  command -v sudo >/dev/null 2>&1
}

# A Debian package starts its service on install unless policy-rc.d answers 101 ("not allowed"); the tests start their own.
policy=/usr/sbin/policy-rc.d
forbid_services() {
  if [ -e "$policy" ]; then return; fi
  leave_nothing "$policy"
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
}

# These files go when the script ends, however that is.
to_remove=''
leave_nothing() {
  to_remove="$to_remove $1"
  trap '$as_root rm -f $to_remove' EXIT
  trap 'exit 130' HUP INT TERM
}

install_packages() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; }

# Nor shall it start with the next boot.
disable_service() {
  if command -v systemctl >/dev/null 2>&1; then $as_root systemctl disable "$1" >/dev/null 2>&1 || true; fi
}
