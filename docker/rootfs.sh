#!/bin/sh
# Makes a small Debian userland for the default image: sh, coreutils, procps' ps, kill, CA roots. Needs Debian or Ubuntu.
set -eu
root=${1:?usage: docker/rootfs.sh FOLDER}
packages="dash coreutils procps grep sed findutils libc6 libselinux1 libpcre2-8-0 libacl1 libattr1 libgmp10 libproc2-0 libsystemd0 libtinfo6 libncursesw6 libcap2 libzstd1 liblzma5 liblz4-1 libgcrypt20 libgpg-error0 libssl3 libssl3t64 zlib1g"
rm -rf "$root"
mkdir -p "$root/etc/ssl/certs" "$root/tmp" "$root/proc" "$root/dev" "$root/sys" "$root/root" "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64" "$root/usr/sbin"
for dir in bin lib lib64 sbin; do ln -s "usr/$dir" "$root/$dir"; done
chmod 1777 "$root/tmp"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in $packages; do
  apt-get download -q "$package" >/dev/null 2>&1 || continue
done
for archive in *.deb; do
  dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$OLDPWD/$root" --keep-directory-symlink 2>/dev/null || dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$root" --keep-directory-symlink
done
cd "$OLDPWD"
rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale" "$root/usr/share/info" "$root/var"
[ -e "$root/usr/bin/sh" ] || ln -s dash "$root/usr/bin/sh"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
