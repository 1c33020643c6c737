// SPDX-License-Identifier: MIT
#include "runtime/daemon/conf.h"

#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/backend/backend.h"
#include "runtime/daemon/kind.h"
#include "runtime/daemon/models.h"
#include "runtime/model/why.h"

#define MS_MAX 3600000
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

/* ---- values ---- */

struct key;
typedef int (*set_fn)(void *field, const struct key *key, const char *value, struct aif_why *why);
typedef int (*format_fn)(const void *field, char *text, size_t room);

/*
 * @kind, @backend: the only one that has this key; NULL: all
 * @min, @max, @fallback: of numbers
 * @choices: of words, separated by ", "; each fits its field
 */
struct key {
	const char *name;
	const struct kind *kind;
	size_t field;
	set_fn set;
	format_fn format;
	uint32_t min, max, fallback;
	const char *choices;
	const char *backend;
};

static int set_number(void *field, const struct key *key, const char *value, struct aif_why *why)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || errno || number < key->min ||
	    number > key->max)
		return aif_why_set(why, -EINVAL, "%s: '%s' is not a number from %u to %u",
				   key->name, value, key->min, key->max);
	*(uint32_t *)field = (uint32_t)number;
	return 0;
}

static int format_number(const void *field, char *text, size_t room)
{
	return snprintf(text, room, "%u", *(const uint32_t *)field);
}

/* 1 to AIF_SERVICE_NAME_MAX - 1 of @chars; @what is said of those that are not. */
static int set_word(void *field, const struct key *key, const char *value, const char *chars,
		    const char *what, struct aif_why *why)
{
	size_t length = strlen(value);

	if (!length || length >= AIF_SERVICE_NAME_MAX || strspn(value, chars) != length)
		return aif_why_set(why, -EINVAL, "%s: '%s' is %s", key->name, value, what);
	memcpy(field, value, length + 1);
	return 0;
}

static int set_name(void *field, const struct key *key, const char *value, struct aif_why *why)
{
	return set_word(field, key, value, NAME_CHARS,
			"not a name: 1 to 63 of letters, digits, '.', '_', '-'", why);
}

static int set_cuda_device(void *field, const struct key *key, const char *value,
			   struct aif_why *why)
{
	return set_word(field, key, value, NAME_CHARS ":",
			"neither a UUID (GPU-...) nor a PCI address (0000:01:00.0)", why);
}

static int set_choice(void *field, const struct key *key, const char *value, struct aif_why *why)
{
	size_t length = strlen(value);
	const char *at = key->choices;

	while (at && (strcspn(at, ",") != length || strncmp(at, value, length))) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return aif_why_set(why, -EINVAL, "%s: '%s' is none of: %s", key->name, value,
				   key->choices);
	memcpy(field, value, length + 1);
	return 0;
}

static int format_text(const void *field, char *text, size_t room)
{
	return snprintf(text, room, "%s", (const char *)field);
}

static int set_kind(void *field, const struct key *key, const char *value, struct aif_why *why)
{
	const struct kind *kind = kind_find(value);

	if (!kind)
		return aif_why_set(why, -EINVAL, "%s: '%s' is none of: " KIND_NAMES, key->name,
				   value);
	*(const struct kind **)field = kind;
	return 0;
}

static int format_kind(const void *field, char *text, size_t room)
{
	return snprintf(text, room, "%s", (*(const struct kind *const *)field)->name);
}

static int set_backend(void *field, const struct key *key, const char *value, struct aif_why *why)
{
	const struct aif_backend *backend = aif_backend_find(value);

	if (!backend)
		return aif_why_set(why, -EINVAL, "%s: '%s' is none of: cpu, cuda, ref", key->name, value);
	*(const struct aif_backend **)field = backend;
	return 0;
}

static int format_backend(const void *field, char *text, size_t room)
{
	return snprintf(text, room, "%s", (*(const struct aif_backend *const *)field)->name);
}

static int set_model(void *field, const struct key *key, const char *value, struct aif_why *why)
{
	return models_find(value, field, PATH_MAX, why);
}

static int set_digest(void *field, const struct key *key, const char *value, struct aif_why *why)
{
	if (strlen(value) != 64 || strspn(value, "0123456789abcdefABCDEF") != 64)
		return aif_why_set(why, -EINVAL, "%s: '%s' is not 64 hexadecimal digits", key->name,
				   value);
	memcpy(field, value, 65);
	return 0;
}

/* ---- keys ---- */

#define FIELD(member)	.field = offsetof(struct service_conf, member)
#define NUMBER(member)	FIELD(member), .set = set_number, .format = format_number

