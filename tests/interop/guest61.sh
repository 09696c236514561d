#!/bin/busybox sh
# Process 1 of the machine that test_kernel61.py boots: Debian's own kernel, a
# veth pair, the daemon and xdp-filter. Says "@@ NAME ok" or "@@ NAME fail" on
# the console for each case, the reason in lines that begin with "@|".

/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t bpf bpf /sys/fs/bpf
mkdir -p /run/gloo-gateway /tmp /var/run
exec </dev/null >/dev/ttyS0 2>&1
export PATH=/usr/sbin:/usr/bin:/bin
# Its own applets come first for this shell.
ip() { /usr/sbin/ip "$@"; }

# result NAME COMMAND...: one case.
result() {
	name=$1
	shift
	if "$@" >/tmp/out 2>&1; then
		echo "@@ $name ok"
	else
		echo "@@ $name fail"
		tail -n 25 /tmp/out | sed 's/^/@| /'
	fi
}

# wait_for SECONDS COMMAND...
wait_for() {
	left=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || { echo "waited in vain for: $*"; return 1; }
		usleep 100000
	done
}

metric() { # REASON
	wget -q -O- http://127.0.0.1:9091/metrics |
		sed -n "s/^gloo_gateway_kernel_packets{slot=\"0\",listener=\"\",reason=\"$1\"} //p"
}

daemon() {
	gloo-gateway --settings /etc/gloo-gateway/settings.yaml --log-level debug \
		>>/tmp/daemon.log 2>&1 &
	daemon=$!
	wait_for 30 wget -q -O- http://127.0.0.1:9091/readyz || {
		tail -n 20 /tmp/daemon.log
		return 1
	}
}

pings() { ip netns exec out ping -q -c "$1" -A -W 5 10.98.0.1; }

program_id() { # of ours, below the dispatcher or alone
	gloo-gateway xdp status v0 | sed -n 's/.*, program \([0-9]*\),.*/\1/p'
}

lab() {
	insmod /veth.ko && ip link set lo up && ip netns add out &&
		ip link add v0 type veth peer name v1 netns out &&
		ip addr add 10.98.0.1/24 dev v0 && ip link set v0 up &&
		ip -n out addr add 10.98.0.2/24 dev v1 && ip -n out link set v1 up &&
		ip route add local 10.66.0.0/24 dev lo &&
		ip -n out route add 10.66.0.0/24 via 10.98.0.1
}

ip_link() {
	ip link set dev v0 xdp obj /gateway.bpf.o sec xdp &&
		ip -d link show v0 | grep -q 'prog/xdp id' && pings 3 &&
		bpftool map dump name gg_reason | grep -q '"pass_icmp": [1-9]' &&
		ip link set dev v0 xdp off
}

sockets_load() {
	bpftool prog loadall /sockets.bpf.o /sys/fs/bpf/probe &&
		ls /sys/fs/bpf/probe/gg_worker /sys/fs/bpf/probe/gg_lookup &&
		rm -r /sys/fs/bpf/probe
}

beside() {
	xdp-filter load v0 -m native -f ipv4 &&
		xdp-loader load -m native -s xdp v0 /gateway.bpf.o && xdp-loader status v0 &&
		xdp-loader status v0 | grep -q gg_gateway &&
		xdp-loader status v0 | grep -q xdpfilt && pings 5
}

adopts() {
	before=$(program_id)
	daemon || return 1
	glooctl check --list
	glooctl check --list | grep -q "v0: native mode, by libxdp's dispatcher" &&
		[ "$(program_id)" = "$before" ] && [ "$(metric pass_icmp)" = 5 ] && pings 4 &&
		[ "$(metric pass_icmp)" = 9 ] && [ "$(program_id)" = "$before" ]
}

steers() {
	ip netns exec out wget -S -O- http://10.66.0.9:80/ 2>&1 | grep -q 'HTTP/1.1 404' &&
		glooctl check --list | grep -q 'the worker of their CPU' &&
		glooctl get gateways
}

killed() {
	before=$(program_id)
	kill -9 $daemon && wait $daemon
	pings 2
	ip netns exec out wget -S -O- http://10.66.0.9:80/ 2>&1 | grep -q 'HTTP/1.1 404' || return 1
	daemon && [ "$(program_id)" = "$before" ] && [ "$(metric pass_icmp)" = 11 ]
}

stops() {
	kill $daemon && wait $daemon
	xdp-loader status v0
	ls -R /sys/fs/bpf
	! xdp-loader status v0 | grep -q gg_gateway && xdp-loader status v0 | grep -q xdpfilt &&
		[ ! -e /sys/fs/bpf/gloo-gateway/maps ] && [ ! -e /sys/fs/bpf/gloo-gateway/sockets ] &&
		pings 2
}

attaches() {
	daemon && glooctl check --list | grep "by libxdp's dispatcher" && pings 3 &&
		[ "$(metric pass_icmp)" = 3 ] && xdp-loader status v0 | grep -q xdpfilt &&
		kill $daemon && wait $daemon
}

unloads() {
	xdp-filter unload v0 && ! ip -d link show v0 | grep -q prog/xdp &&
		[ -z "$(find /sys/fs/bpf/xdp -mindepth 2 2>/dev/null)" ]
}

alone() {
	daemon && glooctl check --list | grep 'v0: native mode' && pings 2 &&
		kill $daemon && wait $daemon && ! ip -d link show v0 | grep -q prog/xdp
}

echo "@@ version $(uname -r)"
result lab lab
result ip_link ip_link
result sockets_load sockets_load
result beside beside
result adopts adopts
result steers steers
result killed killed
result stops stops
result attaches attaches
result unloads unloads
result alone alone
sed -n 's/.*fastpath: \(.*\) verified .*instructions=\([0-9]*\).*/@@ verified \1 \2/p' \
	/tmp/daemon.log | sort -u
grep -E ' (error|warn) ' /tmp/daemon.log | tail -n 10 | sed 's/^/@| /'
echo "@@ end"
reboot -f
