// SPDX-License-Identifier: MIT
/*
 * What aif_model_open() says of a good folder and of each way a folder can be
 * wrong.  A spoilt folder is the good one by symbolic links, with one file replaced.
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/model/model.h"
#include "tests/unit/model/refs.h"

#define DIGEST "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

static const char *const files[] = {
	"config.json", "tokenizer_config.json", "sentence_bert_config.json", "modules.json",
	"1_Pooling/config.json", "vocab.txt", "model.safetensors", "README.md",
};

static char folder[] = "/tmp/aif-model-XXXXXX";

static const char *inside(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static const char *original(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", model_folder(), name);
	return path;
}

static void make_good(void)
{
	for (size_t i = 0; i < COUNT(files); i++) {
		unlink(inside(files[i]));
		assert_int_equal(symlink(original(files[i]), inside(files[i])), 0);
	}
}

static void replace(const char *name, const char *data, size_t len)
{
	FILE *f;

	unlink(inside(name));
	f = fopen(inside(name), "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static int set_up(void **state)
{
	if (!mkdtemp(folder) || mkdir(inside("1_Pooling"), 0700))
		return -1;
	make_good();
	return 0;
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < COUNT(files); i++)
		unlink(inside(files[i]));
	return rmdir(inside("1_Pooling")) || rmdir(folder);
}

static void check_refused(int err, const char *says, const char *what)
{
	struct aif_model *model;
	struct aif_why why;
	int ret = aif_model_open(folder, NULL, &model, &why);

	if (ret != err || !strstr(why.text, says))
		fail_msg("%s: %d '%s' instead of %d '%s'", what, ret, ret ? why.text : "", err,
			 says);
	assert_int_equal(aif_model_open(folder, NULL, &model, NULL), err);
}

struct progress {
	uint64_t done, total;
	int calls;
};

static void take_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;

	assert_string_equal(what, "digest");
	assert_true(p->calls ? done > p->done : done == 0);
	assert_true(done <= total);
	p->calls++;
	p->done = done;
	p->total = total;
}

static void test_open_good(void **state)
{
	struct progress progress = {};
	struct aif_model_opts opts = { .size = sizeof(opts), .digest = DIGEST,
				       .progress = take_progress, .progress_ctx = &progress };
	const struct aif_model_info *info;
	struct aif_model *model;
	struct aif_why why;

	assert_int_equal(aif_model_open(model_folder(), &opts, &model, &why), 0);
	info = aif_model_info(model);
	assert_string_equal(info->name, "all-MiniLM-L6-v2");
	assert_string_equal(info->digest, DIGEST);
	assert_string_equal(info->licence, "apache-2.0");
	assert_int_equal(info->max_tokens, 256);
	assert_int_equal(info->dimensions, 384);
	assert_true(progress.calls > 2);
	assert_int_equal(progress.done, progress.total);
	assert_int_equal(progress.total, 90868376);
	aif_model_close(model);
	aif_model_close(NULL);
}

static void test_open_options(void **state)
{
	struct aif_model_opts opts = { .size = sizeof(opts) + 1 };
	struct aif_model *model;
	struct aif_why why;

	assert_int_equal(aif_model_open(folder, &opts, &model, &why), -EINVAL);
	opts = (struct aif_model_opts){};
	assert_int_equal(aif_model_open(folder, &opts, &model, &why), -EINVAL);
	opts.size = 4;	/* a caller that knows no option */
	assert_int_equal(aif_model_open(folder, &opts, &model, &why), 0);
	aif_model_close(model);
	opts.size = sizeof(opts);
	opts.digest = "00" DIGEST;
	assert_int_equal(aif_model_open(folder, &opts, &model, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "its SHA-256 is " DIGEST ", expected was 0053"));
}

