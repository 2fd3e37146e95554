# rtctcp. `make help` lists the targets; `make test` and `make run` need nothing prepared.

# ---- What you may set ---------------------------------------------------------------------------
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
CONTEXT  ?= fcontext#  the stack switch: fcontext or ucontext
SANITIZE ?=#           address,undefined or thread
SESSIONS ?=#           of `make soak`; SEED and WORKERS likewise
WERROR   ?=#           1: warnings are errors, as in CI
CFLAGS   ?= -O2 -g
V        ?=#           1: print whole command lines; `make -s` prints none

# ---- Flags --------------------------------------------------------------------------------------
VERSION := $(shell sed -n 's/.*RTC_VERSION  *"\(.*\)".*/\1/p' rtctcp/include/rtctcp/version.h)
SONAME  := librtctcp.so.$(firstword $(subst ., ,$(VERSION)))

WARNINGS := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wmissing-prototypes \
            -Wstrict-prototypes -Wpointer-arith -Wvla -Wformat=2 -Wundef -Wimplicit-fallthrough \
            $(if $(WERROR),-Werror)

# pkg-config is asked once, when first needed: the packages may just have been installed.
once = $(eval $(1) := $(2))$($(1))
ask  = $(shell pkg-config $(1))$(if $(filter-out 0,$(.SHELLSTATUS)),$(error packages are missing: `make deps` installs them))
LIB_PACKAGES    := libuv libsrtp2 nice openssl
SERVER_PACKAGES := libmicrohttpd gstreamer-sdp-1.0 jansson
LOAD_PACKAGES   := libuv libcurl jansson
LIB_CFLAGS    = $(call once,LIB_CFLAGS,$(call ask,--cflags $(LIB_PACKAGES)))
LIB_LIBS      = $(call once,LIB_LIBS,$(call ask,--libs $(LIB_PACKAGES)))
SERVER_CFLAGS = $(call once,SERVER_CFLAGS,$(call ask,--cflags $(SERVER_PACKAGES)))
SERVER_LIBS   = $(call once,SERVER_LIBS,$(call ask,--libs $(SERVER_PACKAGES)))
LOAD_CFLAGS   = $(call once,LOAD_CFLAGS,$(call ask,--cflags $(LOAD_PACKAGES)))
LOAD_LIBS     = $(call once,LOAD_LIBS,$(call ask,--libs $(LOAD_PACKAGES)))
TEST_LIBS     = $(call once,TEST_LIBS,$(call ask,--libs cmocka))
CONTEXT_LIBS  := $(if $(filter fcontext,$(CONTEXT)),-l:libboost_context.a)

SANITIZE_FLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -pthread -MMD -MP \
             $(WARNINGS) $(CFLAGS) $(SANITIZE_FLAGS) $(CPPFLAGS)
ALL_LDFLAGS = -pthread $(SANITIZE_FLAGS) $(LDFLAGS)

