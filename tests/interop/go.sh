# Go programs for the drills, built by lock files into a cache outside the tree;
# what the `build` beside each component shares. Sourced; not run.

. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

base=${GG_CACHE:-/var/cache/gloo-gateway-tests}

# It cannot be had here, and this is why: the caller's tests skip with it.
cannot() {
	printf '%s\n' "$*" >&2
	exit 3
}

# A go that gets the toolchain which go.mod names by itself.
is_new_enough() {
	local have
	have=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
	[ "$(printf '%s\n' go1.21 "${have%% *}" | sort -V | head -n 1)" = go1.21 ]
}

# Debian 12's own is older; that of its backports is unpacked beside the build,
# from the mirror that the machine uses already, and not installed.
go_of_backports() {
	local mirror options
	mirror=$(apt-get indextargets 'Identifier: Packages' 'Codename: bookworm' \
		--format '$(REPO_URI)' 2>/dev/null | head -n 1)
	[ -n "$mirror" ] ||
		cannot "there is no go of version 1.21 or newer, and apt knows no mirror of Debian 12 that has one; install it and put it into PATH"
	mkdir -p "$work/apt/lists/partial"
	printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s bookworm-backports main\n' \
		"$mirror" >"$work/apt/sources.list"
	options="-o Dir::Etc::sourcelist=$work/apt/sources.list -o Dir::Etc::sourceparts=-
		-o Dir::State::lists=$work/apt/lists -o APT::Sandbox::User=root"
	(cd "$work/apt" && apt-get $options update && apt-get $options download golang-1.23-go &&
		dpkg -x golang-1.23-go_*.deb .) >&2 ||
		cannot "Debian's backports gave no golang-1.23-go; is the network there?"
	go=$work/apt/usr/lib/go-1.23/bin/go
}

find_go() {
	for go in $(type -P -a go) /usr/local/go/bin/go; do
		is_new_enough "$go" && return
	done
	go_of_backports
}

# compile FOLDER OUTPUT LDFLAGS PACKAGE...: what its lock files say, and no other.
compile() {
	local folder=$1 output=$2 ldflags=$3
	shift 3
	"$go" -C "$folder" list -mod=readonly -deps "$@" >/dev/null ||
		cannot "the module proxy does not give what $folder needs; is the network there?"
	"$go" -C "$folder" build -mod=readonly -trimpath -ldflags "-s -w $ldflags" \
		-o "$output" "$@" || die "$folder does not build"
}

done_already() {
	[ -e "$out/.complete" ] || return 1
	printf '%s\n' "$out"
	exit 0
}

# cached NAME KB LOCK-FILE...: prints the folder NAME-(hash of the lock files) of
# the cache and ends when it is complete. Otherwise comes back, alone, with $out
# empty and $go to fill it, for which KB of disk are free; `complete` is next.
cached() {
	local name=$1 need_kb=$2
	shift 2
	out=$base/$name-$(cat "$@" | sha256sum | cut -c1-12)
	done_already
	mkdir -p "$base" || cannot "cannot write to $base; set GG_CACHE to another folder"
	exec 9>"$out.lock"
	flock 9
	done_already
	[ "$(df --output=avail -k "$base" | tail -n 1)" -ge "$need_kb" ] ||
		cannot "$base has less than $((need_kb / 1000000)) GB left, which the build takes"
	work=$(mktemp -d "$base/$name-build.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	find_go
	export GOPATH=$work/go GOCACHE=$work/cache GOTMPDIR=$work GOWORK=off
	export GOTOOLCHAIN=auto GOFLAGS='-modcacherw -buildvcs=false' CGO_ENABLED=0
	# Alone: a module that the proxy refuses shall be said to be refused.
	GOPROXY=$("$go" env GOPROXY)
	export GOPROXY=${GOPROXY%,direct}
	rm -rf "$out"
	mkdir -p "$out"
}

complete() {
	touch "$out/.complete"
	done_already
}
