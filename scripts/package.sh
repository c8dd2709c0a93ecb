#!/usr/bin/env bash
# Makes a relocatable archive of the built programs with the libraries that travel with them:
#   scripts/package.sh [OUT.tar.gz]     (default build/likeness-VERSION-linux-x86_64.tar.gz)
# Debian's libraries stay the system's: share/likeness/debian-packages.txt inside lists what a target machine installs.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in -h|--help) sed -n '2,4p' "$0" | cut -c3-; exit 0 ;; esac
[ -x build/release/bin/likeness ] || { echo "package: build first: cmake --preset release && cmake --build build/release --target programs" >&2; exit 2; }
version=$(build/release/bin/likeness --version | head -1 | awk '{print $2}')
name=likeness-$version-linux-x86_64
out=${1:-build/$name.tar.gz}
stage=$(mktemp -d build/package.XXXXXX)
trap 'rm -rf "$stage"' EXIT
cmake --install build/release --prefix "$stage/$name" > /dev/null
mkdir -p "$stage/$name/share/likeness"
# The Debian packages that own the system libraries the programs are linked to. Debian's database knows a library by the path it was
# packed under, which on a merged /usr may lack the /usr; what no package owns came with this archive or with the machine.
packages=$stage/$name/share/likeness/debian-packages.txt
find "$stage/$name" -type f \( -path '*/bin/*' -o -name '*.so' \) -print0 | xargs -0 ldd | awk '$3 ~ /^\// {print $3}' | grep -v "^$PWD/" |
  xargs -r realpath | sort -u | sed -E 'p; s,^/usr/,/,' | { xargs -r dpkg-query -S 2> /dev/null || true; } | cut -d: -f1 | sort -u > "$packages"
grep -q '^libc6$' "$packages" || { echo "package: dpkg-query does not know which packages the programs need" >&2; exit 1; }
tar -C "$stage" -czf "$out.tmp" "$name"
mv "$out.tmp" "$out"
echo "$out: $(du -h "$out" | cut -f1)"
