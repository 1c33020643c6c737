# SPDX-License-Identifier: MIT
#
# make install [PREFIX=/usr/local] [DESTDIR=]: what applications need, and what
# people type.  The module is not in it: it belongs to a kernel.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=

# As the library itself says, libaif.so.0.
INSTALL_SONAME = $$(objdump -p $(B)/libaif.so | awk '$$1 == "SONAME" { print $$2 }')

.PHONY: install
install: $(B)/aif $(B)/aifd $(B)/libaif.a $(B)/libaif.so $(B)/libaif-model.a	## into PREFIX (/usr/local), below DESTDIR
	install -D -m 755 -t "$(DESTDIR)$(PREFIX)/bin" $(B)/aif
	install -D -m 755 -t "$(DESTDIR)$(PREFIX)/sbin" $(B)/aifd
	install -D -m 644 -t "$(DESTDIR)$(LIBDIR)" $(B)/libaif.a $(B)/libaif-model.a
	install -m 644 $(B)/libaif.so "$(DESTDIR)$(LIBDIR)/libaif.so.$(VERSION)"
	ln -sf libaif.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/$(INSTALL_SONAME)"
	ln -sf libaif.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libaif.so"
	install -D -m 644 -t "$(DESTDIR)$(PREFIX)/include" runtime/include/*.h
	install -D -m 644 -t "$(DESTDIR)$(PREFIX)/include/linux" uapi/linux/aif.h
	for section in 1 5 8; do \
		install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/man/man$$section" \
			docs/man/*.$$section || exit; \
	done
	install -d "$(DESTDIR)$(LIBDIR)/pkgconfig"
	for pc in libaif libaif-model; do \
		sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' \
			-e 's|@MODEL_LIBS@|$(MODEL_LIBS)|' packaging/$$pc.pc.in \
			>"$(DESTDIR)$(LIBDIR)/pkgconfig/$$pc.pc" || exit; \
	done