/* service_conf.given has a bit for each. */
static const struct key keys[] = {
	{ "type", FIELD(kind), .set = set_kind, .format = format_kind },
	{ "device", FIELD(accelerator), .set = set_name, .format = format_text },
	{ "workers", NUMBER(workers), .min = 1, .max = 64, .fallback = 1 },
	{ "batch", NUMBER(batch), .min = 1, .max = 1024, .fallback = 32 },
	{ "max_attempts", NUMBER(max_attempts), .min = 1, .max = 16, .fallback = 2 },
	{ "longest_step_ms", NUMBER(longest_step_ms), .min = 1, .max = MS_MAX, .fallback = 1000 },
	{ "progress_ms", NUMBER(progress_ms), .min = 1, .max = MS_MAX, .fallback = 10000 },
	{ "recovery_ms", NUMBER(recovery_ms), .min = 1, .max = MS_MAX, .fallback = 1000 },
	{ "model", &kind_embed, FIELD(model), .set = set_model, .format = format_text },
	{ "digest", &kind_embed, FIELD(digest), .set = set_digest, .format = format_text },
	{ "input", &kind_embed, FIELD(input), .set = set_choice, .format = format_text,
	  .choices = "text, ids" },
	{ "backend", &kind_embed, FIELD(backend), .set = set_backend, .format = format_backend },
	{ "cuda_device", &kind_embed, FIELD(cuda_device), .set = set_cuda_device,
	  .format = format_text, .backend = "cuda" },
	{ "cuda_precision", &kind_embed, FIELD(cuda_precision), .set = set_choice,
	  .format = format_text, .choices = "fp32, tf32, bf16, fp16", .backend = "cuda" },
	{ "cuda_wait", &kind_embed, FIELD(cuda_wait), .set = set_choice, .format = format_text,
	  .choices = "spin, sleep", .backend = "cuda" },
	{ "threads", &kind_embed, NUMBER(threads), .min = 1, .max = 1024 },
	{ "batch_tokens", &kind_embed, NUMBER(batch_tokens), .min = 512, .max = 1u << 20,
	  .fallback = 2048 },
	{ "delay_ms", &kind_echo, NUMBER(delay_ms), .min = 0, .max = MS_MAX },
	{ "progress_bytes", &kind_echo, NUMBER(progress_bytes), .min = 0, .max = 1u << 30 },
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static void *field_of(const struct service_conf *s, const struct key *key)
{
	return (char *)s + key->field;
}

static bool was_given(const struct service_conf *s, const struct key *key)
{
	return s->given & 1u << (key - keys);
}

int service_conf_init(struct service_conf *s, const char *name, struct aif_why *why)
{
	static const struct key service = { .name = "service" };

	*s = (struct service_conf){ 0 };
	return set_name(s->name, &service, name, why);
}

int service_conf_set(struct service_conf *s, const char *name, const char *value,
		     struct aif_why *why)
{
	const struct key *key;

	for (key = keys; key < keys + KEY_COUNT; key++) {
		if (strcmp(key->name, name))
			continue;
		if (was_given(s, key))
			return aif_why_set(why, -EEXIST, "%s: given twice", name);
		s->given |= 1u << (key - keys);
		return key->set(field_of(s, key), key, value, why);
	}
	return aif_why_set(why, -EINVAL, "'%s' is not a key of a service; see aifd.conf(5)", name);
}

int service_conf_format(const struct service_conf *s, char **list, unsigned int room)
{
	char value[PATH_MAX];
	unsigned int n = 0;

	for (const struct key *key = keys; key < keys + KEY_COUNT && n < room; key++) {
		if (key->kind && key->kind != s->kind)
			continue;
		if (!key->format(field_of(s, key), value, sizeof(value)))
			continue;
		if (asprintf(&list[n], "%s=%s", key->name, value) < 0) {
			list[n] = NULL;
			return -ENOMEM;
		}
		n++;
	}
	return (int)n;
}

/* Processors for each worker, when nobody said how many. */
static uint32_t threads_each(uint32_t workers)
{
	cpu_set_t allowed;
	uint32_t count = 1;

	if (!sched_getaffinity(0, sizeof(allowed), &allowed))
		count = (uint32_t)CPU_COUNT(&allowed);
	return count > workers ? count / workers : 1;
}

static int check_keys(const struct service_conf *s, struct aif_why *why)
{
	for (const struct key *key = keys; key < keys + KEY_COUNT; key++) {
		if (!was_given(s, key))
			continue;
		if (key->kind && key->kind != s->kind)
			return aif_why_set(why, -EINVAL,
					   "service %s: %s does not go with type=%s", s->name,
					   key->name, s->kind->name);
		if (key->backend && strcmp(key->backend, s->backend->name))
			return aif_why_set(why, -EINVAL, "service %s: %s goes with backend=%s",
					   s->name, key->name, key->backend);
	}
	return 0;
}

int service_conf_finish(struct service_conf *s, struct aif_why *why)
{
	for (const struct key *key = keys; key < keys + KEY_COUNT; key++) {
		if (key->set == set_number && !was_given(s, key))
			*(uint32_t *)field_of(s, key) = key->fallback;
	}
	if (!s->kind)
		s->kind = &kind_embed;
	if (!s->backend)
		s->backend = aif_backend_find("cpu");
	if (!s->threads)
		s->threads = threads_each(s->workers);
	if (!*s->accelerator)
		strcpy(s->accelerator, "cpu");
	if (!*s->input)
		strcpy(s->input, "text");
	if (s->kind == &kind_embed && !*s->model)
		return aif_why_set(why, -EINVAL, "service %s: model is missing", s->name);
	return check_keys(s, why);
}

static int set_pair(struct service_conf *s, const char *pair, struct aif_why *why)
{
	const char *equals = strchr(pair, '=');
	char *key;
	int err;

	if (!equals)
		return aif_why_set(why, -EINVAL, "'%s' is not KEY=VALUE", pair);
	key = strndup(pair, (size_t)(equals - pair));
	if (!key)
		return aif_why_set(why, -ENOMEM, "no memory");
	err = service_conf_set(s, key, equals + 1, why);
	free(key);
	return err;
}

int service_conf_parse(struct service_conf *s, const char *name, char *const *list,
		       struct aif_why *why)
{
	int err = service_conf_init(s, name, why);

	for (; !err && *list; list++)
		err = set_pair(s, *list, why);
	return err ? err : service_conf_finish(s, why);
}

/* ---- the file: libconfuse knows its syntax and its lines, the table above the rest ---- */

/* What conf_load() and libconfuse's callbacks share; aifd reads one file, once. */
static struct {
	const char *path;
	struct conf *conf;
	struct aif_why *why;
} loading;

/* For libconfuse: the first error stays. */
static void file_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char message[sizeof(loading.why->text)];

	if (*loading.why->text)
		return;
	vsnprintf(message, sizeof(message), fmt, ap);
	aif_why_format(loading.why, "%s:%d: %s", loading.path, cfg->line, message);
}

