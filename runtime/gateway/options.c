// SPDX-License-Identifier: MIT
#include "runtime/gateway/options.h"

#include <argp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "libaif.h"
#include "runtime/gateway/keys.h"
#include "runtime/gateway/listener.h"
#include "runtime/model/why.h"

/* ---- numbers ---- */

/*
 * An option that is a number: where it goes, and what it may be.
 *
 * @seconds: a double, else a size_t (@bytes) or an unsigned int
 */
struct number {
	int key;
	const char *name;
	size_t field;
	enum { COUNT, BYTES, SECONDS } type;
	double min, max, fallback;
};

enum {
	OPT_THREADS = 256, OPT_BODY, OPT_HEAD, OPT_MEMORY, OPT_CONNECTIONS, OPT_QUEUE, OPT_TEXTS,
	OPT_HEAD_S, OPT_BODY_S, OPT_IDLE_S, OPT_WRITE_S, OPT_DEADLINE_S, OPT_DRAIN_S, OPT_TRUNCATE,
	OPT_ANONYMOUS, OPT_ALIAS, OPT_OWNER, OPT_LISTEN_TLS, OPT_CERT, OPT_KEY, OPT_KEYS, OPT_REGION,
	OPT_SOLE, OPT_BODIES, OPT_METRICS, OPT_ACCESS, OPT_ECHO, OPT_SHM,
};

#define NUMBER(key, name, member, type, min, max, fallback) \
	{ key, name, offsetof(struct options, member), type, min, max, fallback }

static const struct number numbers[] = {
	NUMBER(OPT_THREADS, "threads", threads, COUNT, 1, 256, 0),
	NUMBER(OPT_BODY, "max-body", body_bytes, BYTES, 1, 1u << 30, 8u << 20),
	NUMBER(OPT_BODIES, "max-bodies", bodies_bytes, BYTES, 1, 1ull << 40, 256u << 20),
	NUMBER(OPT_HEAD, "max-head", head_bytes, BYTES, 1024, 65536, 16384),
	NUMBER(OPT_MEMORY, "memory", memory_bytes, BYTES, 1u << 20, 1ull << 32, 64u << 20),
	NUMBER(OPT_CONNECTIONS, "max-connections", connections, COUNT, 1, 1u << 20, 1024),
	NUMBER(OPT_QUEUE, "max-queue", queue, COUNT, 1, 1u << 20, 4096),
	NUMBER(OPT_TEXTS, "max-texts", texts, COUNT, 1, 4096, 2048),
	NUMBER(OPT_HEAD_S, "head-timeout", head_s, SECONDS, 0.1, 3600, 10),
	NUMBER(OPT_BODY_S, "body-timeout", body_s, SECONDS, 0.1, 3600, 60),
	NUMBER(OPT_IDLE_S, "idle-timeout", idle_s, SECONDS, 0.1, 86400, 75),
	NUMBER(OPT_WRITE_S, "write-timeout", write_s, SECONDS, 0.1, 86400, 60),
	NUMBER(OPT_DEADLINE_S, "deadline", deadline_s, SECONDS, 0.001, 86400, 60),
	NUMBER(OPT_DRAIN_S, "drain-timeout", drain_s, SECONDS, 0, 3600, 30),
};

#define NUMBER_COUNT (sizeof(numbers) / sizeof(numbers[0]))

static void number_store(struct options *o, const struct number *n, double value)
{
	void *field = (char *)o + n->field;

	switch (n->type) {
	case SECONDS:
		*(double *)field = value;
		return;
	case BYTES:
		*(size_t *)field = (size_t)value;
		return;
	case COUNT:
		*(unsigned int *)field = (unsigned int)value;
	}
}

static const struct number *number_of(int key)
{
	for (size_t i = 0; i < NUMBER_COUNT; i++) {
		if (numbers[i].key == key)
			return &numbers[i];
	}
	return NULL;
}

static void number_set(struct options *o, const struct number *n, const char *text,
		       struct argp_state *state)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= n->min) || value > n->max ||
	    (n->type != SECONDS && value != (double)(unsigned long long)value))
		argp_error(state, "--%s: '%s' is not a number from %.12g to %.12g", n->name, text,
			   n->min, n->max);
	number_store(o, n, value);
}

