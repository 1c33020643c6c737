// SPDX-License-Identifier: MIT
#include "runtime/gateway/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/gateway/apis.h"
#include "runtime/gateway/loop.h"

static const struct route metrics_route = {
	"GET", "/metrics", API_PLAIN, operations_metrics, NEEDS_NOTHING, NULL
};

static const struct route echo_route = {
	"POST", "/echo", API_PLAIN, echo_stream, NEEDS_DEVICE, NULL
};

static const struct route routes[] = {
	{ "GET", "/health", API_PLAIN, operations_health, NEEDS_NOTHING, NULL },
	{ "GET", "/ready", API_PLAIN, operations_ready, NEEDS_NOTHING, NULL },

	{ "POST", "/v1/embeddings", API_OPENAI, openai_embeddings, NEEDS_DEVICE, NULL },
	{ "GET", "/v1/models", API_OPENAI, openai_models, NEEDS_KEY, NULL },
	{ "GET", "/v1/models/{}", API_OPENAI, openai_model, NEEDS_KEY, NULL },

	{ "POST", "/model/{}/invoke", API_BEDROCK, bedrock_invoke, NEEDS_DEVICE, NULL },
	{ "GET", "/foundation-models", API_BEDROCK, bedrock_models, NEEDS_KEY, NULL },
	{ "GET", "/foundation-models/{}", API_BEDROCK, bedrock_model, NEEDS_KEY, NULL },

	{ "GET", "/ping", API_SAGEMAKER, sagemaker_ping, NEEDS_NOTHING, NULL },
	{ "POST", "/invocations", API_SAGEMAKER, sagemaker_invocations, NEEDS_DEVICE, NULL },
	{ "POST", "/endpoints/{}/invocations", API_SAGEMAKER, sagemaker_endpoint, NEEDS_DEVICE, NULL },

	{ "GET", "/v2", API_INFERENCE, inference_server, NEEDS_KEY, NULL },
	{ "GET", "/v2/health/live", API_INFERENCE, inference_live, NEEDS_NOTHING, NULL },
	{ "GET", "/v2/health/ready", API_INFERENCE, inference_ready, NEEDS_NOTHING, NULL },
	{ "GET", "/v2/models/{}", API_INFERENCE, inference_model, NEEDS_KEY, NULL },
	{ "GET", "/v2/models/{}/ready", API_INFERENCE, inference_model_ready, NEEDS_KEY, NULL },
	{ "GET", "/v2/models/{}/config", API_INFERENCE, inference_config, NEEDS_KEY, NULL },
	{ "GET", "/v2/models/{}/stats", API_INFERENCE, inference_stats, NEEDS_KEY, NULL },
	{ "POST", "/v2/models/{}/infer", API_INFERENCE, inference_infer, NEEDS_KEY,
	  inference_place },
	{ "GET", "/v2/models/{}/versions/{}", API_INFERENCE, inference_model, NEEDS_KEY, NULL },
	{ "GET", "/v2/models/{}/versions/{}/ready", API_INFERENCE,
	  inference_model_ready, NEEDS_KEY, NULL },
	{ "GET", "/v2/models/{}/versions/{}/config", API_INFERENCE, inference_config, NEEDS_KEY, NULL },
	{ "GET", "/v2/models/{}/versions/{}/stats", API_INFERENCE, inference_stats, NEEDS_KEY, NULL },
	{ "POST", "/v2/models/{}/versions/{}/infer", API_INFERENCE, inference_infer, NEEDS_KEY,
	  inference_place },
	{ "POST", "/v2/repository/index", API_INFERENCE, inference_index, NEEDS_KEY, NULL },
	{ "GET", "/v2/systemsharedmemory/status", API_INFERENCE, shm_api_status, NEEDS_KEY, NULL },
	{ "GET", "/v2/systemsharedmemory/region/{}/status", API_INFERENCE,
	  shm_api_status, NEEDS_KEY, NULL },
	{ "POST", "/v2/systemsharedmemory/region/{}/register", API_INFERENCE,
	  shm_api_register, NEEDS_KEY, NULL },
	{ "POST", "/v2/systemsharedmemory/region/{}/unregister", API_INFERENCE,
	  shm_api_unregister, NEEDS_KEY, NULL },
	{ "POST", "/v2/systemsharedmemory/unregister", API_INFERENCE,
	  shm_api_unregister, NEEDS_KEY, NULL },
};

