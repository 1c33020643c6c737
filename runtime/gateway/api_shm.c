// SPDX-License-Identifier: MIT
/* Open Inference Protocol: regions of shared memory, as a tenant names them */
#include <errno.h>
#include <string.h>

#include "runtime/gateway/apis.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/json.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/shm.h"

/* NULL: it is not there, and that was answered. */
static struct shm *shm_of(struct exchange *x)
{
	struct shm *s = x->loop->gateway->shm;

	if (!s)
		exchange_fail(x, FAULT_REQUEST,
			      "shared memory is not offered here: it needs /dev/aif and --shm-socket");
	return s;
}

static void answer(struct exchange *x, int err, const char *name)
{
	struct buf b = { 0 };

	if (!err)
		exchange_reply(x, 200, "application/json", &b);
	else if (err == -EEXIST)
		exchange_fail(x, FAULT_REQUEST, "the region '%s' is registered already", name);
	else if (err == -ERANGE)
		exchange_fail(x, FAULT_REQUEST, "'offset' and 'byte_size' are not inside the region");
	else if (err == -ENOENT)
		exchange_fail(x, FAULT_REQUEST, "there is no region '%s'", name);
	else
		exchange_fail(x, -err, "%s", strerror(-err));
}

static const char *read_fields(const json_t *root, const char **key, json_int_t *offset,
			       json_int_t *bytes)
{
	*key = json_string_value(json_object_get(root, "key"));
	*offset = json_integer_value(json_object_get(root, "offset"));
	*bytes = json_integer_value(json_object_get(root, "byte_size"));
	if (!*key || strlen(*key) != SHM_NAME_SIZE - 1 ||
	    strspn(*key, "0123456789abcdef") != SHM_NAME_SIZE - 1)
		return "'key' must be a name that this gateway's socket gave; /dev/shm is not read";
	if (*offset < 0 || *bytes < 1)
		return "'byte_size' must be positive, and 'offset' not negative";
	return NULL;
}

void shm_api_register(struct exchange *x)
{
	char error[JSON_ERROR_SIZE];
	struct shm *s = shm_of(x);
	json_int_t offset, bytes;
	const char *key, *wrong;
	json_t *root;

	if (!s)
		return;
	root = exchange_json(x, error);
	wrong = root ? read_fields(root, &key, &offset, &bytes) : error;
	if (wrong)
		exchange_fail(x, FAULT_REQUEST, "%s", wrong);
	else
		answer(x, shm_register(s, x->tenant, x->param[0], key, (uint64_t)offset,
				       (uint64_t)bytes), x->param[0]);
	json_decref(root);
}

void shm_api_unregister(struct exchange *x)
{
	struct shm *s = shm_of(x);

	if (s)
		answer(x, shm_unregister(s, x->tenant, x->param[0]), x->param[0]);
}

void shm_api_status(struct exchange *x)
{
	struct shm *s = shm_of(x);
	struct buf b = { 0 };

	if (!s)
		return;
	if (shm_status(s, x->tenant, x->param[0], &b)) {
		buf_free(&b);
		answer(x, -ENOENT, x->param[0]);
		return;
	}
	exchange_reply(x, 200, "application/json", &b);
}
