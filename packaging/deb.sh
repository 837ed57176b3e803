#!/usr/bin/env bash
# Makes a Debian package of tally: packaging/deb.sh BINARY [--output DIR] [--man DIR] [--version V] [--compress xz|gzip]
#
# It takes dpkg-deb, strip and readelf and nothing else: no root, no helper of Debian's, no network. Prints the path of the
# package. DEBFULLNAME and DEBEMAIL say who makes it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$here/..
output=. compress=xz binary= version= man=
while (($#)); do
    case $1 in
        --output) output=${2:?--output needs a directory}; shift 2 ;;
        --man) man=${2:?--man needs a directory}; shift 2 ;;
        --version) version=${2:?--version needs a version}; shift 2 ;;
        --compress) compress=${2:?--compress needs a name}; shift 2 ;;
        -*) echo "deb.sh: unknown option $1" >&2; exit 2 ;;
        *) binary=$1; shift ;;
    esac
done
[[ -f $binary ]] || { echo "deb.sh: name the binary to pack" >&2; exit 2; }
for tool in dpkg-deb strip readelf gzip; do
    command -v "$tool" > /dev/null || { echo "deb.sh: could not find $tool" >&2; exit 1; }
done
# One binary, one version: what the package says is what the program says.
: "${version:=$("$binary" --version | cut -d' ' -f2)-1}"
architecture=$(dpkg --print-architecture)
who="${DEBFULLNAME:-tally developers} <${DEBEMAIL:-tally@localhost}>"
# The date of the sources, so that the same sources make the same package.
: "${SOURCE_DATE_EPOCH:=$(git -C "$project" log -1 --format=%ct 2> /dev/null || date -r "$project/CHANGELOG.md" +%s)}"
export SOURCE_DATE_EPOCH

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
# Rights of files do not depend on who packs.
umask 022
"$project/systemd/install.sh" "$binary" --destdir "$root" ${man:+--man "$man"} > /dev/null
strip "$root/usr/bin/tally"
doc=$root/usr/share/doc/tally

# All settings are comments: what is not set there follows the program's own values when it is upgraded.
mkdir -p "$root/etc/tally"
sed -E 's/^([a-z_]+ = )/# \1/' "$project/config.toml" \
    | sed '1,4d' \
    | cat <(printf '%s\n' "# Settings of tally.service. Each is shown with its default: take the '# ' away to change it, then" \
        "# 'tally config check' and 'systemctl reload tally'. 'tally config show' tells what is in force.") - \
    > "$root/etc/tally/config.toml"

{
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: tally\n\nFiles: *\n'
    printf 'Copyright: %s the tally developers\nLicense: MIT or Apache-2.0\n\nLicense: MIT\n' "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y)"
    sed -n '/^Permission is/,$p' "$project/LICENSE-MIT" | sed 's/^$/./; s/^/ /'
    printf '\nLicense: Apache-2.0\n On Debian systems the text of the license is in /usr/share/common-licenses/Apache-2.0.\n'
} > "$doc/copyright"
{
    printf 'tally (%s) unstable; urgency=medium\n\n  * What has changed is in CHANGELOG.md, here as changelog.gz.\n\n' "$version"
    printf ' -- %s  %s\n' "$who" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n > "$doc/changelog.Debian.gz"
gzip -9nc "$project/CHANGELOG.md" > "$doc/changelog.gz"
find "$root/usr/share/man" -type f ! -name '*.gz' -exec gzip -9n {} + 2> /dev/null || true
overrides=$root/usr/share/lintian/overrides/tally
install -D -m 644 "$here/debian/lintian-overrides" "$overrides"
if [[ ! -e $root/usr/share/man/man1/tally.1.gz ]]; then
    printf '# %s\n' "The manual is 'tally help' and the pages beside this package's documents." >> "$overrides"
    echo "tally: no-manual-page [usr/bin/tally]" >> "$overrides"
fi

# The C library that the binary asks for by its symbols; a static one asks for none.
newest=$(readelf -V --wide "$root/usr/bin/tally" 2> /dev/null | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1 || true)
depends="init-system-helpers (>= 1.52)"
[[ -z $newest ]] || depends="libc6 (>= ${newest#GLIBC_}), $depends"
readelf -d "$root/usr/bin/tally" | grep -q 'libgcc_s' && depends="libgcc-s1 (>= 4.2), $depends"

mkdir "$root/DEBIAN"
cat > "$root/DEBIAN/control" << CONTROL
Package: tally
Version: $version
Architecture: $architecture
Maintainer: $who
Section: math
Priority: optional
Installed-Size: $(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends, systemd | systemd-standalone-sysusers | systemd-sysusers
Description: exact parallel sums that survive a dying worker
 A small supervisor splits a big reduction into partitions, has worker
 processes compute them, and merges what they say into one exact answer.
 Integers never wrap, and floating-point sums are correctly rounded: the
 same to the last bit for any number of workers and any retries.
 .
 The service tally keeps jobs over restarts and crashes, and gives shell
 scripts and programs named locks, semaphores, queues and values.
CONTROL
echo /etc/tally/config.toml > "$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 755 "$here/debian/$script" "$root/DEBIAN/$script"
done
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum > DEBIAN/md5sums)
find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +

package=$output/tally_${version}_$architecture.deb
mkdir -p "$output"
dpkg-deb --root-owner-group "-Z$compress" --build "$root" "$package" > /dev/null
echo "$package"
