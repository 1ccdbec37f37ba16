#!/bin/busybox sh
# The first program of a pi machine, from memory: brings up its disk and goes on with the system there. With `unpack` on the kernel's command
# line, which it has in its environment, it makes that system first: from the archives on the other disks.
set -e
busybox mount -t devtmpfs dev /dev
while read -r module; do busybox insmod "/modules/$module"; done < /modules/order
until [ -b /dev/vda ]; do busybox sleep 0.1; done
busybox mount -t ext4 /dev/vda /root
program=/sbin/init
if [ "$make" = system ]; then
	for archive in /dev/vdb /dev/vdc /dev/vdd; do busybox tar -x -f "$archive" -C /root; done
	program=/usr/local/sbin/make-system
fi
busybox mount -o move /dev /root/dev
exec busybox switch_root /root "$program"
