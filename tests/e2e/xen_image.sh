#!/bin/sh
# A kernel and an initrd for tiny guests, made in dom0: Debian's cloud kernel, busybox, and dropbear for SSH.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
work=@WORK@
mkdir -p "$work"
cd "$work"
test -s initrd.gz2 && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends busybox-static cpio dropbear-bin openssh-client e2fsprogs >/dev/null
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
rm -rf tree root
apt-get download -qq "$kernel"
dpkg-deb -x linux-image-*.deb tree
rm -f linux-image-*.deb
version=$(basename tree/lib/modules/*)
depmod -b tree "$version"
mkdir -p root/bin root/sbin root/etc/dropbear root/proc root/sys root/dev root/run root/lib/modules root/root
cp /bin/busybox root/bin/busybox
ln -s busybox root/bin/sh
for module in xen-blkfront xen-netfront; do
  modprobe -d tree -S "$version" --show-depends "$module" | awk '$1 == "insmod" { print $2 }' | while read -r file; do
    name=$(basename "$file")
    test -f "root/lib/modules/$name" && continue
    cp "$file" root/lib/modules/
    echo "$name" >> root/etc/modorder
  done
done
for file in $(ldd /usr/sbin/dropbear | grep -o '/[^ )]*'); do
  mkdir -p "root$(dirname "$file")"
  cp -L "$file" "root$file"
done
cp /usr/sbin/dropbear root/sbin/
dropbearkey -t ed25519 -f root/etc/dropbear/key >/dev/null
echo 'root:x:0:0:root:/root:/bin/sh' > root/etc/passwd
cat > root/init <<'END'
#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts; mount -t devpts devpts /dev/pts
for m in $(cat /etc/modorder); do insmod /lib/modules/$m; done
printf '#!/bin/sh\n/bin/busybox poweroff -f\n' > /sbin/poweroff
printf '#!/bin/sh\n/bin/busybox reboot -f\n' > /sbin/reboot
chmod +x /sbin/poweroff /sbin/reboot
if ip link set eth0 up 2>/dev/null; then
  ip addr add @ADDRESS@/24 dev eth0
  /sbin/dropbear -r /etc/dropbear/key -p 22
fi
echo "DOMU READY $(uname -r) $(cat /proc/cmdline)"
while :; do sleep 3600; done
END
chmod 755 root/init
(cd root && find . | cpio -o -H newc --quiet | gzip -1) > initrd.gz
cp tree/boot/vmlinuz-* vmlinuz
rm -rf tree root
cp vmlinuz vmlinuz2
cp initrd.gz initrd.gz2