static void test_open_missing(void **state)
{
	struct aif_model *model;
	struct aif_why why;

	for (size_t i = 0; i < COUNT(files); i++) {
		if (!strcmp(files[i], "README.md"))
			continue;
		unlink(inside(files[i]));
		check_refused(-ENOENT, files[i], files[i]);
		make_good();
	}
	assert_int_equal(aif_model_open("/nonexistent", NULL, &model, &why), -ENOENT);
	assert_string_equal(why.text,
			    "/nonexistent: no such model folder: No such file or directory");
}

/* @value: JSON, NULL takes the member away */
static const struct {
	const char *file, *key, *value;
	int err;
	const char *says;
} wrong_values[] = {
	{ "config.json", "model_type", "\"gpt2\"", -EOPNOTSUPP,
	  "/config.json: \"model_type\" is \"gpt2\", supported is \"bert\"" },
	{ "config.json", "model_type", NULL, -EOPNOTSUPP, "\"model_type\" is missing" },
	{ "config.json", "model_type", "\"\\u001b[2J\"", -EOPNOTSUPP, "is \"\\u001B[2J\"" },
	{ "config.json", "hidden_act", "\"relu\"", -EOPNOTSUPP, "supported is \"gelu\"" },
	{ "config.json", "hidden_act", "[1,2]", -EOPNOTSUPP, "is [1,2], supported" },
	{ "config.json", "position_embedding_type", "\"relative_key\"", -EOPNOTSUPP,
	  "supported is \"absolute\"" },
	{ "config.json", "hidden_size", "\"384\"", -EBADMSG, "a whole number from 1 to 16384" },
	{ "config.json", "hidden_size", "0", -EBADMSG, "\"hidden_size\" must be" },
	{ "config.json", "hidden_size", "4294967680", -EBADMSG, "\"hidden_size\" must be" },
	{ "config.json", "hidden_size", "385", -EBADMSG, "385 dimensions cannot be divided" },
	{ "config.json", "hidden_size", "768", -EBADMSG, "is not the model's 768" },
	{ "config.json", "num_attention_heads", "-1", -EBADMSG, "\"num_attention_heads\" must be" },
	{ "config.json", "num_hidden_layers", "7", -EBADMSG,
	  "there is no tensor 'encoder.layer.6.attention.self.query.weight'" },
	{ "config.json", "intermediate_size", "1024", -EBADMSG,
	  "'encoder.layer.0.intermediate.dense.weight' is [1536, 384], "
	  "the configuration says [1024, 384]" },
	{ "config.json", "type_vocab_size", "1", -EBADMSG,
	  "token_type_embeddings.weight' is [2, 384]" },
	{ "config.json", "max_position_embeddings", "511", -EBADMSG, "position_embeddings.weight" },
	{ "config.json", "vocab_size", "30523", -EBADMSG, "30522 entries, config.json says 30523" },
	{ "config.json", "layer_norm_eps", "0", -EBADMSG, "\"layer_norm_eps\" must be" },
	{ "config.json", "layer_norm_eps", "true", -EBADMSG, "\"layer_norm_eps\" must be" },
	{ "tokenizer_config.json", "do_lower_case", "false", -EOPNOTSUPP,
	  "is false, supported is true" },
	{ "tokenizer_config.json", "strip_accents", "false", -EOPNOTSUPP, "\"strip_accents\"" },
	{ "tokenizer_config.json", "tokenize_chinese_chars", "false", -EOPNOTSUPP, "is false" },
	{ "tokenizer_config.json", "tokenizer_class", "\"T5Tokenizer\"", -EOPNOTSUPP,
	  "supported is \"BertTokenizer\"" },
	{ "tokenizer_config.json", "unk_token", "\"<unk>\"", -EOPNOTSUPP,
	  "supported is \"[UNK]\"" },
	{ "sentence_bert_config.json", "max_seq_length", "513", -EBADMSG, "allow 2 to 512" },
	{ "sentence_bert_config.json", "max_seq_length", "1", -EBADMSG, "allow 2 to 512" },
	{ "sentence_bert_config.json", "max_seq_length", "null", -EBADMSG, "a whole number" },
	{ "sentence_bert_config.json", "do_lower_case", "true", -EOPNOTSUPP, "\"do_lower_case\"" },
	{ "1_Pooling/config.json", "pooling_mode_mean_tokens", "false", -EOPNOTSUPP,
	  "1_Pooling/config.json: \"pooling_mode_mean_tokens\" is false, supported is true" },
	{ "1_Pooling/config.json", "pooling_mode_cls_token", "true", -EOPNOTSUPP, "is true" },
	{ "1_Pooling/config.json", "pooling_mode_max_tokens", "true", -EOPNOTSUPP, "is true" },
	{ "1_Pooling/config.json", "pooling_mode_mean_sqrt_len_tokens", "true", -EOPNOTSUPP,
	  "is true" },
	{ "1_Pooling/config.json", "pooling_mode_weightedmean_tokens", "true", -EOPNOTSUPP,
	  "is true" },
	{ "1_Pooling/config.json", "pooling_mode_lasttoken", "true", -EOPNOTSUPP, "is true" },
	{ "1_Pooling/config.json", "word_embedding_dimension", "768", -EBADMSG, "the model's 384" },
};

