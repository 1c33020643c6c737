// SPDX-License-Identifier: MIT
/*
 * The layout of <linux/aif.h> is for ever.  This file is compiled with
 * -Werror=padded: a structure with a hole does not compile.  As each 64-bit
 * field stands at a multiple of 8 then, 32-bit programs see the same.
 */
#include <linux/aif.h>

#define SIZE(type, bytes)	_Static_assert(sizeof(struct type) == (bytes), #type)
#define AT(type, field, offset)	\
	_Static_assert(__builtin_offsetof(struct type, field) == (offset), #type "." #field)

SIZE(aif_range, 12);
SIZE(aif_desc, 64);
AT(aif_desc, ranges, 28);
AT(aif_desc, input, 40);
SIZE(aif_completion, 64);
AT(aif_completion, state, 4);
SIZE(aif_client_status, 64);
SIZE(aif_slot, 128);
SIZE(aif_delivery, 32);
SIZE(aif_commit, 32);
SIZE(aif_executor_status, 64);
SIZE(aif_array, 16);
SIZE(aif_io, 96);
SIZE(aif_service_desc, 544);

SIZE(aif_ioc_info, 176);
SIZE(aif_ioc_buffer_alloc, 40);
SIZE(aif_ioc_buffer_free, 8);
SIZE(aif_ioc_buffer_pin, 32);
SIZE(aif_ioc_buffer_memfd, 32);
SIZE(aif_ioc_buffer_import, 24);
SIZE(aif_ioc_buffer_sync, 16);
SIZE(aif_ioc_buffer_map, 48);
SIZE(aif_ioc_buffer_unmap, 16);
SIZE(aif_tenant_limits, 40);
SIZE(aif_tenant_realtime, 72);
SIZE(aif_tenant_now, 192);
SIZE(aif_ioc_buffer_share, 16);
SIZE(aif_ioc_buffer_accept, 40);
SIZE(aif_ioc_tenant_list, 24);
SIZE(aif_ioc_tenant_set, 128);
SIZE(aif_ioc_grant, 24);
SIZE(aif_ioc_revoke, 8);
SIZE(aif_ioc_declare_pins, 16);
SIZE(aif_ioc_service_create, 568);
SIZE(aif_ioc_service_list, 24);
SIZE(aif_ioc_service_describe, 624);
SIZE(aif_ioc_service_open, 80);
SIZE(aif_ioc_service_drain, 8);
SIZE(aif_ioc_submit, 24);
SIZE(aif_ioc_wait, 32);
SIZE(aif_ioc_wait_quiet, 16);
SIZE(aif_ioc_cancel, 16);
SIZE(aif_ioc_set_eventfd, 8);
SIZE(aif_ioc_executor_attach, 24);
SIZE(aif_ioc_commit_fetch, 32);
SIZE(aif_ioc_progress, 32);

SIZE(aif_cmd_submit, 16);
SIZE(aif_cmd_wait, 16);
SIZE(aif_cmd_wait_quiet, 16);
SIZE(aif_cmd_cancel, 16);
SIZE(aif_cmd_commit_fetch, 16);
SIZE(aif_cmd_progress, 16);
