// SPDX-License-Identifier: MIT
#include "tools/machine.h"

#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#define CPUID_HYPERVISOR 0x40000000u
#define ECX_HYPERVISOR (1u << 31)

/* The hypervisor's 12 letters; empty where there is none. */
static void hypervisor(char name[13])
{
	unsigned int a, b, c, d;

	memset(name, 0, 13);
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & ECX_HYPERVISOR))
		return;
	__cpuid(CPUID_HYPERVISOR, a, b, c, d);
	memcpy(name, &b, 4);
	memcpy(name + 4, &c, 4);
	memcpy(name + 8, &d, 4);
	if (!*name)
		strcpy(name, "?");
}
#else
static void hypervisor(char name[13])
{
	memset(name, 0, 13);
}
#endif

bool machine_is_emulated(void)
{
	char name[13];

	hypervisor(name);
	return !strcmp(name, "TCGTCGTCGTCG");
}

const char *machine_kind(void)
{
	char name[13];

	hypervisor(name);
	if (machine_is_emulated())
		return "emulated (TCG)";
	if (!strncmp(name, "KVMKVMKVM", 9))
		return "virtual (KVM)";
	return *name ? "virtual" : "not virtual, as far as can be seen";
}
