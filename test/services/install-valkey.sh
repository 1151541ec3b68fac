#!/bin/sh
# Installs Valkey where Debian has it: in the release, or else in its backports. Its tests are left out where it is missing,
# so this never fails, but says so.
set -u
. "$(dirname "$0")/apt.sh"

if command -v valkey-server >/dev/null 2>&1; then exit 0; fi

# The backports of the mirror that the release comes from, among the machine's sources for this once.
list=/etc/apt/sources.list.d/tallyman-backports.list
add_backports() {
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Component: main' |
    sed -n "s/^$codename //p" | head -n 1)
  if [ -z "$codename" ] || [ -z "$mirror" ]; then return 1; fi
  leave_nothing "$list"
  echo "deb $mirror $codename-backports main" | $as_root tee "$list" >/dev/null
  $as_root apt-get update -qq
}

install_valkey() {
  if ! command -v apt-get >/dev/null 2>&1 || ! find_root; then return 1; fi
  forbid_services
  $as_root apt-get update -qq
  if ! apt-cache show valkey-server >/dev/null 2>&1; then add_backports || return 1; fi
  install_packages valkey-server || return 1
  disable_service valkey-server
}

install_valkey || echo 'Valkey cannot be installed here: its tests are left out.' >&2
exit 0