static void set_value(const char *file, const char *key, const char *value)
{
	json_t *json = json_load_file(original(file), 0, NULL);
	char *text;

	assert_non_null(json);
	if (value)
		json_object_set_new(json, key, json_loads(value, JSON_DECODE_ANY, NULL));
	else
		json_object_del(json, key);
	text = json_dumps(json, 0);
	replace(file, text, strlen(text));
	free(text);
	json_decref(json);
}

static void test_open_wrong_values(void **state)
{
	for (size_t i = 0; i < COUNT(wrong_values); i++) {
		set_value(wrong_values[i].file, wrong_values[i].key, wrong_values[i].value);
		check_refused(wrong_values[i].err, wrong_values[i].says, wrong_values[i].key);
		make_good();
	}
}

#define MODULE(type, path) \
	"{\"type\":\"sentence_transformers.models." type "\",\"path\":\"" path "\"}"

static const struct {
	const char *file, *content;
	int err;
	const char *says;
} wrong_files[] = {
	{ "config.json", "{", -EBADMSG, "config.json: not JSON" },
	{ "config.json", "[]", -EOPNOTSUPP, "\"model_type\" is missing" },
	{ "config.json", "", -EBADMSG, "not JSON" },
	{ "modules.json", "{}", -EOPNOTSUPP, "module 0 is missing" },
	{ "modules.json", "[" MODULE("Transformer", "") "]", -EOPNOTSUPP, "module 1 is missing" },
	{ "modules.json", "[" MODULE("Transformer", "") "," MODULE("CLIP", "") "]", -EOPNOTSUPP,
	  "module 1 is sentence_transformers.models.CLIP, supported is" },
	{ "modules.json", "[" MODULE("Transformer", "") "," MODULE("Pooling", "../../x") "]",
	  -EOPNOTSUPP, "module 1 lies in '../../x', supported is '1_Pooling'" },
	{ "modules.json", "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") ","
	  MODULE("Dense", "2_Dense") "]", -EOPNOTSUPP, "module 2 is" },
	{ "modules.json", "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") ","
	  MODULE("Normalize", "2_N") "," MODULE("Dense", "3_D") "]", -EOPNOTSUPP, "4 modules" },
	{ "vocab.txt", "hello\n", -EBADMSG, "vocab.txt: no entry is '[UNK]'" },
	{ "model.safetensors", "PK\3\4", -EBADMSG, "model.safetensors: 4 bytes are too few" },
	{ "model.safetensors", "\2\0\0\0\0\0\0\0{}", -EBADMSG, "there is no tensor 'embeddings." },
};

static void test_open_wrong_files(void **state)
{
	for (size_t i = 0; i < COUNT(wrong_files); i++) {
		const char *content = wrong_files[i].content;
		/* The one with NULs in it. */
		size_t len = content[0] == '\2' ? 10 : strlen(content);

		replace(wrong_files[i].file, content, len);
		check_refused(wrong_files[i].err, wrong_files[i].says, content);
		make_good();
	}
}

