/* SPDX-License-Identifier: MIT */
/* What is checked, and the oracle that says what is right. */
#ifndef FUZZ_DESC_H
#define FUZZ_DESC_H

#include "aif_core.h"

struct fuzz_case {
	struct aif_service_desc service;
	struct aif_desc desc;
	u64 features;
	u64 now;
	u32 depth;
	u32 buffer_bytes;
};

/* The same rules as the core's, told again from <linux/aif.h> and aif_core.h, slowly. */
bool oracle_service(const struct aif_service_desc *desc);
void oracle_normal_form(struct aif_service_desc *desc);
bool oracle_transfer(const struct aif_desc *d);
int oracle_desc(const struct fuzz_case *c);
bool oracle_fits(const struct aif_desc *d, const struct aif_service_desc *service);

#endif
