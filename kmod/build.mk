# SPDX-License-Identifier: MIT
#
# The module is built in a mirror of its sources, so that the tree stays clean
# and several kernels' builds stand beside each other.

KMOD_DIR := $(B)/kmod-$(KVER)
KMOD_SRC := $(shell find kmod -type f ! -name '*.md' ! -name build.mk)

.PHONY: module
module: $(KMOD_DIR)/aif.ko

$(KMOD_DIR)/aif.ko: $(KMOD_SRC) uapi/linux/aif.h VERSION
	@test -d "$(KDIR)" || { echo "no kernel headers for '$(KVER)': install linux-headers-6.12-amd64, or name another kernel with KVER=" >&2; exit 1; }
	@mkdir -p $(KMOD_DIR)/src
	@cp -ru --parents kmod uapi $(KMOD_DIR)/src/
	@cd $(KMOD_DIR)/src && find kmod -name '*.c' ! -name '*.mod.c' | \
		while read -r f; do test -e $(CURDIR)/$$f || rm $$f; done
	@$(KMOD_DIR)/src/kmod/compat/probe $(KDIR)
	$(MAKE) -C $(KDIR) M=$(abspath $(KMOD_DIR)/src/kmod) AIF_VERSION=$(VERSION) \
		AIF_KUNIT=$(AIF_KUNIT) AIF_KCOV=$(AIF_KCOV) \
		$(if $(KW),W=$(KW)) modules
	@cp $(KMOD_DIR)/src/kmod/vendor/aif_mock.ko $(KMOD_DIR)/src/kmod/vendor/aif_edu.ko $(KMOD_DIR)/
	@cp $(KMOD_DIR)/src/kmod/aif.ko $@
