// SPDX-License-Identifier: MIT
#include "tools/hardware.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xf86drm.h>

#include "runtime/backend/backend.h"
#include "runtime/backend/cpu/team.h"
#include "runtime/backend/cuda/survey.h"
#include "runtime/daemon/apart.h"

#define DRM_DEVICES_MAX 64

typedef void each_fn(void *ctx, const struct hardware *h);

/* The first line of a file of /sys, empty if it cannot be read. */
static void read_line(const char *path, char *line, size_t room)
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(line, (int)room, file))
		*line = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (file)
		fclose(file);
}

/* A device that belongs to no node says -1. */
static void read_numa(struct hardware *h)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", h->pci);
	read_line(path, h->numa, sizeof(h->numa));
	if (*h->numa == '-')
		*h->numa = '\0';
}

/* ---- the processor ---- */

static void read_cpu_name(char *name, size_t room)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256], *value;

	while (file && fgets(line, sizeof(line), file)) {
		value = strstr(line, ": ");
		if (strncmp(line, "model name", 10) || !value)
			continue;
		value[strcspn(value, "\n")] = '\0';
		snprintf(name, room, "%.120s", value + 2);
		break;
	}
	if (file)
		fclose(file);
}

static void look_at_cpu(each_fn *each, void *ctx)
{
	struct hardware h = { .kind = HARDWARE_CPU, .id = "cpu", .name = "processor" };
	const struct aif_host_ops *host;

	read_cpu_name(h.name, sizeof(h.name));
	if (!aif_host_select(NULL, &host))
		snprintf(h.target, sizeof(h.target), "%s", host->name);
	read_line("/sys/devices/system/node/online", h.numa, sizeof(h.numa));
	h.cores = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	h.allowed = aif_cpu_allowed();
	h.bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	each(ctx, &h);
}

/* ---- CUDA ---- */

#define CUDA_DEVICES_MAX 64
#define CUDA_SECONDS 30

/* What a process that asked the driver says. */
struct survey {
	int result;	/* as of aif_cuda_survey() */
	unsigned int count;
	struct aif_cuda_found found[CUDA_DEVICES_MAX];
	char why[256];
};

static struct survey survey;

static void add_found(void *ctx, const struct aif_cuda_found *found)
{
	struct survey *s = ctx;

	if (s->count < CUDA_DEVICES_MAX)
		s->found[s->count++] = *found;
}

static void ask_cuda(void *ctx, void *answer)
{
	struct survey *s = answer;

	s->result = aif_cuda_survey(add_found, s);
	if (s->result < 0)
		snprintf(s->why, sizeof(s->why), "%s", aif_cuda_why());
}

static void look_at_cuda(const struct aif_cuda_found *found, each_fn *each, void *ctx)
{
	struct hardware h = { .kind = HARDWARE_CUDA, .bytes = found->bytes };

	snprintf(h.id, sizeof(h.id), "%s", found->id);
	snprintf(h.name, sizeof(h.name), "%s", found->name);
	snprintf(h.target, sizeof(h.target), "sm_%d%d", found->major, found->minor);
	snprintf(h.driver, sizeof(h.driver), "CUDA %d.%d", found->version / 1000,
		 found->version % 1000 / 10);
	for (size_t i = 0; found->pci[i] && i + 1 < sizeof(h.pci); i++)
		h.pci[i] = (char)tolower((unsigned char)found->pci[i]);	/* as /sys has it */
	read_numa(&h);
	each(ctx, &h);
}

void hardware_each_cuda(each_fn *each, void *ctx)
{
	char why[sizeof(survey.why)];
	int err = apart(ask_cuda, NULL, &survey, sizeof(survey), CUDA_SECONDS, why, sizeof(why));

	if (err) {
		survey = (struct survey){ .result = err };
		memcpy(survey.why, why, sizeof(why));
	}
	for (unsigned int i = 0; i < survey.count; i++)
		look_at_cuda(&survey.found[i], each, ctx);
}

/* ---- DRM ---- */

/*
 * Who may not open a node does not see its driver.  A render node, if there is one: whoever
 * opens a primary node that nobody has becomes its master.
 */
static void read_driver(struct hardware *h)
{
	int fd = open(*h->render ? h->render : h->id, O_RDWR | O_CLOEXEC);
	drmVersionPtr version = fd >= 0 ? drmGetVersion(fd) : NULL;

	if (version) {
		snprintf(h->driver, sizeof(h->driver), "%.40s %d.%d.%d", version->name,
			 version->version_major, version->version_minor,
			 version->version_patchlevel);
		snprintf(h->name, sizeof(h->name), "%.100s", version->desc);
		drmFreeVersion(version);
	}
	if (fd >= 0)
		close(fd);
}

static void look_at_drm(const drmDevice *d, each_fn *each, void *ctx)
{
	int first = d->available_nodes & 1 << DRM_NODE_PRIMARY ? DRM_NODE_PRIMARY : DRM_NODE_RENDER;
	struct hardware h = { .kind = HARDWARE_DRM };

	snprintf(h.id, sizeof(h.id), "%s", d->nodes[first]);
	if (d->available_nodes & 1 << DRM_NODE_RENDER)
		snprintf(h.render, sizeof(h.render), "%s", d->nodes[DRM_NODE_RENDER]);
	if (d->bustype == DRM_BUS_PCI) {
		snprintf(h.pci, sizeof(h.pci), "%04x:%02x:%02x.%u", d->businfo.pci->domain,
			 d->businfo.pci->bus, d->businfo.pci->dev, d->businfo.pci->func);
		read_numa(&h);
	}
	read_driver(&h);
	each(ctx, &h);
}

static void look_at_drms(each_fn *each, void *ctx)
{
	drmDevicePtr devices[DRM_DEVICES_MAX];
	int n = drmGetDevices2(0, devices, DRM_DEVICES_MAX);

	if (n > DRM_DEVICES_MAX)	/* it says how many there are */
		n = DRM_DEVICES_MAX;
	for (int i = 0; i < n; i++)
		if (devices[i]->available_nodes & (1 << DRM_NODE_PRIMARY | 1 << DRM_NODE_RENDER))
			look_at_drm(devices[i], each, ctx);
	if (n > 0)
		drmFreeDevices(devices, n);
}

/* ---- all ---- */

void hardware_each(each_fn *each, void *ctx)
{
	look_at_cpu(each, ctx);
	hardware_each_cuda(each, ctx);
	look_at_drms(each, ctx);
}

const char *hardware_no_cuda(void)
{
	return survey.result < 0 ? survey.why : NULL;
}
