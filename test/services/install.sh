#!/bin/sh
# Installs the programs that the tests talk to and that are missing here; exit code 0 means that all of them are there.
set -eu

# One row for each: the program that is looked for, where it is wanted, and the packages that hold it on Debian.
# The C compiler is for the programs that build-tools.ts builds.
wanted='
docker-registry everywhere docker-registry
git everywhere git
sshd everywhere openssh-server
ssh-keygen everywhere openssh-client
gpg everywhere gnupg
redis-server everywhere redis-server
cc everywhere gcc libc6-dev
update-ca-certificates debian ca-certificates
'

. "$(dirname "$0")/apt.sh"

# Debian keeps some of them in sbin, which is not on every user's PATH.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

system=other
if command -v apt-get >/dev/null 2>&1; then system=debian; fi

find_missing() {
  echo "$wanted" | while read -r program where packages; do
    if [ -z "$program" ] || { [ "$where" = debian ] && [ "$system" != debian ]; }; then continue; fi
    if ! command -v "$program" >/dev/null 2>&1; then echo "$packages"; fi
  done
}

missing=$(find_missing | tr '\n' ' ')
if [ -z "$missing" ]; then
  echo 'Every package that the tests need is installed.'
  exit 0
fi

if [ "$system" != debian ]; then
  echo "Cannot install the test services: no apt-get here. Install by hand, by their Debian names: $missing" >&2
  exit 1
fi

if ! find_root; then
  echo "Cannot install the test services without root or sudo. Run as root: apt-get install $missing" >&2
  exit 1
fi
forbid_services

$as_root apt-get update -qq
# The list is split into words on purpose.
# shellcheck disable=SC2086
install_packages $missing
for row in docker-registry:docker-registry openssh-server:ssh redis-server:redis-server; do
  case " $missing " in
    *" ${row%%:*} "*)
      disable_service "${row##*:}"
      ;;
  esac
done

missing=$(find_missing | tr '\n' ' ')
if [ -n "$missing" ]; then
  echo "Cannot find after the installation: $missing" >&2
  exit 1
fi