static void test_open_too_large(void **state)
{
	replace("config.json", "{}", 2);
	assert_int_equal(truncate(inside("config.json"), (1 << 20) + 1), 0);
	check_refused(-EFBIG, "config.json: larger than 1048576 bytes", "large");
	make_good();
}

static void test_open_weights_cut_short(void **state)
{
	size_t len;
	char *data = read_whole(original("model.safetensors"), &len);

	replace("model.safetensors", data, 4 << 20);
	free(data);
	check_refused(-EBADMSG, "model.safetensors: the header describes 90868376 bytes, "
		      "the file has 4194304: it was cut short", "cut");
	make_good();
}

static const struct {
	const char *readme, *licence;
} licences[] = {
	{ "---\nlicense: mit\n---\n", "mit" },
	{ "---\r\nlanguage: en\r\nlicense:  \"cc-by-4.0\" # see below\r\n---\r\n", "cc-by-4.0" },
	{ "---\nlicense:", "unknown" },
	{ "---\nlicense: \n---\n", "unknown" },
	{ "---\nlicense: \33[31m\n---\n", "unknown" },
	{ "---\nlicense: "
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n---\n",
	  "unknown" },
	{ "---\nlanguage: en\n---\nlicense: mit\n", "unknown" },
	{ "license: mit\n", "unknown" },
	{ "", "unknown" },
	{ NULL, "unknown" },
};

static void test_open_licence(void **state)
{
	for (size_t i = 0; i < COUNT(licences); i++) {
		struct aif_model *model;
		struct aif_why why;

		unlink(inside("README.md"));
		if (licences[i].readme)
			replace("README.md", licences[i].readme, strlen(licences[i].readme));
		assert_int_equal(aif_model_open(folder, NULL, &model, &why), 0);
		assert_string_equal(aif_model_info(model)->licence, licences[i].licence);
		aif_model_close(model);
	}
	make_good();
}

/* A file whose only tensor is the first that is looked for; it begins at 4 n + @skew. */
static void check_first_tensor(const char *dtype, int element, unsigned int skew, int err,
			       const char *says)
{
	struct aif_bert_config config = { .hidden = 2, .layers = 1, .vocab = 3, .positions = 1,
					  .types = 1, .intermediate = 1 };
	struct aif_bert_weights *weights;
	struct aif_safetensors *st;
	struct aif_why why;
	char file[300] = {};
	uint64_t n;

	n = snprintf(file + 8, sizeof(file) - 8,
		     "{\"embeddings.word_embeddings.weight\":{\"dtype\":\"%s\",\"shape\":[3,2],"
		     "\"data_offsets\":[0,%d]}}", dtype, 6 * element);
	while (n % 4 != skew)
		file[8 + n++] = ' ';
	memcpy(file, &n, sizeof(n));
	assert_int_equal(aif_safetensors_parse(file, 8 + n + 6 * element, &st, &why), 0);
	assert_int_equal(aif_bert_weights_find(st, &config, &weights, &why), err);
	assert_non_null(strstr(why.text, says));
	aif_safetensors_close(st);
}

static void test_weights_find_refuses(void **state)
{
	check_first_tensor("F16", 2, 0, -EOPNOTSUPP, "is F16, supported is F32");
	check_first_tensor("F32", 4, 2, -EOPNOTSUPP, "supported are multiples of 4");
	check_first_tensor("F32", 4, 0, -EBADMSG, "no tensor 'embeddings.position_embeddings");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_good),
		cmocka_unit_test(test_open_options),
		cmocka_unit_test(test_open_missing),
		cmocka_unit_test(test_open_wrong_values),
		cmocka_unit_test(test_open_wrong_files),
		cmocka_unit_test(test_open_too_large),
		cmocka_unit_test(test_open_weights_cut_short),
		cmocka_unit_test(test_open_licence),
		cmocka_unit_test(test_weights_find_refuses),
	};

	model_folder();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