static void defaults(struct options *o)
{
	*o = (struct options){ .device = "/dev/aif", .owner = AIF_OWNER_TRUSTED };
	for (size_t i = 0; i < NUMBER_COUNT; i++)
		number_store(o, &numbers[i], numbers[i].fallback);
}

/* ---- the others ---- */

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Where", 1 },
	{ "listen", 'l', "ADDRESS:PORT", 0, "Serve HTTP here; may be given several times", 1 },
	{ "listen-tls", OPT_LISTEN_TLS, "ADDRESS:PORT", 0, "The same, over TLS", 1 },
	{ "tls-cert", OPT_CERT, "FILE", 0, "PEM: this machine's certificate, and those up to its CA",
	  1 },
	{ "tls-key", OPT_KEY, "FILE", 0, "PEM: its key", 1 },
	{ "device", 'd', "DEVICE", 0,
	  "A node (default /dev/aif), or \"local\": the model runs in this process", 1 },
	{ "model", 'm', "MODEL", 0, "With -d local: a name or a folder", 1 },
	{ "owner", OPT_OWNER, "USER", 0, "Who must own services (default: this user or root)", 1 },
	{ "alias", OPT_ALIAS, "NAME=SERVICE", 0, "Another name for a service", 1 },
	{ "metrics", OPT_METRICS, "ADDRESS:PORT", 0, "Prometheus asks here, for /metrics", 1 },
	{ "access-log", OPT_ACCESS, "FILE", 0,
	  "A line of JSON for each request; \"-\": standard output", 1 },
	{ "echo", OPT_ECHO, "SERVICE[,KEY=VALUE...]", OPTION_HIDDEN, NULL, 1 },
	{ "shm-socket", OPT_SHM, "PATH", 0,
	  "Here applications hand over memory for requests of the Open Inference Protocol", 1 },
	{ "sagemaker", OPT_SOLE, "SERVICE", 0,
	  "What /invocations asks, which names none (default: the first that makes embeddings)",
	  1 },

	{ NULL, 0, NULL, 0, "Who", 2 },
	{ "keys", OPT_KEYS, "FILE", 0, "Of `aif key` (default " KEYS_PATH ")", 2 },
	{ "region", OPT_REGION, "REGION", 0, "That signatures have in their scope (us-east-1)", 2 },
	{ "anonymous", OPT_ANONYMOUS, NULL, 0,
	  "Nobody needs a key; only when all addresses are this machine's own", 2 },

	{ NULL, 0, NULL, 0, "How much", 3 },
	{ "threads", OPT_THREADS, "N", 0, "Event loops (default: processors)", 3 },
	{ "max-body", OPT_BODY, "BYTES", 0, "Of a request (8 MiB)", 3 },
	{ "max-bodies", OPT_BODIES, "BYTES", 0, "Of all requests together, and of all responses (256 MiB)", 3 },
	{ "max-head", OPT_HEAD, "BYTES", 0, "Of a request's line and headers (16 KiB)", 3 },
	{ "max-connections", OPT_CONNECTIONS, "N", 0, "At once (1024)", 3 },
	{ "max-queue", OPT_QUEUE, "N", 0,
	  "Texts that wait to be submitted, for each loop and tenant (4096)", 3 },
	{ "max-texts", OPT_TEXTS, "N", 0, "Of a request (2048)", 3 },
	{ "memory", OPT_MEMORY, "BYTES", 0,
	  "Granted buffers, for each loop, tenant and service (64 MiB)", 3 },
	{ "truncate", OPT_TRUNCATE, NULL, 0,
	  "Cut texts over the model's limit and say so, instead of refusing them", 3 },

	{ NULL, 0, NULL, 0, "How long, in seconds", 4 },
	{ "head-timeout", OPT_HEAD_S, "S", 0, "For a request's head to arrive (10)", 4 },
	{ "body-timeout", OPT_BODY_S, "S", 0, "For its body (60)", 4 },
	{ "idle-timeout", OPT_IDLE_S, "S", 0, "A connection without a request (75)", 4 },
	{ "write-timeout", OPT_WRITE_S, "S", 0, "A client that takes nothing (60)", 4 },
	{ "deadline", OPT_DEADLINE_S, "S", 0, "For the device to answer (60)", 4 },
	{ "drain-timeout", OPT_DRAIN_S, "S", 0, "For what is under way, at the end (30)", 4 },
	{ 0 },
};

