/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM aif

#if !defined(AIF_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define AIF_TRACE_H

#include <linux/tracepoint.h>

/* Whose memory went where: rights are AIF_RIGHT_*. */
DECLARE_EVENT_CLASS(aif_buffer,
	TP_PROTO(u64 client, u64 buffer, u32 rights),
	TP_ARGS(client, buffer, rights),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u64, buffer)
		__field(u32, rights)
	),
	TP_fast_assign(
		__entry->client = client;
		__entry->buffer = buffer;
		__entry->rights = rights;
	),
	TP_printk("client=%llu buffer=%llu rights=%#x", __entry->client, __entry->buffer,
		  __entry->rights)
);

DEFINE_EVENT(aif_buffer, aif_buffer_share,
	TP_PROTO(u64 client, u64 buffer, u32 rights),
	TP_ARGS(client, buffer, rights));

DEFINE_EVENT(aif_buffer, aif_buffer_accept,
	TP_PROTO(u64 client, u64 buffer, u32 rights),
	TP_ARGS(client, buffer, rights));

/* Who was granted what. */
DECLARE_EVENT_CLASS(aif_grant,
	TP_PROTO(u64 client, u32 service, u32 grant, u64 buffer, u64 bytes, bool writable),
	TP_ARGS(client, service, grant, buffer, bytes, writable),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u64, buffer)
		__field(u64, bytes)
		__field(u32, service)
		__field(u32, grant)
		__field(bool, writable)
	),
	TP_fast_assign(
		__entry->client = client;
		__entry->service = service;
		__entry->grant = grant;
		__entry->buffer = buffer;
		__entry->bytes = bytes;
		__entry->writable = writable;
	),
	TP_printk("client=%llu service=%u grant=%u buffer=%llu bytes=%llu %s", __entry->client,
		  __entry->service, __entry->grant, __entry->buffer, __entry->bytes,
		  __entry->writable ? "rw" : "ro")
);

DEFINE_EVENT(aif_grant, aif_grant_add,
	TP_PROTO(u64 client, u32 service, u32 grant, u64 buffer, u64 bytes, bool writable),
	TP_ARGS(client, service, grant, buffer, bytes, writable));

DEFINE_EVENT(aif_grant, aif_grant_revoke,
	TP_PROTO(u64 client, u32 service, u32 grant, u64 buffer, u64 bytes, bool writable),
	TP_ARGS(client, service, grant, buffer, bytes, writable));

/* Who mapped it. */
TRACE_EVENT(aif_grant_map,
	TP_PROTO(u32 service, u32 grant, pid_t pid),
	TP_ARGS(service, grant, pid),
	TP_STRUCT__entry(
		__field(u32, service)
		__field(u32, grant)
		__field(pid_t, pid)
	),
	TP_fast_assign(
		__entry->service = service;
		__entry->grant = grant;
		__entry->pid = pid;
	),
	TP_printk("service=%u grant=%u pid=%d", __entry->service, __entry->grant, __entry->pid)
);

/* What became of a request. */
TRACE_EVENT(aif_request_submit,
	TP_PROTO(u64 client, u64 tenant, u32 tag, u32 generation, u32 service),
	TP_ARGS(client, tenant, tag, generation, service),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u64, tenant)
		__field(u32, tag)
		__field(u32, generation)
		__field(u32, service)
	),
	TP_fast_assign(
		__entry->client = client;
		__entry->tenant = tenant;
		__entry->tag = tag;
		__entry->generation = generation;
		__entry->service = service;
	),
	TP_printk("client=%llu tag=%u generation=%u service=%u tenant=%llu", __entry->client,
		  __entry->tag, __entry->generation, __entry->service, __entry->tenant)
);

TRACE_EVENT(aif_request_fetch,
	TP_PROTO(u64 client, u32 tag, u32 generation, pid_t executor, u32 attempt),
	TP_ARGS(client, tag, generation, executor, attempt),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u32, tag)
		__field(u32, generation)
		__field(pid_t, executor)
		__field(u32, attempt)
	),
	TP_fast_assign(
		__entry->client = client;
		__entry->tag = tag;
		__entry->generation = generation;
		__entry->executor = executor;
		__entry->attempt = attempt;
	),
	TP_printk("client=%llu tag=%u generation=%u executor=%d attempt=%u", __entry->client,
		  __entry->tag, __entry->generation, __entry->executor, __entry->attempt)
);

TRACE_EVENT(aif_request_answer,
	TP_PROTO(u64 client, u32 tag, u32 generation, int result),
	TP_ARGS(client, tag, generation, result),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u32, tag)
		__field(u32, generation)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->client = client;
		__entry->tag = tag;
		__entry->generation = generation;
		__entry->result = result;
	),
	TP_printk("client=%llu tag=%u generation=%u result=%d", __entry->client,
		  __entry->tag, __entry->generation, __entry->result)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE aif_trace
#include <trace/define_trace.h>