#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

/* Whose a path is that no route has: so that its client understands the answer. */
static const struct {
	const char *prefix;
	enum api api;
} prefixes[] = {
	{ "/v1/", API_OPENAI },		{ "/v2", API_INFERENCE },
	{ "/model/", API_BEDROCK },	{ "/foundation-models", API_BEDROCK },
	{ "/endpoints/", API_SAGEMAKER }, { "/invocations", API_SAGEMAKER },
	{ "/ping", API_SAGEMAKER },
};

static enum api api_of(const char *path)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (!strncmp(path, prefixes[i].prefix, strlen(prefixes[i].prefix)))
			return prefixes[i].api;
	}
	return API_PLAIN;
}

/* ---- segments ---- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A copy of a segment with its escapes undone; NULL: one is wrong, or hides a NUL. */
static char *decode(const char *from, size_t length)
{
	char *text = malloc(length + 1), *to = text;

	for (size_t i = 0; text && i < length; i++) {
		int high, low;

		if (from[i] != '%') {
			*to++ = from[i];
			continue;
		}
		high = length - i > 2 ? digit(from[i + 1]) : -1;
		low = high >= 0 ? digit(from[i + 2]) : -1;
		if (low < 0 || !(high | low)) {
			free(text);
			return NULL;
		}
		*to++ = (char)(high << 4 | low);
		i += 2;
	}
	if (text)
		*to = '\0';
	return text;
}

/* Where the segments that "{}" stand for are. */
struct match {
	const char *from[PARAMS_MAX];
	size_t length[PARAMS_MAX];
	unsigned int count;
};

static bool matches(const char *pattern, const char *path, const char *end, struct match *m)
{
	m->count = 0;
	while (*pattern && path < end) {
		const char *stop;

		if (pattern[0] != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		stop = memchr(path, '/', (size_t)(end - path));
		stop = stop ? stop : end;
		m->from[m->count] = path;
		m->length[m->count++] = (size_t)(stop - path);
		path = stop;
		pattern += 2;
	}
	return !*pattern && path == end;
}

static bool take_params(struct exchange *x, const struct match *m)
{
	for (unsigned int i = 0; i < m->count; i++) {
		x->param[i] = decode(m->from[i], m->length[i]);
		if (!x->param[i] || !*x->param[i]) {
			exchange_fail(x, FAULT_REQUEST, "the path has a name that cannot be decoded");
			return false;
		}
	}
	return true;
}

/* Those that are there only sometimes. */
static const struct route *rare_route(const struct exchange *x, const char *path, const char *end)
{
	struct match m;

	if (x->metrics && matches(metrics_route.path, path, end, &m))
		return &metrics_route;
	if (x->loop->gateway->opts.echo && matches(echo_route.path, path, end, &m))
		return &echo_route;
	return NULL;
}

bool route_find(struct exchange *x)
{
	const char *path = exchange_text(x, x->target), *end = path + x->path_length;
	const char *method = x->head_only ? "GET" : exchange_text(x, x->method);
	bool found = false;
	struct match m;

	x->route = rare_route(x, path, end);
	if (x->route)
		return true;
	x->api = api_of(path);
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		if ((x->metrics && routes[i].needs != NEEDS_NOTHING) || !matches(routes[i].path, path, end, &m))
			continue;
		found = true;
		x->api = routes[i].api;
		if (strcmp(routes[i].method, method))
			continue;
		x->route = &routes[i];
		return take_params(x, &m);
	}
	if (found)
		exchange_fail(x, FAULT_METHOD, "%s does not go with this path",
			      exchange_text(x, x->method));
	else
		exchange_fail(x, FAULT_NO_ROUTE, "no such path here");
	return false;
}
