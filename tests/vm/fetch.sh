#!/usr/bin/env bash
# Brings what the virtual machine needs, unpacked and not installed: a kernel, and qemu and cpio where this machine has none.
# fetch.sh PLACE: where it goes; what is there already is kept. Takes root, apt and a package registry.
set -euo pipefail
place=$1
packages=(linux-image-cloud-amd64)
command -v qemu-system-x86_64 > /dev/null || packages+=(qemu-system-x86)
command -v cpio > /dev/null || packages+=(cpio)
mkdir -p "$place/archives/partial"
apt-get update -qq
# apt works out what is missing here; nothing is installed, nothing removed.
apt-get install -qq --yes --download-only --no-install-recommends -o Dir::Cache::archives="$place/archives" \
    -o APT::Sandbox::User=root "${packages[@]}" > /dev/null
# What only an installed kernel or a newer system would need stays packed.
find "$place/archives" -maxdepth 1 -name '*.deb' ! -name '*systemd*' ! -name '*udev*' ! -name 'initramfs*' ! -name '*klibc*' \
    -exec dpkg-deb -x {} "$place" \;
rm -r "$place/archives" "$place"/lib/modules
