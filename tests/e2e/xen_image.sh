#!/bin/sh
# A kernel and an initrd for tiny guests, made on a Debian machine without root: Debian's cloud kernel, busybox, and
# dropbear for SSH. xen_image.sh FOLDER ADDRESS
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p "$1"
cd "$1"
test -s initrd.gz2 && exit 0
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
rm -rf tree tools root ./*.deb
apt-get download -qq "$kernel" busybox-static dropbear-bin libtomcrypt1 libtommath1 libgmp10
dpkg-deb -x linux-image-*.deb tree
rm -f linux-image-*.deb
for package in *.deb; do
  dpkg-deb -x "$package" tools
done
version=$(basename tree/lib/modules/*)
depmod -b tree "$version"
for folder in bin sbin etc/dropbear proc sys dev run lib/modules root; do
  mkdir -p "root/$folder"
done
cp tools/bin/busybox root/bin/busybox
ln -s busybox root/bin/sh
for module in xen-blkfront xen-netfront; do
  modprobe -d tree -S "$version" --show-depends "$module" | awk '$1 == "insmod" { print $2 }' | while read -r file; do
    name=$(basename "$file")
    test -f "root/lib/modules/$name" && continue
    cp "$file" root/lib/modules/
    echo "$name" >> root/etc/modorder
  done
done
libraries=$PWD/tools/usr/lib/x86_64-linux-gnu
for file in $(LD_LIBRARY_PATH=$libraries ldd tools/usr/sbin/dropbear | grep -o '/[^ )]*'); do
  place=${file#"$PWD/tools"}
  mkdir -p "root$(dirname "$place")"
  cp -L "$file" "root$place"
done
cp tools/usr/sbin/dropbear root/sbin/
LD_LIBRARY_PATH=$libraries tools/usr/bin/dropbearkey -t ed25519 -f root/etc/dropbear/key >/dev/null
echo 'root:x:0:0:root:/root:/bin/sh' > root/etc/passwd
cat > root/init <<END
#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts; mount -t devpts devpts /dev/pts
for m in \$(cat /etc/modorder); do insmod /lib/modules/\$m; done
printf '#!/bin/sh\n/bin/busybox poweroff -f\n' > /sbin/poweroff
printf '#!/bin/sh\n/bin/busybox reboot -f\n' > /sbin/reboot
chmod +x /sbin/poweroff /sbin/reboot
if ip link set eth0 up 2>/dev/null; then
  ip addr add $2/24 dev eth0
  /sbin/dropbear -r /etc/dropbear/key -p 22
fi
echo "DOMU READY \$(uname -r) \$(cat /proc/cmdline)"
while :; do sleep 3600; done
END
chmod 755 root/init
(cd root && find . | cpio -o -H newc --quiet | gzip -1) > initrd.gz
cp tree/boot/vmlinuz-* vmlinuz
rm -rf tree tools root ./*.deb
cp vmlinuz vmlinuz2
cp initrd.gz initrd.gz2
