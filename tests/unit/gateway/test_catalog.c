// SPDX-License-Identifier: MIT
/* Which service a name leads to, of those of the local device. */
#include "tests/unit/gateway/rig.h"

#include "runtime/gateway/catalog.h"
#include "runtime/gateway/gateway.h"
#include "runtime/model/why.h"

/* A service of @model that takes a text, or that text's token ids. */
static struct aif_holder *hold(const char *name, const char *model, bool ids)
{
	const struct aif_service_io io[] = {
		ids ? (struct aif_service_io){
			.name = "ids", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_I32, .dims = 1,
			.shape = { -1 }, .alignment = 4, .max_bytes = 1024,
		} : (struct aif_service_io){
			.name = "text", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
			.shape = { -1 }, .alignment = 1, .max_bytes = 1024,
		},
		{ .name = "embedding", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_F32,
		  .output = true, .dims = 1, .shape = { 8 }, .max_bytes = 32 },
		{ .name = "counts", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_I32,
		  .output = true, .optional = true, .dims = 1, .shape = { 2 }, .max_bytes = 8 },
	};
	struct aif_holder *holder = aif_holder_create(&(struct aif_holder_opts) {
		.size = sizeof(struct aif_holder_opts), .device = "local", .name = name,
		.accelerator = "cpu", .model = model, .io = io, .io_count = COUNT(io),
	});

	assert_non_null(holder);
	return holder;
}

static void leads_to(const struct catalog *c, const char *name, const char *service)
{
	const struct aif_service_info *found = catalog_find(c, name);

	assert_non_null(found);
	assert_string_equal(found->name, service);
}

/* To the one of texts, whichever came first; to that of ids by its own name, or alone. */
static void test_model_of_texts_and_ids(void **state)
{
	static const struct gateway g = { .opts = { .device = "local", .owner = AIF_OWNER_TRUSTED } };
	struct aif_holder *holders[] = {
		hold("ids-first", "one", true), hold("text-second", "one", false),
		hold("text-first", "two", false), hold("ids-second", "two", true),
		hold("ids-alone", "three", true),
	};
	struct aif_why why;
	struct catalog_source *source = catalog_source_open(&g, &why);
	struct catalog *c;

	assert_non_null(source);
	c = catalog_get(source);
	leads_to(c, "one", "text-second");
	leads_to(c, "two", "text-first");
	leads_to(c, "three", "ids-alone");
	leads_to(c, "ids-first", "ids-first");
	assert_null(catalog_find(c, "four"));
	catalog_put(c);
	catalog_source_close(source);
	for (size_t i = 0; i < COUNT(holders); i++)
		aif_holder_close(holders[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model_of_texts_and_ids),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
