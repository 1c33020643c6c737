/* SPDX-License-Identifier: MIT */
/*
 * transport.h - where a device is: in the kernel, or in this process
 *
 * A transport carries the ABI (<linux/aif.h>): it opens nodes, takes the
 * ioctls' argument structs, and maps at the offsets that they returned.  The
 * rest of the library is written once over this table.  What one transport
 * refuses, every other refuses with the same error.
 */
#ifndef LIBAIF_TRANSPORT_H
#define LIBAIF_TRANSPORT_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

enum libaif_node {
	LIBAIF_CLIENT,	/* /dev/aif */
	LIBAIF_SERVE,	/* /dev/aif-serve */
};

/* An open node.  A transport's own struct begins with it. */
struct libaif_file {
	const struct libaif_transport *transport;
	int fd;		/* for poll(2), for rings, and to name the file to others */
};

/*
 * @open:  a node of @device; NULL and errno.  The new file is close-on-exec
 * @adopt: a client's node that was opened elsewhere: the transport's from here on
 * @close: end the file; its mappings must have been unmapped
 * @call:  the operation AIF_IOC_*: 0, or the fd that it returns, or -errno
 * @map:   shared memory at an offset that the ABI returned; NULL and errno
 * @unmap: the whole of what @map gave
 */
struct libaif_transport {
	const char *name;
	struct libaif_file *(*open)(const char *device, enum libaif_node node);
	struct libaif_file *(*adopt)(int fd);
	void (*close)(struct libaif_file *file);
	int (*call)(struct libaif_file *file, unsigned long command, void *argument);
	void *(*map)(struct libaif_file *file, uint64_t offset, size_t length, int prot);
	void (*unmap)(struct libaif_file *file, void *address, size_t length);
};

extern const struct libaif_transport libaif_transport_kernel;
extern const struct libaif_transport libaif_transport_local;

/* The transport that @device (NULL: the default) names, opened. */
struct libaif_file *libaif_open(const char *device, enum libaif_node node);

/* The same of a client's file that is open already. */
struct libaif_file *libaif_adopt(const char *device, int fd);

static inline void libaif_close(struct libaif_file *file)
{
	file->transport->close(file);
}

static inline int libaif_call(struct libaif_file *file, unsigned long command, void *argument)
{
	return file->transport->call(file, command, argument);
}

/* The same of what not every device has: -EOPNOTSUPP. */
static inline int libaif_call_newer(struct libaif_file *file, unsigned long command,
				    void *argument)
{
	int ret = libaif_call(file, command, argument);

	return ret == -ENOTTY ? -EOPNOTSUPP : ret;
}

static inline void *libaif_map(struct libaif_file *file, uint64_t offset, size_t length, int prot)
{
	return file->transport->map(file, offset, length, prot);
}

static inline void libaif_unmap(struct libaif_file *file, void *address, size_t length)
{
	if (address)
		file->transport->unmap(file, address, length);
}

#endif
