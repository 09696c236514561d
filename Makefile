# gloo-gateway: the whole build. `make help` lists the targets.
B ?= build
PREFIX ?= /usr
SYSCONFDIR ?= /etc
CC = gcc
CLANG ?= clang
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

VERSION := 0.1.0
BUILD_ID := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
ARCH_INCLUDE := /usr/include/$(shell $(CC) -print-multiarch)

PKGS := libevent_core libevent_extra jansson yaml-0.1 libpcre2-8 libcares libsystemd libseccomp libbpf libxdp openssl
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wpedantic -Wformat=2 -Wvla -Wstrict-prototypes \
	-Wmissing-prototypes -Wundef $(if $(WERROR),-Werror)
HARDEN := $(if $(findstring sanitize,$(CFLAGS)),,-D_FORTIFY_SOURCE=3 \
	-fstack-protector-strong -fstack-clash-protection -fcf-protection \
	-ftrivial-auto-var-init=zero)
ALL_CFLAGS := -std=c17 -D_GNU_SOURCE $(WARN) $(HARDEN) -fPIE -iquote userspace \
	-iquote . -iquote $(B)/gen -isystem $(B)/skel \
	$(shell pkg-config --cflags $(PKGS) libcurl) \
	$(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now $(LDFLAGS)
LIBS := $(shell pkg-config --libs $(PKGS)) -lpthread
TEST_LIBS := -lcmocka
BPF_CFLAGS := -std=gnu17 -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror \
	-Wno-unused-parameter -idirafter $(ARCH_INCLUDE) -iquote .

KINDS := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard userspace/kinds/*/*.c)))))
COMMANDS := $(sort $(patsubst userspace/cli/cmd_%.c,%,$(wildcard userspace/cli/cmd_*.c)))
SRCS := $(sort $(wildcard userspace/*/*.c userspace/kinds/*/*.c))
OBJS := $(SRCS:%.c=$(B)/%.o)
MAINS := $(B)/userspace/main.o $(B)/userspace/glooctl.o
BPF_OBJS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))
SKELS := $(patsubst $(B)/bpf/%.bpf.o,$(B)/skel/%.skel.h,$(BPF_OBJS))
BENCH_SKELS := $(patsubst tests/bench/%.bpf.c,$(B)/skel/%.skel.h,$(wildcard tests/bench/*.bpf.c))
BENCH_XDP := $(patsubst tests/%.c,$(B)/tests/%.o,$(filter-out %.bpf.c,$(wildcard tests/bench/xdp*.c)))
UNIT_SRCS := $(sort $(wildcard tests/unit/*/test_*.c tests/config/test_*.c))
UNIT_TESTS := $(UNIT_SRCS:tests/%.c=$(B)/tests/%)
BPF_TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/bpf/test_*.c))
BPF_ALONE := $(addprefix $(B)/tests/bpf/,test_endpoint_path test_steering_size)
TEST_LIB_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/lib/*.c))
TEST_OBJS := $(addsuffix .o,$(UNIT_TESTS) $(BPF_TESTS) $(B)/tests/bench/lookup $(B)/tests/bench/sign $(B)/tests/interop/sign)

.DELETE_ON_ERROR:
.SECONDARY: $(OBJS) $(MAINS) $(TEST_LIB_OBJS) $(TEST_OBJS)
.PHONY: all units tests tools bench check-e2e verify-cloud fuzz check check-units check-bpf layers headers help clean install fmt FORCE

all: $(B)/gloo-gateway $(B)/glooctl $(BPF_OBJS) ## build the daemon, glooctl and the BPF objects

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# ---- generated lists
$(B)/gen/upstream_kinds.inc: FORCE
	$(Q)mkdir -p $(@D) && printf 'KIND(%s)\n' $(KINDS) > $@.new; \
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(B)/gen/commands.inc: FORCE
	$(Q)mkdir -p $(@D) && printf 'COMMAND(%s)\n' $(COMMANDS) > $@.new; \
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(B)/gen/version.h: FORCE
	$(Q)mkdir -p $(@D) && printf '#define VERSION "%s"\n#define BUILD_ID "%s"\n' \
		'$(VERSION)' '$(BUILD_ID)' > $@.new; \
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@
MANIFESTS := $(sort $(wildcard config/kubernetes/*.yaml))
$(B)/gen/kubernetes_manifests.inc: FORCE
	$(Q)mkdir -p $(@D) && cat $(MANIFESTS) | od -An -v -tx1 | \
		sed 's/ \(..\)/0x\1,/g' > $@.new; \
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@
GENERATED := $(B)/gen/upstream_kinds.inc $(B)/gen/commands.inc $(B)/gen/version.h \
	$(B)/gen/kubernetes_manifests.inc

# ---- kernel half
define build_bpf
	$(call say,CLANG,$@)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@.tmp $< \
		-MF $(@:.o=.d) -MT $@ && llvm-strip -g $@.tmp && mv $@.tmp $@
endef
$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	$(build_bpf)
# The benchmark's own programs: no part of `all`, never installed.
$(B)/bpf/bench/%.bpf.o: tests/bench/%.bpf.c
	$(build_bpf)
$(BENCH_SKELS): $(B)/skel/%.skel.h: $(B)/bpf/bench/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D) && bpftool gen skeleton $< name $* > $@
$(B)/skel/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D) && bpftool gen skeleton $< name $*_bpf > $@

# ---- user space
# Where lengths and offsets are computed, a silent conversion is a bug.
$(B)/userspace/http/%.o $(B)/userspace/model/%.o: ALL_CFLAGS += -Wconversion
$(B)/%.o: %.c | $(GENERATED) $(SKELS)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -MD -MP -c -o $@ $<
$(B)/libgateway.a: $(OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
$(B)/gloo-gateway: $(B)/userspace/main.o $(B)/libgateway.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(B)/glooctl: $(B)/userspace/glooctl.o $(B)/libgateway.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# ---- tests
# An archive, so that a test gets only the helpers that it calls.
$(B)/libtest.a: $(TEST_LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
$(B)/tests/%: $(B)/tests/%.o $(B)/libtest.a $(B)/libgateway.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(TEST_LIBS)

# Programs wait most of their time, those of the kernel half of it.
check: layers headers check-units ## layers, headers, unit tests, config cases: no privileges
check-units: all units
	$(Q)JOBS=$$((4 * $$(nproc))) tests/lib/run-programs $(UNIT_TESTS)
check-bpf: all $(BPF_TESTS) ## test-run of the loaded XDP program (root)
	$(Q)JOBS=$$((2 * $$(nproc))) ALONE="$(BPF_ALONE)" tests/lib/run-programs \
		$(filter-out $(BPF_ALONE),$(BPF_TESTS))
# Ours to compare with (static pattern rules: the general one is for cmocka).
BENCH_PLAIN := $(addprefix $(B)/tests/bench/,origin generate)
BENCH_FLOOR := $(addprefix $(B)/tests/bench/,floor_epoll floor_libevent)
bench: all $(BENCH_PLAIN) $(BENCH_FLOOR) $(B)/tests/bench/replay $(B)/tests/bench/sign $(B)/tests/bench/xdp ## build what scripts/bench runs
$(BENCH_XDP): | $(BENCH_SKELS)
$(B)/tests/bench/xdp: $(BENCH_XDP) $(B)/libtest.a $(B)/libgateway.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(BENCH_PLAIN): $(B)/tests/bench/%: $(B)/tests/bench/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^
$(BENCH_FLOOR): $(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/tests/bench/floor.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -levent_core
TOOLS := $(patsubst tests/tools/%.c,$(B)/tests/tools/%,$(filter-out %.bpf.c,$(wildcard tests/tools/*.c))) \
	$(patsubst tests/tools/%.c,$(B)/tests/tools/%.o,$(wildcard tests/tools/*.bpf.c))
tools: $(TOOLS) ## build the load generator, the echo origin and programs of backends
$(B)/tests/tools/%.bpf.o: tests/tools/%.bpf.c
	$(build_bpf)
$(B)/tests/tools/%: tests/tools/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu17 -D_GNU_SOURCE -O2 $(WARN) -o $@ $< -lpthread
units: $(UNIT_TESTS)
tests: units $(BPF_TESTS) $(B)/tests/bench/lookup $(B)/tests/bench/sign $(B)/tests/interop/sign ## build the test programs
layers: ## who may include whom
	$(Q)scripts/check-layers
headers: $(GENERATED) $(SKELS) ## every header compiles alone
	$(Q)for h in $$(find userspace -name '*.h') bpf/contract.h; do \
		$(CC) $(ALL_CFLAGS) -fsyntax-only -x c $$h -Wno-unused-macros 2>&1 | grep -v 'pragma once' | grep . && { echo "$$h is not complete"; exit 1; }; \
	done; true
check-e2e: all tools ## end to end in network namespaces (root)
	$(Q)for t in tests/e2e/test_*.py; do GG_BUILD=$(B) /usr/bin/python3 $$t || exit 1; done
verify-cloud: all ## AWS Lambda and Azure themselves, as far as credentials are there (root)
	$(Q)for t in tests/cloud/test_*.py; do GG_BUILD=$(B) /usr/bin/python3 $$t || exit 1; done
fuzz: $(GENERATED) ## every fuzz target from its kept corpus, 30 s or 10
	$(Q)tests/fuzz/run 30
fmt: ## format what is there with clang-format
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')
install: all ## install below DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)$(PREFIX)/lib/gloo-gateway $(DESTDIR)$(SYSCONFDIR)/gloo-gateway \
		$(DESTDIR)$(SYSCONFDIR)/logrotate.d $(DESTDIR)$(PREFIX)/lib/systemd/system \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d \
		$(DESTDIR)$(PREFIX)/lib/sysctl.d $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions
	install -d -m 700 $(DESTDIR)$(SYSCONFDIR)/gloo-gateway/kubernetes
	install -m 755 $(B)/gloo-gateway $(DESTDIR)$(PREFIX)/sbin/gloo-gateway.new
	mv $(DESTDIR)$(PREFIX)/sbin/gloo-gateway.new $(DESTDIR)$(PREFIX)/sbin/gloo-gateway
	install -m 755 $(B)/glooctl $(DESTDIR)$(PREFIX)/bin/glooctl.new
	mv $(DESTDIR)$(PREFIX)/bin/glooctl.new $(DESTDIR)$(PREFIX)/bin/glooctl
	install -m 644 $(BPF_OBJS) $(DESTDIR)$(PREFIX)/lib/gloo-gateway/
	[ -e $(DESTDIR)$(SYSCONFDIR)/gloo-gateway/settings.yaml ] || \
		install -m 644 config/settings.yaml $(DESTDIR)$(SYSCONFDIR)/gloo-gateway/
	install -m 644 systemd/gloo-gateway.service $(DESTDIR)$(PREFIX)/lib/systemd/system/
	install -m 644 systemd/gloo-gateway.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/gloo-gateway.conf
	install -m 644 systemd/gloo-gateway.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/gloo-gateway.conf
	install -m 644 systemd/gloo-gateway.sysctl $(DESTDIR)$(PREFIX)/lib/sysctl.d/60-gloo-gateway.conf
	install -m 644 systemd/gloo-gateway.logrotate $(DESTDIR)$(SYSCONFDIR)/logrotate.d/gloo-gateway
	install -m 644 docs/glooctl.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 docs/gloo-gateway-settings.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 docs/gloo-gateway.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	$(B)/glooctl completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/glooctl
	$(B)/glooctl completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_glooctl
clean: ## remove the build folder
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