# ---- Files --------------------------------------------------------------------------------------
OTHER_CONTEXT := $(filter-out %/context_$(CONTEXT).c,$(wildcard rtctcp/src/runtime/context_*.c))
LIB_SOURCES    := $(filter-out $(OTHER_CONTEXT),$(wildcard rtctcp/src/*/*.c))
SERVER_SOURCES := $(wildcard interop/server/*.c)
LOAD_SOURCES   := $(wildcard interop/load/*.c)
SERVER_PAGES   := $(wildcard interop/server/page/*)
SUPPORT_SOURCES := $(wildcard rtctcp/test/support/*.c)
WALK_SOURCES   := $(wildcard rtctcp/test/walk/*.c)
TEST_SOURCES   := $(wildcard rtctcp/test/*/test_*.c)
FAULT_SOURCES  := $(filter-out $(TEST_SOURCES),$(wildcard rtctcp/test/faults/*.c))
FUZZ_SOURCES   := $(wildcard rtctcp/fuzz/fuzz_*.c)

LIB_OBJECTS     := $(LIB_SOURCES:%.c=$(BUILD)/obj/%.o)
SERVER_OBJECTS  := $(SERVER_SOURCES:%.c=$(BUILD)/obj/%.o) $(SERVER_PAGES:%=$(BUILD)/obj/%.o)
LOAD_OBJECTS    := $(LOAD_SOURCES:%.c=$(BUILD)/obj/%.o)
SUPPORT_OBJECTS := $(SUPPORT_SOURCES:%.c=$(BUILD)/obj/%.o)
SOAK_SOURCES    := $(wildcard rtctcp/test/soak/*.c $(patsubst %,rtctcp/test/support/%*.c,peer rtp descriptors))
SOAK_OBJECTS    := $(SOAK_SOURCES:%.c=$(BUILD)/obj/%.o)
FAULT_OBJECTS   := $(FAULT_SOURCES:%.c=$(BUILD)/obj/%.o)
SERVER_TESTS    := $(wildcard interop/server/test/test_*.c)
LOAD_TESTS      := $(wildcard interop/load/test/test_*.c)
TEST_PROGRAMS   := $(TEST_SOURCES:rtctcp/test/%.c=$(BUILD)/test/%) \
                   $(SERVER_TESTS:interop/server/test/%.c=$(BUILD)/test/server/%) \
                   $(LOAD_TESTS:interop/load/test/%.c=$(BUILD)/test/load/%)
BENCH_PROGRAMS  := $(patsubst rtctcp/bench/%.c,$(BUILD)/bench/%,$(wildcard rtctcp/bench/bench_*.c))
SERVER_FUZZ     := $(wildcard interop/server/fuzz/fuzz_*.c)
FUZZ_PROGRAMS   := $(FUZZ_SOURCES:rtctcp/fuzz/%.c=$(BUILD)/fuzz/%) \
                   $(SERVER_FUZZ:interop/server/fuzz/%.c=$(BUILD)/fuzz/server/%)

STATIC_LIB := $(BUILD)/librtctcp.a
SHARED_LIB := $(BUILD)/librtctcp.so
SERVER     := $(BUILD)/rtctcp-server
LOAD       := $(BUILD)/rtctcp-load
SOAK       := $(BUILD)/rtctcp-soak
PION_SERVER := $(BUILD)/pion-server
PC_FILE    := $(BUILD)/rtctcp.pc
NODE_MODULES := interop/browsers/node_modules/.package-lock.json

# ---- Targets ------------------------------------------------------------------------------------
.DEFAULT_GOAL := all
.PHONY: help deps all run test unit asan tsan valgrind matrix walk walk-one soak soak-short \
        soak-chrome mutations fuzz fuzz-one backends lint headers format interop-http interop-load interop-chrome \
        bench bench-quick bench-programs install uninstall check-install clean
.DELETE_ON_ERROR:
.SECONDARY:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

all: $(STATIC_LIB) $(SHARED_LIB) $(PC_FILE) $(SERVER) $(LOAD) $(BENCH_PROGRAMS) ## build the library, the server and the load generator (the default)

deps: ## install what is missing (Debian 12 packages); does nothing when all is there
	@.ci/deps

run: ## set up, build and start the server on http://127.0.0.1:8080/
	@.ci/deps build
	@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) all
	$(SERVER) $(ARGS)

test: deps ## set up, and run everything that a change could break
	+@.ci/test

unit: $(TEST_PROGRAMS) ## run the unit suite of this build
	@rtctcp/test/run $(TEST_PROGRAMS)

asan: ## run the unit suite under AddressSanitizer and UndefinedBehaviorSanitizer, both contexts
	@$(MAKE) --no-print-directory unit BUILD=$(BUILD)/asan SANITIZE=address,undefined
	@$(MAKE) --no-print-directory unit BUILD=$(BUILD)/asan-ucontext SANITIZE=address,undefined CONTEXT=ucontext

tsan: ## run the unit suite under ThreadSanitizer
	@$(MAKE) --no-print-directory unit BUILD=$(BUILD)/tsan SANITIZE=thread

valgrind: ## run the unit suite under Valgrind, both contexts
	@RTC_TEST_VALGRIND=1 $(MAKE) --no-print-directory unit
	@RTC_TEST_VALGRIND=1 $(MAKE) --no-print-directory unit BUILD=$(BUILD)/ucontext CONTEXT=ucontext

soak: $(SOAK) ## open and end sessions by the hundred thousand, then walk: SESSIONS=200000 SEED=random WORKERS=1
	@$(SOAK) $(if $(SESSIONS),--sessions $(SESSIONS)) $(if $(SEED),--seed $(SEED)) $(if $(WORKERS),--workers $(WORKERS))
	@$(MAKE) --no-print-directory walk

soak-short: $(SOAK)
	@$(SOAK) --sessions 2000 --rounds 1 --workers 2 --session-timeout 3000 --first-frame-timeout 2000 --grace 1000

mutations: ## break the library line by line in a scratch copy, and see that the tests notice
	@rtctcp/test/mutate $(ONLY)

matrix: $(filter $(BUILD)/test/transport/test_endings%,$(TEST_PROGRAMS)) ## show how every ending of a session went, at every moment
	@rm -f $(BUILD)/matrix
	@RTC_TEST_MATRIX=$(BUILD)/matrix rtctcp/test/run $^; status=$$?; cat $(BUILD)/matrix; exit $$status

walk: ## walk at random against the model of the pair, under ASan: STEPS=1000000 SEED=from-the-clock
	@$(MAKE) --no-print-directory walk-one BUILD=$(BUILD)/asan SANITIZE=address,undefined

walk-one: $(BUILD)/test/transport/test_walk
	@RTC_WALK_STEPS=$(or $(STEPS),1000000) RTC_WALK_SEED=$(or $(SEED),$(shell date +%s)) $<

fuzz: ## fuzz every parser for a bounded time
	@$(MAKE) --no-print-directory fuzz-one BUILD=$(BUILD)/fuzz-asan SANITIZE=address,undefined

fuzz-one: $(FUZZ_PROGRAMS)
	@rtctcp/fuzz/run $(FUZZ_PROGRAMS)

backends: ## run the unit suite on both stack switches
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory unit BUILD=$(BUILD)/ucontext CONTEXT=ucontext

interop-http: all ## ask the server over HTTP: statuses, drains, the debug view
	@node interop/browsers/http.mjs $(SERVER)

interop-load: all ## load the server a little: all has to arrive
	@node interop/load/smoke.mjs $(SERVER) $(LOAD)

interop-chrome: all $(NODE_MODULES) ## publish and play with a real Chromium, and lose its TCP conns
	@node interop/browsers/chrome.mjs $(SERVER) $(BUILD)
	@node interop/browsers/proxy.test.mjs
	@node interop/browsers/comeback.mjs $(SERVER)

LOADS ?= 1000
soak-chrome: all $(NODE_MODULES) ## load LOADS pages that publish, and close their tabs at random moments
	@node interop/browsers/soak.mjs $(SERVER) $(LOADS) $(SEED)

# npm notes here what it has installed.
$(NODE_MODULES): interop/browsers/package-lock.json
	@cd $(<D) && npm ci --no-audit --no-fund --loglevel=error >/dev/null && touch $(@:interop/browsers/%=%)

bench: ## measure against limits and Pion, and write docs/PERFORMANCE.md: half an hour
	@.ci/deps bench
	@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) bench-programs
	@ulimit -n $$(ulimit -Hn) && node interop/bench/bench.mjs --build $(BUILD) --out docs

bench-quick: ## the same in short, for a look: build/bench/PERFORMANCE.md
	@.ci/deps bench
	@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) bench-programs
	@ulimit -n $$(ulimit -Hn) && node interop/bench/bench.mjs --build $(BUILD) --out $(BUILD)/bench --quick

bench-programs: all $(PION_SERVER)

lint: headers ## formatting, clang-tidy, cppcheck, the floors' order
	+@.ci/lint

headers: ## every public header compiles alone, as C11 and as C++
	@for header in rtctcp/include/rtctcp/*.h; do \
	  $(CC) -std=c11 -Wall -Wextra -Werror -Irtctcp/include -fsyntax-only -x c $$header && \
	  $(CXX) -Wall -Wextra -Werror -Irtctcp/include -fsyntax-only -x c++ $$header || exit 1; \
	done

format: ## format all C files (clang-format 14)
	@find rtctcp interop -name node_modules -prune -o -name '*.[ch]' -print0 | xargs -0 clang-format-14 -i

install: $(STATIC_LIB) $(SHARED_LIB) $(PC_FILE) ## install the library, its headers and rtctcp.pc
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/rtctcp
	install -m 644 rtctcp/include/rtctcp/*.h $(DESTDIR)$(PREFIX)/include/rtctcp/
	install -m 644 $(STATIC_LIB) $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(SHARED_LIB) $(DESTDIR)$(PREFIX)/lib/librtctcp.so.$(VERSION)
	ln -sf librtctcp.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/librtctcp.so
	install -m 644 $(PC_FILE) $(DESTDIR)$(PREFIX)/lib/pkgconfig/

uninstall: ## remove what install put there
	rm -rf $(DESTDIR)$(PREFIX)/include/rtctcp
	rm -f $(DESTDIR)$(PREFIX)/lib/librtctcp.a $(DESTDIR)$(PREFIX)/lib/librtctcp.so \
	      $(DESTDIR)$(PREFIX)/lib/$(SONAME) $(DESTDIR)$(PREFIX)/lib/librtctcp.so.$(VERSION) \
	      $(DESTDIR)$(PREFIX)/lib/pkgconfig/rtctcp.pc

check-install: ## install to a scratch place, and build the README's program against that
	+@.ci/check-install

clean: ## remove the build directory
	rm -rf $(BUILD)

Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-4s %s\n' '$(1)' '$(2)')

# ---- Rules --------------------------------------------------------------------------------------
# Objects are made anew when the flags change: a build directory holds one kind of build. The libraries
# are made anew when a source file comes or goes.
FLAGS_STAMP   := $(BUILD)/flags
SOURCES_STAMP := $(BUILD)/sources
$(FLAGS_STAMP): WORDS = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(SOURCES_STAMP): WORDS = $(LIB_SOURCES)
$(FLAGS_STAMP) $(SOURCES_STAMP): FORCE
	@mkdir -p $(@D)
	@echo '$(WORDS)' | cmp -s - $@ || echo '$(WORDS)' > $@
.PHONY: FORCE
FORCE:

$(BUILD)/obj/rtctcp/src/%.o: rtctcp/src/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) -Irtctcp/include -Irtctcp/src -c $< -o $@

$(BUILD)/obj/rtctcp/test/%.o: rtctcp/test/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) -Irtctcp/include -Irtctcp/src -Irtctcp/test -c $< -o $@

# The soak's server sees the public headers only, as any user's program.
$(BUILD)/obj/rtctcp/test/soak/%.o: rtctcp/test/soak/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Irtctcp/include -Irtctcp/test -c $< -o $@

$(BUILD)/obj/rtctcp/fuzz/%.o: rtctcp/fuzz/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) -Irtctcp/include -Irtctcp/src -c $< -o $@

# The server sees the public headers only, as any user's program.
$(BUILD)/obj/interop/server/%.o: interop/server/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(SERVER_CFLAGS) -Irtctcp/include -c $< -o $@

# So does the load generator.
$(BUILD)/obj/interop/load/%.o: interop/load/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(LOAD_CFLAGS) -Irtctcp/include -c $< -o $@

# A page file becomes an object with the symbols page_NAME and page_NAME_len.
$(BUILD)/obj/interop/server/page/%.o: interop/server/page/% interop/server/embed.sh $(FLAGS_STAMP)
	@mkdir -p $(@D)
	@interop/server/embed.sh $< > $(@:.o=.c)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -c $(@:.o=.c) -o $@

$(STATIC_LIB): $(LIB_OBJECTS) $(SOURCES_STAMP)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(LIB_OBJECTS)

# nodelete: libsrtp2 keeps pointers to our ciphers, see protocol/srtp_evp.h.
$(SHARED_LIB): $(LIB_OBJECTS) $(SOURCES_STAMP)
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--exclude-libs,ALL -Wl,-z,nodelete $(if $(SANITIZE),,-Wl,--no-undefined) \
	  $(ALL_LDFLAGS) $(LIB_OBJECTS) $(CONTEXT_LIBS) $(LIB_LIBS) -o $@
	@ln -sf $(@F) $(@D)/$(SONAME)

# Anew each time: PREFIX may be another one.
$(PC_FILE): rtctcp/rtctcp.pc.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	     -e 's|@REQUIRES@|$(LIB_PACKAGES)|' -e 's|@CONTEXT_LIBS@|$(CONTEXT_LIBS)|' $< > $@

$(SERVER): $(SERVER_OBJECTS) $(SHARED_LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(SERVER_OBJECTS) -L$(BUILD) -lrtctcp -Wl,-rpath,'$$ORIGIN' $(SERVER_LIBS) -o $@

$(LOAD): $(LOAD_OBJECTS) $(SHARED_LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LOAD_OBJECTS) -L$(BUILD) -lrtctcp -Wl,-rpath,'$$ORIGIN' $(LOAD_LIBS) -lm -o $@

# It has a clock of its own, which no other program should have.
$(BUILD)/test/transport/test_walk: $(WALK_SOURCES:%.c=$(BUILD)/obj/%.o)

$(BUILD)/test/%: $(BUILD)/obj/rtctcp/test/%.o $(SUPPORT_OBJECTS) $(STATIC_LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(filter %.o,$^) $(STATIC_LIB) $(CONTEXT_LIBS) $(LIB_LIBS) $(TEST_LIBS) -o $@

# With the seam, through which allocations and system calls fail; see faults/seam.h.
FAULT_WRAPS := malloc calloc realloc strdup accept4 recv send shutdown setsockopt socket bind listen getsockname \
               close mmap mprotect madvise mincore getrandom pthread_create
$(BUILD)/test/faults/%: $(BUILD)/obj/rtctcp/test/faults/%.o $(FAULT_OBJECTS) $(SUPPORT_OBJECTS) $(STATIC_LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -rdynamic $(FAULT_WRAPS:%=-Wl,--wrap=%) $^ $(CONTEXT_LIBS) $(LIB_LIBS) $(TEST_LIBS) -o $@

# What of the server can be tested alone: HTTP, and all that reads and writes what peers say.
SERVER_TESTED := answer fragment h264 http log negotiate offer precondition text
SERVER_TESTED_OBJECTS := $(SERVER_TESTED:%=$(BUILD)/obj/interop/server/%.o)
$(BUILD)/test/server/%: $(BUILD)/obj/interop/server/test/%.o $(SERVER_TESTED_OBJECTS) $(STATIC_LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(SERVER_LIBS) $(CONTEXT_LIBS) $(LIB_LIBS) $(TEST_LIBS) -o $@

# What of the load generator needs no server; its offers are read by the server's parser.
LOAD_TESTED := channel histogram offer options options_usage process reception recovery rtcp stream
LOAD_TESTED_OBJECTS := $(LOAD_TESTED:%=$(BUILD)/obj/interop/load/%.o)
$(BUILD)/test/load/%: $(BUILD)/obj/interop/load/test/%.o $(LOAD_TESTED_OBJECTS) $(SERVER_TESTED_OBJECTS) $(STATIC_LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LOAD_LIBS) $(SERVER_LIBS) $(CONTEXT_LIBS) $(LIB_LIBS) $(TEST_LIBS) -lm -o $@

$(SOAK): $(SOAK_OBJECTS) $(STATIC_LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(CONTEXT_LIBS) $(LIB_LIBS) -o $@

# A benchmark looks at whichever floor it measures.
$(BUILD)/obj/rtctcp/bench/%.o: rtctcp/bench/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(LIB_CFLAGS) -Irtctcp/include -Irtctcp/src -Irtctcp/test -Irtctcp -c $< -o $@

$(BUILD)/bench/%: $(BUILD)/obj/rtctcp/bench/%.o $(STATIC_LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(CONTEXT_LIBS) $(LIB_LIBS) -o $@

# Its peers are the tests'.
$(BUILD)/bench/bench_memory: $(patsubst %.c,$(BUILD)/obj/%.o,rtctcp/bench/memory_peers.c $(wildcard rtctcp/test/support/peer*.c))

# From Debian's packages, offline. Only below a GOPATH of its own does Go find their /v3.
$(PION_SERVER): $(wildcard interop/peers/pion/*.go)
	@mkdir -p $(BUILD)/gopath/src
	@ln -sfn $(abspath interop/peers/pion) $(BUILD)/gopath/src/pion-server
	$(call say,GO,$@)
	$(Q)cd $(BUILD)/gopath/src/pion-server && GO111MODULE=off GOFLAGS= GOPATH=$(abspath $(BUILD))/gopath:/usr/share/gocode \
	  GOCACHE=$(abspath $(BUILD))/gocache go build -o $(abspath $@) pion-server

# Without libFuzzer, driver.c is the main program.
$(BUILD)/fuzz/%: $(BUILD)/obj/rtctcp/fuzz/%.o $(BUILD)/obj/rtctcp/fuzz/driver.o $(STATIC_LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(CONTEXT_LIBS) $(LIB_LIBS) -o $@

$(BUILD)/fuzz/server/%: $(BUILD)/obj/interop/server/fuzz/%.o $(BUILD)/obj/rtctcp/fuzz/driver.o \
                        $(SERVER_TESTED_OBJECTS) $(STATIC_LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(SERVER_LIBS) $(CONTEXT_LIBS) $(LIB_LIBS) -o $@

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