static int service_error(cfg_t *section, const struct aif_why *why)
{
	cfg_error(section, "%s", why->text);
	return -1;
}

/* The service of that name, which a section's first key creates. */
static struct service_conf *service_get(const char *name, struct aif_why *why)
{
	struct conf *c = loading.conf;
	struct service_conf *all;

	if (c->count && !strcmp(c->services[c->count - 1].name, name))
		return &c->services[c->count - 1];
	all = reallocarray(c->services, c->count + 1, sizeof(*all));
	if (!all) {
		aif_why_format(why, "no memory");
		return NULL;
	}
	c->services = all;
	if (service_conf_init(&all[c->count], name, why))
		return NULL;
	return &all[c->count++];
}

/* For libconfuse: a key of a service. */
static int file_key(cfg_t *section, cfg_opt_t *opt, const char *value, void *result)
{
	struct aif_why why = { "" };
	struct service_conf *s = service_get(cfg_title(section), &why);

	if (!s || service_conf_set(s, opt->name, value, &why))
		return service_error(section, &why);
	*(const char **)result = value;
	return 0;
}

/* For libconfuse: a service is complete. */
static int file_section(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	struct aif_why why = { "" };
	struct service_conf *s = service_get(cfg_title(section), &why);

	if (!s || service_conf_finish(s, &why))
		return service_error(section, &why);
	return 0;
}

static cfg_t *file_syntax(void)
{
	static cfg_opt_t service[KEY_COUNT + 1];
	static cfg_opt_t top[] = {
		CFG_SEC("service", service, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_END(),
	};
	static const cfg_opt_t end = CFG_END();
	cfg_t *cfg;

	for (size_t i = 0; i < KEY_COUNT; i++)
		service[i] = (cfg_opt_t)CFG_STR_CB(keys[i].name, NULL, CFGF_NODEFAULT, file_key);
	service[KEY_COUNT] = end;
	cfg = cfg_init(top, CFGF_NONE);
	if (!cfg)
		return NULL;
	cfg_set_error_function(cfg, file_error);
	cfg_set_validate_func(cfg, "service", file_section);
	return cfg;
}

static int file_parse(cfg_t *cfg)
{
	struct stat st;

	/* Its scanner ends the process over one. */
	if (!stat(loading.path, &st) && S_ISDIR(st.st_mode))
		return aif_why_set(loading.why, -EISDIR, "%s: a folder", loading.path);
	switch (cfg_parse(cfg, loading.path)) {
	case CFG_SUCCESS:
		break;
	case CFG_FILE_ERROR:
		return aif_why_set(loading.why, -errno, "%s: %s", loading.path, strerror(errno));
	default:
		if (!*loading.why->text)	/* it does not say everything, nor the line */
			aif_why_format(loading.why, "%s: a key without a name; see aifd.conf(5)",
				       loading.path);
		return -EINVAL;
	}
	if (!loading.conf->count)
		return aif_why_set(loading.why, -EINVAL, "%s: no service in it; see aifd.conf(5)",
				   loading.path);
	return 0;
}

int conf_load(const char *path, struct conf *conf, struct aif_why *why)
{
	cfg_t *cfg = file_syntax();
	int err;

	*conf = (struct conf){ 0 };
	*why->text = '\0';
	if (!cfg)
		return aif_why_set(why, -ENOMEM, "no memory");
	loading.path = path;
	loading.conf = conf;
	loading.why = why;
	err = file_parse(cfg);
	cfg_free(cfg);
	if (err)
		conf_free(conf);
	return err;
}

void conf_free(struct conf *conf)
{
	free(conf->services);
	*conf = (struct conf){ 0 };
}
