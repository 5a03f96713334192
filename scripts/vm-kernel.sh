#!/bin/bash
# vm-kernel.sh: print the directory of an unpacked Debian cloud kernel: boot/
# and lib/modules/ as its package has them. The package is downloaded once, is
# not installed, and stays in the user's cache directory.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/virga-test
mkdir -p "$cache"

# The newest one that is here will do: a test needs no newer kernel than the
# machine had the last time.
have=$(find "$cache" -maxdepth 1 -type d -name 'linux-image-*' | sort -V | tail -n 1)
if [ -n "$have" ]; then echo "$have"; exit 0; fi

name() { # the package that the meta package stands for
  apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1
}
work=$(mktemp -d "$cache/.kernel-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
fetch() {
  package=$(name)
  [ -n "$package" ] && apt-get -qq -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$package" >&2
}
# The lists of a fresh machine are empty, those of an old one name packages
# that are gone.
fetch || { apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update >&2 && fetch; }

dpkg -x "$work"/*.deb "$work/root"
# Two runs at once are no harm: the first to be ready wins.
mv -T "$work/root" "$cache/$package" 2>/dev/null || [ -d "$cache/$package" ]
echo "$cache/$package"
