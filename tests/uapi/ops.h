/* SPDX-License-Identifier: MIT */
/*
 * All operations of <linux/aif.h> as data: each with a file to call it on and
 * an argument that succeeds, its outputs, its reserved fields, its flags.
 */
#ifndef OPS_H
#define OPS_H

#include "raw.h"

#define OP_ARG_MAX	4096
#define OP_FIELDS_MAX	16

/* Files in every role, and objects that the prepared calls name. */
struct op_world {
	struct raw_rig rig;		/* client and executor */
	struct raw_service other;	/* may be drained */
	struct raw_taken held;		/* a request in the executor's hands */
	int serve;			/* a file with no role */
	int spare;			/* the last file that a prepare opened */
	int memfd;			/* a page, sealed against shrinking */
	int dmabuf;			/* a page of the system heap */
	uint32_t imported;		/* that, closed */
	int shared;			/* the rig's buffer, to be accepted */
	uint32_t ids[16];
	struct aif_tenant_now tenants[8];
	char text[64];
};

int op_world_open(struct op_world *w);
void op_world_close(struct op_world *w);
int op_world_fd(struct op_world *w, enum aif_role role);

struct op_field {
	uint16_t offset;
	uint16_t size;
	bool fresh;	/* an output that differs from call to call */
};

struct op_flags {
	uint16_t offset;
	uint32_t known;
};

struct op {
	const char *name;
	unsigned long cmd;
	uint32_t size;
	uint32_t roles;			/* bits of enum aif_role */
	/* Fill @arg (zeroed, OP_ARG_MAX bytes); returns the fd to call, or -errno. */
	int (*prepare)(struct op_world *w, void *arg);
	struct op_field out[OP_FIELDS_MAX];
	struct op_field reserved[OP_FIELDS_MAX];
	struct op_flags flags;		/* .offset 0: it has none */
};

extern const struct op ops[];
extern const size_t op_total;
extern size_t op_count;	/* after op_world_open() only those that this kernel has */

/* Ring commands.  The payload prepared succeeds (res >= 0). */
struct ring_op {
	const char *name;
	uint32_t cmd;
	uint32_t roles;
	int (*prepare)(struct op_world *w, void *payload);
	struct op_field reserved[4];
	struct op_flags flags;
	bool has_flags;			/* flags.offset may be 0 here */
};

extern const struct ring_op ring_ops[];
extern const size_t ring_op_count;

#endif
