#!/bin/bash
# The first process of the virtual machine: tells the stories where nobody manages control groups, or has systemd be the
# first process, which tells them where it does. `stories=` of the kernel's command line says which.
export PATH=/usr/sbin:/usr/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/mqueue
mount -t tmpfs -o mode=755 run /run
stories=$(grep -o 'stories=[a-z]*' /proc/cmdline)
if [[ $stories == stories=systemd ]]; then
    exec /lib/systemd/systemd --unit=stories.target
fi
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
ip link set lo up 2> /dev/null
exec < /dev/null > /dev/console 2>&1
/root/bare.sh
echo "the end"
echo o > /proc/sysrq-trigger
sleep 1000
