# Shell functions that scripts/run, scripts/test and scripts/lab share.
# Sourced; not run.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

build_packages='gcc make git pkg-config libc6-dev linux-libc-dev clang llvm bpftool
libbpf-dev libxdp-dev libevent-dev libjansson-dev libyaml-dev libpcre2-dev
libssl-dev libcurl4-openssl-dev libc-ares-dev libsystemd-dev libseccomp-dev
libcmocka-dev'
run_packages='python3-httpbin gunicorn iproute2 ethtool curl procps util-linux mount
ca-certificates passwd libbpf1 libxdp1'
test_packages='python3 jq libclang-rt-14-dev man-db dnsmasq-base openssl strace'
interop_packages='debootstrap systemd-container gdb iperf3 knot python3-botocore
python3-venv'
bench_packages='python3 python3-venv nginx-light haproxy valgrind strace'

say() { printf '%s\n' "$*"; }
step() { printf '==> %s\n' "$*"; }
# One sentence: what went wrong and what to do.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "needs root for namespaces and BPF; run it with sudo"
}

# Waits a moment without being a clock: bounded polling of a condition only.
moment() { read -r -t 0.05 <> <(:) || :; }

# wait_for SECONDS COMMAND...: until it succeeds; 1 when the time is over.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		moment
	done
}

has_init() { [ -d /run/systemd/system ]; }

missing_packages() {
	local p
	for p in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

# Installs what is missing of the named packages. Where there is no init, or
# services_off is set, apt is kept from starting services.
install_packages() {
	local missing policy='' rc=0 log
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null ||
		die "these packages are missing and this is no Debian: $(echo $missing)"
	step "installing $(echo "$missing" | wc -w) packages"
	if { ! has_init || [ -n "${services_off:-}" ]; } && [ ! -e /usr/sbin/policy-rc.d ]; then
		policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
	fi
	log=$(mktemp)
	{
		apt-get update &&
			DEBIAN_FRONTEND=noninteractive apt-get install -y \
				--no-install-recommends $missing
	} >"$log" 2>&1 </dev/null || rc=$?
	[ -z "$policy" ] || rm -f "$policy"
	if [ "$rc" != 0 ]; then
		tail -n 15 "$log" >&2
		rm -f "$log"
		die "apt-get could not install the packages (its last lines are above); check the network and /etc/apt/sources.list, then run this again"
	fi
	rm -f "$log"
}

mount_bpffs() {
	mountpoint -q /sys/fs/bpf && return 1
	mkdir -p /sys/fs/bpf 2>/dev/null
	mount -t bpf bpf /sys/fs/bpf 2>/dev/null ||
		die "cannot mount bpffs on /sys/fs/bpf; run this as root on the machine itself, not in a container without CAP_SYS_ADMIN"
}

# The group of the admin socket and the proxy's own user. Prints what it made.
make_users() {
	if ! getent group gloo-gateway >/dev/null; then
		groupadd --system gloo-gateway && echo "group gloo-gateway"
	fi
	if ! getent passwd gloo-gateway-proxy >/dev/null; then
		useradd --system --no-create-home --home-dir /nonexistent \
			--shell /usr/sbin/nologin gloo-gateway-proxy &&
			echo "user gloo-gateway-proxy"
	fi
}

build() {
	make -C "$top" -j"$(nproc)" --no-print-directory "$@" ||
		die "the build failed; the compiler's message is above"
}
