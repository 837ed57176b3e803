#!/usr/bin/env bash
# Makes the whole system of the virtual machine as one archive that its kernel unpacks into memory: programs of this
# machine with the libraries that they load, systemd, and tally as it is installed from its units.
# image.sh BINARY OUT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$1 out=$2
root=$(mktemp -d)
chmod 755 "$root"
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{proc,sys,dev,run,tmp,root,home,etc,var/lib,var/log,usr/bin,usr/sbin,usr/lib,usr/lib64}
for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done

# Files of packages, not of a list that somebody would have to keep.
packages=(bash dash coreutils grep sed mawk findutils procps util-linux mount perl-base systemd)
for package in "${packages[@]}"; do
    dpkg -L "$package" > /dev/null 2>&1 || { echo "image.sh: the package $package must be installed" >&2; exit 1; }
done
dpkg -L "${packages[@]}" | sort -u | grep -vE '^/(usr/share|etc|var|lib/udev|usr/lib/modules)' | while read -r file; do
    [[ ! -f $file && ! -L $file ]] || echo "${file#/}"
done > "$out"
tar -C / -c --no-recursion -T "$out" | tar -C "$root" -x --keep-directory-symlink
ln -sf mawk "$root/usr/bin/awk"
# What they load, and what tally loads. What is no program is none to ldd.
{ find "$root"/usr/{bin,sbin} "$root/usr/lib" -type f -perm -100; echo "$binary"; } | { xargs ldd 2> /dev/null || true; } \
    | grep -oE '/[^ ]+\.so[^ ]*' | sort -u | while read -r library; do
    # Where all is below /usr, a library has that place, too.
    [[ $library == /usr/* ]] || library=/usr$library
    [[ -e $root$library ]] || install -D -m 755 "$library" "$root$library"
done

printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/bin/false\n' > "$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
"$here/../../systemd/install.sh" "$binary" --destdir "$root" > /dev/null
strip --strip-debug "$root/usr/bin/tally"
install -m 755 "$here/init.sh" "$root/init"
install -m 755 "$here"/{stories,bare,systemd}.sh "$root/root/"
units=$root/usr/lib/systemd/system
install -m 644 "$here/stories.target" "$here/stories.service" "$units/"
(cd "$root" && find . | cpio --quiet -o -H newc) > "$out"
