#!/usr/bin/env bash
# Makes a tarball of tally that installs itself: packaging/tarball.sh BINARY [--man DIR] [--output DIR]
#
# The same sources and binary make the same bytes. Prints the path of the tarball; beside it is its SHA-256.
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
output=. binary= man=
while (($#)); do
    case $1 in
        --man) man=${2:?--man needs a directory}; shift 2 ;;
        --output) output=${2:?--output needs a directory}; shift 2 ;;
        -*) echo "tarball.sh: unknown option $1" >&2; exit 2 ;;
        *) binary=$1; shift ;;
    esac
done
[[ -f $binary ]] || { echo "tarball.sh: name the binary to pack" >&2; exit 2; }
: "${SOURCE_DATE_EPOCH:=$(git -C "$project" log -1 --format=%ct 2> /dev/null || date -r "$project/CHANGELOG.md" +%s)}"
name=tally-$("$binary" --version | cut -d' ' -f2)-linux-$(uname -m)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
umask 022
root=$place/$name
mkdir -p "$root"/{docs,contrib}
install -m 755 "$binary" "$root/tally"
strip "$root/tally"
cp -r "$project/systemd" "$project"/{README.md,CHANGELOG.md,LICENSE-MIT,LICENSE-APACHE,config.toml} "$root"
cp -r "$project"/contrib/{grafana,prometheus} "$root/contrib"
cp "$project"/docs/*.md "$root/docs"
cp -r "$project/docs/book" "$root/docs/book"
install -m 755 "$project/packaging/install.sh" "$root/install.sh"
[[ -z $man ]] || cp -r "$man" "$root/man"
mkdir -p "$output"
tarball=$output/$name.tar.gz
tar -C "$place" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -c "$name" | gzip -9n > "$tarball"
(cd "$output" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")
echo "$tarball"
