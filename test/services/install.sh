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

as_root=''
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "Cannot install the test services without root or sudo. Run as root: apt-get install $missing" >&2
    exit 1
  fi
  as_root='sudo'
fi

# A Debian package starts its service on install unless policy-rc.d answers 101 ("not allowed"); the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '$as_root rm -f "$policy"' EXIT
  trap 'exit 130' HUP INT TERM
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi

$as_root apt-get update -qq
# The list is split into words on purpose.
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
# Nor shall they start with the next boot.
for row in docker-registry:docker-registry openssh-server:ssh redis-server:redis-server; do
  case " $missing " in
    *" ${row%%:*} "*)
      if command -v systemctl >/dev/null 2>&1; then $as_root systemctl disable "${row##*:}" >/dev/null 2>&1 || true; fi
      ;;
  esac
done

missing=$(find_missing | tr '\n' ' ')
if [ -n "$missing" ]; then
  echo "Cannot find after the installation: $missing" >&2
  exit 1
fi
