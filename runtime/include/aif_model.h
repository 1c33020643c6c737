/* SPDX-License-Identifier: MIT */
/*
 * aif_model.h - text encoders: from UTF-8 to one vector per text
 *
 * Concepts
 *   model    what a model's folder holds, checked and ready to be used: mapped
 *            weights, tokenizer, configuration, digest and licence.  Knows no
 *            device.  Open it once, before the workers fork: they share its pages
 *            and its digest is computed once.
 *   encoder  a model on one device: prepared weights, one stream, and all the
 *            memory that encoding needs.
 *
 * Supported are sentence-transformers folders of the BERT kind: config.json,
 * tokenizer_config.json, vocab.txt, sentence_bert_config.json, modules.json
 * (transformer, mean pooling, normalisation) and model.safetensors in F32.
 * Anything else is refused with a sentence that says which value was found and
 * which is supported.  Vectors agree with the publisher's library.
 *
 * Errors: 0 or -errno.  Where a function takes @why, it leaves a sentence for
 * people there on failure (NULL: not wanted).  Nothing prints.
 *
 * Threads: a model may be used by any number of threads and encoders.  An encoder
 * serves one thread at a time.
 */
#ifndef AIF_MODEL_H
#define AIF_MODEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct aif_backend;
struct aif_dev;
struct aif_mem;
struct aif_model;
struct aif_encoder;

/* One line without newline and control characters; left alone by what succeeds. */
struct aif_why {
	char text[1024];
};

/*
 * Called from time to time by long work, at its start (@done 0) and its end
 * (@done == @total), in the caller's thread.
 *
 * @what: "digest" (unit: bytes) or "weights" (unit: matrices)
 */
typedef void (*aif_model_progress_fn)(void *ctx, const char *what, uint64_t done, uint64_t total);

/*
 * Options begin with their size (sizeof of the struct); NULL or zero members
 * mean the default.
 *
 * @digest: refuse the model (-EBADMSG) unless this is the SHA-256 of its
 *          model.safetensors, 64 hex digits
 */
struct aif_model_opts {
	uint32_t size;
	uint32_t __reserved;
	const char *digest;
	aif_model_progress_fn progress;
	void *progress_ctx;
};

/*
 * What a service description says about a model.  Strings live as long as the
 * model.
 *
 * @name:       last component of the folder's real path
 * @digest:     SHA-256 of model.safetensors, 64 hex digits
 * @licence:    as the folder's README.md declares it in its front matter, such as
 *              "apache-2.0"; "unknown" when it does not
 * @max_tokens: of one text, [CLS] and [SEP] included; the rest is cut off
 * @dimensions: floats in an embedding
 */
struct aif_model_info {
	const char *name;
	const char *digest;
	const char *licence;
	uint32_t max_tokens;
	uint32_t dimensions;
};

/*
 * Open the model in folder @dir.  The weight file is mapped, not read into
 * memory: as long as the model is open, replace it by renaming another over it,
 * never by writing into it.
 *
 * -ENOENT: a file is missing.  -EBADMSG: a file is damaged, or has another digest.
 * -EOPNOTSUPP: a model of a kind that is not supported.
 */
int aif_model_open(const char *dir, const struct aif_model_opts *opts, struct aif_model **model,
		   struct aif_why *why);
void aif_model_close(struct aif_model *model);
const struct aif_model_info *aif_model_info(const struct aif_model *model);

/*
 * @pass_tokens:    tokens that go through the operators at once; at least the
 *                  model's max_tokens, default 512.  Memory grows by about
 *                  11 KiB per token for a model of 384 dimensions.
 * @pass_texts:     texts that go through at once, default 256
 * @max_text_bytes: longer texts are answered with -E2BIG, default 65536
 */
struct aif_encoder_opts {
	uint32_t size;
	uint32_t pass_tokens;
	uint32_t pass_texts;
	uint32_t max_text_bytes;
	aif_model_progress_fn progress;
	void *progress_ctx;
};

/*
 * Put @model on device @dev of backend @be; both, and the model, must outlive the
 * encoder.  -EINVAL: options out of range.
 */
int aif_encoder_create(const struct aif_model *model, const struct aif_backend *be,
		       struct aif_dev *dev, const struct aif_encoder_opts *opts,
		       struct aif_encoder **enc, struct aif_why *why);
void aif_encoder_free(struct aif_encoder *enc);

/* What aif_encoder_encode() writes for each text; the layout of a client's output. */
struct aif_encoder_counts {
	int32_t tokens;		/* that were encoded, [CLS] and [SEP] included */
	int32_t truncated;	/* 1: the text had more, which were cut off; 0 for token ids */
};

/*
 * One text of a step, or its token ids.
 *
 * @text, @bytes: UTF-8, may be empty.  The memory may be changed by others
 *          meanwhile: it is copied once, then checked.  NUL is a character.
 * @mem, @offset: where the embedding goes, in place: memory of the encoder's
 *          device (usually a client's wrapped grant), offset in bytes, a multiple of
 *          4.  An embedding must fit there: who wrapped it checks, because a
 *          device refuses a whole pass for it.
 * @out:    instead, when @mem is NULL: host memory for the embedding
 * @counts: host memory, may be NULL
 * @status: out.  0, -EILSEQ (not UTF-8), -E2BIG (longer than max_text_bytes, more ids
 *          than the model takes), -EINVAL (no ids, or no place for the embedding),
 *          -EOPNOTSUPP (the backend cannot read ids in place), or what the device said.
 *          Unless 0, @counts was not written; neither was the embedding, unless it was
 *          the device that failed.
 * @ids_mem, @ids_offset: not NULL: token ids instead of a text, as the model's tokenizer
 *          makes them, with [CLS] and [SEP].  The device reads them in place: memory of
 *          it, offset in bytes, a multiple of 4.  Others may change them meanwhile: each
 *          is loaded once; one below or above the vocabulary is its first or last token.
 * @ids:    the same in host memory, copied once
 * @id_count: how many, at least 1
 */
struct aif_encoder_text {
	const void *text;
	size_t bytes;
	struct aif_mem *mem;
	uint64_t offset;
	float *out;
	struct aif_encoder_counts *counts;
	int status;
	struct aif_mem *ids_mem;
	uint64_t ids_offset;
	const int32_t *ids;
	uint32_t id_count;
};

/*
 * Encode @n texts: as many passes as they need, in order, each text's result
 * independent of its neighbours.  On return every status is set.  A text's own
 * fault is its status only; when the device fails, the texts of that pass have its
 * error, the later ones -ECANCELED, and it is returned.  Allocates nothing.
 */
int aif_encoder_encode(struct aif_encoder *enc, struct aif_encoder_text *texts, size_t n);

/*
 * How long the last aif_encoder_encode() took the device, by its own clock; 0 when it did not
 * say so of every pass: a device that has no clock, or texts with @out.
 */
uint64_t aif_encoder_device_ns(const struct aif_encoder *enc);

#ifdef __cplusplus
}
#endif

#endif
