// SPDX-License-Identifier: MIT
/* What operators and load balancers ask */
#include "runtime/gateway/apis.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/loop.h"

void operations_health(struct exchange *x)
{
	struct buf b = { 0 };

	buf_text(&b, "{\"status\":\"ok\",\"version\":\"" AIF_VERSION "\"}");
	exchange_reply(x, 200, "application/json", &b);
}

void operations_metrics(struct exchange *x)
{
	struct buf b = { 0 };

	metrics_write(x->loop->gateway, &b);
	exchange_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}

/* Ready is who takes requests and has somebody to execute them. */
int operations_fault(const struct exchange *x)
{
	if (x->loop->draining)
		return FAULT_DRAINING;
	return atomic_load(&x->loop->gateway->opener_died) ? FAULT_NO_OPENER : 0;
}

bool operations_stand(struct exchange *x)
{
	int fault = operations_fault(x);

	if (fault)
		exchange_fail(x, fault, fault == FAULT_DRAINING ?
			      "the gateway is draining" :
			      "the process that opens the device for tenants has ended");
	return !fault;
}

void operations_ready(struct exchange *x)
{
	struct buf b = { 0 };

	if (!operations_stand(x))
		return;
	if (!catalog_is_ready(exchange_catalog(x))) {
		exchange_fail(x, FAULT_NOT_READY, "no service has an executor");
		return;
	}
	buf_text(&b, "{\"status\":\"ready\"}");
	exchange_reply(x, 200, "application/json", &b);
}