static void alias_add(struct options *o, char *text, struct argp_state *state)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text || !equals[1]) {
		argp_error(state, "--alias: '%s' is not NAME=SERVICE", text);
		return;
	}
	if (o->alias_count == ALIASES_MAX)
		argp_error(state, "--alias: more than %d", ALIASES_MAX);
	*equals = '\0';
	o->aliases[o->alias_count++] = (struct alias){ text, equals + 1 };
}

static void listen_add(struct options *o, const char *text, int key, struct argp_state *state)
{
	struct sockaddr_storage address;
	struct aif_why why;

	if (o->listen_count == LISTENERS_MAX)
		argp_error(state, "--listen: more than %d", LISTENERS_MAX);
	if (listener_parse(text, &address, &why))
		argp_error(state, "--listen: %s", why.text);
	o->listen[o->listen_count++] = (struct listen){
		text, key == OPT_LISTEN_TLS, key == OPT_METRICS
	};
}

static uint32_t owner_of(const char *text, struct argp_state *state)
{
	const struct passwd *user = getpwnam(text);
	char *end;
	unsigned long uid = strtoul(text, &end, 10);

	if (user)
		return user->pw_uid;
	if (!*text || *end || uid >= AIF_OWNER_TRUSTED)
		argp_error(state, "--owner: there is no user '%s'", text);
	return (uint32_t)uid;
}

static void check(const struct options *o, struct argp_state *state)
{
	struct sockaddr_storage address;

	if (!o->listen_count)
		argp_error(state, "where? --listen 127.0.0.1:8080, say");
	if (!strcmp(o->device, "local") != !!o->model)
		argp_error(state, "--device local goes with --model, and only that");
	if (o->shm_socket && o->model)
		argp_error(state, "--shm-socket: memory of \"local\" cannot be handed over");
	for (unsigned int i = 0; i < o->listen_count; i++) {
		const struct listen *l = &o->listen[i];

		if (l->tls && (!o->tls_cert || !o->tls_key))
			argp_error(state, "--listen-tls needs --tls-cert and --tls-key");
		if (o->anonymous && !listener_parse(l->address, &address, NULL) &&
		    !listener_is_loopback(&address))
			argp_error(state, "--anonymous: %s is not an address of this machine alone",
				   l->address);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	const struct number *number = number_of(key);

	if (number) {
		number_set(o, number, arg, state);
		return 0;
	}
	switch (key) {
	case 'l':
	case OPT_LISTEN_TLS:
	case OPT_METRICS:
		listen_add(o, arg, key, state);
		return 0;
	case OPT_ACCESS:
		o->access_log = arg;
		return 0;
	case OPT_SHM:
		o->shm_socket = arg;
		return 0;
	case OPT_ECHO:
		o->echo = strsep(&arg, ",");
		o->echo_keys = arg;
		return 0;
	case OPT_CERT:
		o->tls_cert = arg;
		return 0;
	case OPT_KEY:
		o->tls_key = arg;
		return 0;
	case OPT_KEYS:
		o->keys = arg;
		return 0;
	case OPT_REGION:
		o->region = arg;
		return 0;
	case OPT_SOLE:
		o->sole = arg;
		return 0;
	case 'd':
		o->device = arg;
		return 0;
	case 'm':
		o->model = arg;
		return 0;
	case OPT_OWNER:
		o->owner = owner_of(arg, state);
		return 0;
	case OPT_ALIAS:
		alias_add(o, arg, state);
		return 0;
	case OPT_ANONYMOUS:
		o->anonymous = true;
		return 0;
	case OPT_TRUNCATE:
		o->truncate = true;
		return 0;
	case ARGP_KEY_END:
		check(o, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

void options_parse(int argc, char **argv, struct options *o)
{
	static const struct argp argp = {
		.options = options, .parser = parse,
		.doc = "Serve the models of this machine to programs that speak the OpenAI, Bedrock, SageMaker or Open Inference protocol.\v"
		       "SIGTERM and SIGINT drain: what is under way is answered, then the gateway ends with status 0; a second one ends it at once.  SIGHUP reads the keys and the certificate again, and opens the access log anew.",
	};

	defaults(o);
	if (argp_parse(&argp, argc, argv, 0, NULL, o))
		exit(2);
}
