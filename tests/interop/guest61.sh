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

# A backend on v3, which has the services' addresses and answers by v5. On veth,
# XDP wants a program at the ends that it sends to, and whole checksums.
tunnels() {
	for module in 0 1 2 3 4 5 6 7 8 9; do
		insmod /tunnels/$module.ko || return 1
	done
	ip netns add be && ip link add v2 type veth peer name v3 netns be &&
		ip -n be link add v5 type veth peer name v4 netns out || return 1
	ends 97 "ip" v2 "ip -n be" v3 && ends 96 "ip -n out" v4 "ip -n be" v5 &&
		ip addr add fd98::1/64 dev v0 nodad && ip -n out addr add fd98::2/64 dev v1 nodad &&
		ip -n be link set lo up && ip -n be addr add 10.98.0.1/32 dev lo &&
		ip -n be addr add fd98::1/128 dev lo nodad &&
		ip -n be route add default via 10.96.0.1 && ip -n be route add default via fd96::1 &&
		ip netns exec out ethtool -K v1 tx off &&
		ip -n out link set dev v1 xdpdrv obj /pass.bpf.o sec xdp &&
		ip -n be link set dev v3 xdpdrv obj /pass.bpf.o sec xdp || return 1
	# As docs/operations.md has it.
	ip -n be link add gg4 type ipip local 10.97.0.2 remote 10.97.0.1 &&
		ip -n be link add gg64 type sit local 10.97.0.2 remote 10.97.0.1 &&
		ip -n be link add gg6 type ip6tnl mode any local fd97::2 remote fd97::1 &&
		ip netns exec be ip fou add port 6080 gue &&
		ip netns exec be ip -6 fou add port 6080 gue || return 1
	for device in gg4 gg64 gg6; do
		ip -n be link set $device up || return 1
	done
	mkdir -p /www && echo far away >/www/index.html
	for port in 8081 8082 8083 8084 8085 8086; do
		ip netns exec be httpd -p $port -h /www || return 1
	done
	cp -r /far/* /var/lib/gloo-gateway/config/ && daemon && glooctl get gateways -o wide
}

# ends NET IP DEVICE IP DEVICE: .1 and .2 of 10.NET.0.0/24 and fdNET::/64.
ends() {
	$2 addr add 10.$1.0.1/24 dev $3 && $2 addr add fd$1::1/64 dev $3 nodad &&
		$2 link set $3 up && $4 addr add 10.$1.0.2/24 dev $5 &&
		$4 addr add fd$1::2/64 dev $5 nodad && $4 link set $5 up
}

# far NAME HOST PORT DEVICE: answered, and through that device.
far() {
	steered() { glooctl get gateway $1 -o wide | grep -q 'steered by XDP'; }
	received() { ip -n be -s link show $1 | awk 'next_one { print $2; exit } /RX:/ { next_one = 1 }'; }
	wait_for 20 steered $1 || { glooctl get gateway $1 -o wide; return 1; }
	before=$(received $4)
	# Its own -T makes Debian's wget crash.
	wait_for 20 ip netns exec out timeout 3 wget -q -O /tmp/page http://$2:$3/ || {
		bpftool map dump name gg_reason |
			grep -oE '"(pass|forward|answer|drop)[a-z_0-9]*": [1-9][0-9]*' | sort | uniq -c
		ip -n be -s link show v3
		ip -n be -s link show $4
		ip -s link show v2
		return 1
	}
	grep -q 'far away' /tmp/page && echo "$before, then $(received $4)" &&
		[ "$(received $4)" -gt "$before" ]
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
result tunnels tunnels
result ipip4 far ipip4 10.98.0.1 8081 gg4
result gue4 far gue4 10.98.0.1 8082 gg4
result ipip6 far ipip6 '[fd98::1]' 8083 gg6
result gue6 far gue6 '[fd98::1]' 8084 gg6
result ipip64 far ipip64 '[fd98::1]' 8085 gg64
result gue46 far gue46 10.98.0.1 8086 gg6
sed -n 's/.*fastpath: \(.*\) verified .*instructions=\([0-9]*\).*/@@ verified \1 \2/p' \
	/tmp/daemon.log | sort -u
grep -E ' (error|warn) ' /tmp/daemon.log | tail -n 10 | sed 's/^/@| /'
echo "@@ end"
reboot -f
