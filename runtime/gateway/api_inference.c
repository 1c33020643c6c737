// SPDX-License-Identifier: MIT
/* Open Inference Protocol v2: what there is.  Asking it is in inference.c. */
#include <string.h>

#include "runtime/gateway/apis.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/inference.h"
#include "runtime/gateway/json.h"
#include "runtime/gateway/loop.h"

/* ---- the server ---- */

void inference_server(struct exchange *x)
{
	struct buf b = { 0 };

	buf_text(&b, "{\"name\":\"aif-gateway\",\"version\":\"" AIF_VERSION "\",\"extensions\":["
		 "\"binary_tensor_data\",\"model_configuration\",\"model_repository\","
		 "\"statistics\"");
	buf_text(&b, x->loop->gateway->shm ? ",\"system_shared_memory\"]}" : "]}");
	exchange_reply(x, 200, "application/json", &b);
}

void inference_live(struct exchange *x)
{
	struct buf b = { 0 };

	exchange_reply(x, 200, NULL, &b);
}

/* The protocol's word for no is 400. */
static void reply_ready(struct exchange *x, bool ready)
{
	struct buf b = { 0 };

	exchange_reply(x, ready ? 200 : 400, NULL, &b);
}

void inference_ready(struct exchange *x)
{
	reply_ready(x, !operations_fault(x) && catalog_is_ready(exchange_catalog(x)));
}

void inference_index(struct exchange *x)
{
	const struct catalog *c = exchange_catalog(x);
	struct buf b = { 0 };

	buf_text(&b, "[");
	for (unsigned int i = 0; i < catalog_count(c); i++) {
		const struct aif_service_info *info = catalog_at(c, i);
		bool ready = service_is_ready(info);

		buf_format(&b, "%s{\"name\":\"%s\",\"version\":\"1\",\"state\":\"%s\",\"reason\":\"%s\"}",
			   i ? "," : "", info->name, ready ? "READY" : "UNAVAILABLE",
			   ready ? "" : info->draining ? "it is draining" : "it has no executor");
	}
	buf_text(&b, "]");
	exchange_reply(x, 200, "application/json", &b);
}

/* ---- a model ---- */

const struct aif_service_info *inference_service(struct exchange *x)
{
	const struct aif_service_info *info = exchange_service(x, x->param[0]);

	if (info && x->param[1] && strcmp(x->param[1], "1")) {
		exchange_fail(x, FAULT_NO_SERVICE, "'%s' has version 1 only, not '%s'",
			      x->param[0], x->param[1]);
		return NULL;
	}
	return info;
}

static const char *datatype(const struct aif_service_io *io)
{
	static const char *const names[] = {
		[AIF_ELEMENT_U8] = "UINT8",   [AIF_ELEMENT_I8] = "INT8",
		[AIF_ELEMENT_I32] = "INT32",  [AIF_ELEMENT_I64] = "INT64",
		[AIF_ELEMENT_F16] = "FP16",   [AIF_ELEMENT_BF16] = "BF16",
		[AIF_ELEMENT_F32] = "FP32",   [AIF_ELEMENT_F64] = "FP64",
	};

	return io->kind == AIF_KIND_UTF8 ? "BYTES" : names[io->element];
}

/* The first dimension is the batch's; a text is one element. */
static void write_shape(struct buf *b, const struct aif_service_io *io)
{
	buf_text(b, "[-1");
	for (unsigned int i = 0; io->kind != AIF_KIND_UTF8 && i < io->dims; i++)
		buf_format(b, ",%lld", (long long)io->shape[i]);
	buf_text(b, "]");
}

static void write_tensors(struct buf *b, const struct aif_service_info *info, bool output)
{
	const char *comma = "";

	buf_format(b, ",\"%s\":[", output ? "outputs" : "inputs");
	for (unsigned int i = 0; i < info->input_count + info->output_count; i++) {
		const struct aif_service_io *io = &info->io[i];

		if (io->output != output)
			continue;
		buf_format(b, "%s{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":", comma, io->name,
			   datatype(io));
		write_shape(b, io);
		buf_text(b, "}");
		comma = ",";
	}
	buf_text(b, "]");
}

void inference_model(struct exchange *x)
{
	const struct aif_service_info *info = inference_service(x);
	struct buf b = { 0 };

	if (!info)
		return;
	buf_text(&b, "{\"name\":");
	json_string_add(&b, x->param[0]);
	buf_text(&b, ",\"versions\":[\"1\"],\"platform\":\"aif\"");
	write_tensors(&b, info, false);
	write_tensors(&b, info, true);
	buf_text(&b, "}");
	exchange_reply(x, 200, "application/json", &b);
}

void inference_model_ready(struct exchange *x)
{
	const struct aif_service_info *info = inference_service(x);

	if (info)
		reply_ready(x, service_is_ready(info));
}

/* ---- what it did ---- */

static void write_duration(struct buf *b, const char *name, uint64_t count, uint64_t ns)
{
	buf_format(b, "\"%s\":{\"count\":%llu,\"ns\":%llu},", name, (unsigned long long)count,
		   (unsigned long long)ns);
}

/* Through this gateway, of all tenants. */
void inference_stats(struct exchange *x)
{
	const struct aif_service_info *info = inference_service(x);
	struct metrics_sums s;
	struct buf b = { 0 };

	if (!info)
		return;
	metrics_sum(x->loop->gateway, info->name, &s);
	buf_text(&b, "{\"model_stats\":[{\"name\":");
	json_string_add(&b, x->param[0]);
	buf_format(&b, ",\"version\":\"1\",\"inference_count\":%llu,\"execution_count\":%llu,\"inference_stats\":{",
		   (unsigned long long)s.texts, (unsigned long long)s.requests);
	write_duration(&b, "success", s.requests, s.http_ns);
	write_duration(&b, "fail", s.failed, 0);
	write_duration(&b, "queue", s.texts, s.queue_ns);
	write_duration(&b, "compute_infer", s.texts, s.run_ns);
	b.length--;	/* the comma */
	buf_text(&b, "}}]}");
	exchange_reply(x, 200, "application/json", &b);
}

/* ---- its configuration, in the words of Triton's model configuration ---- */

static void write_config_tensors(struct buf *b, const struct aif_service_info *info, bool output)
{
	const char *comma = "";

	buf_format(b, ",\"%s\":[", output ? "output" : "input");
	for (unsigned int i = 0; i < info->input_count + info->output_count; i++) {
		const struct aif_service_io *io = &info->io[i];
		const char *type = datatype(io);

		if (io->output != output)
			continue;
		buf_format(b, "%s{\"name\":\"%s\",\"data_type\":\"TYPE_%s\",\"dims\":[%lld]}", comma,
			   io->name, !strcmp(type, "BYTES") ? "STRING" : type,
			   io->kind == AIF_KIND_UTF8 ? 1ll : (long long)io->shape[0]);
		comma = ",";
	}
	buf_text(b, "]");
}

void inference_config(struct exchange *x)
{
	const struct aif_service_info *info = inference_service(x);
	struct buf b = { 0 };

	if (!info)
		return;
	buf_text(&b, "{\"name\":");
	json_string_add(&b, x->param[0]);
	buf_format(&b, ",\"platform\":\"aif\",\"backend\":\"aif\",\"max_batch_size\":%u",
		   x->loop->gateway->opts.texts);
	write_config_tensors(&b, info, false);
	write_config_tensors(&b, info, true);
	buf_text(&b, "}");
	exchange_reply(x, 200, "application/json", &b);
}
