// SPDX-License-Identifier: MIT
/* aif - inference on this machine; see aif(1).  A file for each command. */
#include <string.h>

#include "tools/cli.h"

static const struct command commands[] = {
	{ "embed", cmd_embed, "texts to vectors" },
	{ "search", cmd_search, "lines of a file, by meaning" },
	{ "run", cmd_run, "one request to any service" },
	{ "service", cmd_service, "what is served" },
	{ "device", cmd_device, "what computes, and for which services" },
	{ "tenant", cmd_tenant, "who may have how much" },
	{ "buffer", cmd_buffer, "what memory is kept, and by whom" },
	{ "top", cmd_top, "who has it now" },
	{ "model", cmd_model, "what models are there" },
	{ "transfer", cmd_transfer, "a file's bytes through pinned memory" },
	{ "key", cmd_key, "who may ask aif-gateway" },
	{ "probe", cmd_probe, "why does it not work here?" },
	{ "selftest", cmd_selftest, "does it compute what it should?" },
	{ "bench", cmd_bench, "what does it cost?" },
	{ 0 },
};

int main(int argc, char **argv)
{
	argp_err_exit_status = CLI_USAGE;
	if (argc == 2 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		printf("aif %s\n", aif_version());
		return CLI_OK;
	}
	return cli_dispatch("aif", "Inference on this machine.", commands, argc, argv);
}
