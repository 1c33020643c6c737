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
void operations_ready(struct exchange *x)
{
	struct buf b = { 0 };

	if (x->loop->draining) {
		exchange_fail(x, FAULT_DRAINING, "the gateway is draining");
		return;
	}
	if (atomic_load(&x->loop->gateway->opener_died)) {
		exchange_fail(x, FAULT_NO_OPENER,
			      "the process that opens the device for tenants has ended");
		return;
	}
	if (!catalog_is_ready(exchange_catalog(x))) {
		exchange_fail(x, FAULT_NOT_READY, "no service has an executor");
		return;
	}
	buf_text(&b, "{\"status\":\"ready\"}");
	exchange_reply(x, 200, "application/json", &b);
}
