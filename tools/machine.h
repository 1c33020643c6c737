/* SPDX-License-Identifier: MIT */
/* machine.h - what kind of machine this is: no figure means anything without it */
#ifndef AIF_TOOLS_MACHINE_H
#define AIF_TOOLS_MACHINE_H

#include <stdbool.h>

/* Instructions are emulated: times are not those of any real machine. */
bool machine_is_emulated(void);

/* "emulated (TCG)", "virtual (KVM)", "virtual", "not virtual, as far as can be seen"; static. */
const char *machine_kind(void);

#endif
