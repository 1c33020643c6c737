// SPDX-License-Identifier: MIT
/*
 * The launches of a step as one launch.
 *
 * From step_begin() on launches are noted, until something needs their order: a copy, a wait, the
 * next step.  Then they go to the device as an executable graph.  A stream has a few of those, each
 * made for the shape of step that it was last used for; of its nodes the driver is told again only
 * what is not as it was, which for the same shape is where clients' ids and vectors lie, and the
 * ticket.  Shapes decide nothing but which graph has most of it right: what is launched is what was
 * noted.  The shape that has not been used for longest gives its graph to a new one.
 *
 * A shape that is seen for the first time is launched plainly: making a graph costs more than that.
 * So is everything for a while after the driver has refused a graph.
 */
#include "runtime/backend/cuda/cuda.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LAUNCHES_MAX 256	/* of a step: what comes behind them is launched plainly */
#define ARGS_MAX (32u << 10)
#define GRAPHS 16
#define SHAPES 64		/* that are remembered */
#define REST 1024		/* steps without graphs after one has failed */

/* @args, @bytes: where in the launches' arguments */
struct noted {
	struct aif_cuda_launch l;
	aif_cuda_function f;
	uint32_t args, bytes;
};

/* Launches, in their order. */
struct launches {
	uint32_t count, bytes;
	struct noted each[LAUNCHES_MAX];
	_Alignas(16) unsigned char args[ARGS_MAX];
};

/*
 * @exec: NULL: there is none yet
 * @has:  what @exec launches, in nodes of @graph
 * @used: the number of the last step
 */
struct graph {
	struct aif_step shape;
	uint64_t used;
	aif_cuda_graph graph;
	aif_cuda_graph_exec exec;
	struct launches has;
	aif_cuda_graph_node node[LAUNCHES_MAX];
};

/*
 * @noting:  launches of a step of @shape are noted
 * @seen:    the last shapes, the oldest at @oldest
 * @rest:    how many steps there will be no graph for
 */
struct aif_cuda_graphs {
	bool noting;
	struct aif_step shape;
	struct launches noted;
	struct graph all[GRAPHS];
	uint64_t steps;
	struct aif_step seen[SHAPES];
	uint32_t oldest, rest;
};

static bool is_shape(const struct aif_step *a, const struct aif_step *b)
{
	return a->tokens == b->tokens && a->texts == b->texts && a->longest == b->longest;
}

int aif_cuda_graphs_create(struct aif_stream *s)
{
	if (!s->dev->graphs)
		return 0;
	s->graphs = calloc(1, sizeof(*s->graphs));
	return s->graphs ? 0 : aif_cuda_refuse(-ENOMEM, "no memory");
}

/* What was launched of it is done first. */
static void drop(struct aif_stream *s, struct graph *graph)
{
	struct aif_dev *dev = s->dev;

	if (graph->exec && !aif_cuda_wait(dev, s->stream))
		dev->d.GraphExecDestroy(graph->exec);
	if (graph->graph && !dev->dead && !dev->d.CtxSetCurrent(dev->context))
		dev->d.GraphDestroy(graph->graph);
	graph->exec = NULL;
	graph->graph = NULL;
}

void aif_cuda_graphs_free(struct aif_stream *s)
{
	struct aif_cuda_graphs *g = s->graphs;

	for (int i = 0; i < GRAPHS && g; i++)
		drop(s, &g->all[i]);
	free(g);
}

/* ---- what is launched ---- */

static bool note(struct launches *all, const struct noted *n, const void *args)
{
	if (all->count == LAUNCHES_MAX || n->bytes > ARGS_MAX - all->bytes)
		return false;
	all->each[all->count] = *n;
	all->each[all->count++].args = all->bytes;
	memcpy(all->args + all->bytes, args, n->bytes);
	all->bytes += (n->bytes + 15) / 16 * 16;
	return true;
}

static void keep(struct launches *to, const struct launches *from)
{
	to->count = from->count;
	memcpy(to->each, from->each, from->count * sizeof(from->each[0]));
	memcpy(to->args, from->args, from->bytes);
}

static int launch_plainly(struct aif_stream *s, const struct noted *n, const void *args)
{
	const struct aif_cuda_launch *l = &n->l;
	struct aif_dev *dev = s->dev;
	void *params[] = { (void *)args };
	int err = aif_cuda_enter(dev);

	return err ? err : aif_cuda_result(dev, l->kernel, dev->d.LaunchKernel(n->f, l->grid[0],
					   l->grid[1], l->grid[2], l->threads, 1, 1, l->shared,
					   s->stream, params, NULL));
}

static int launch_all_plainly(struct aif_stream *s, const struct launches *all)
{
	int err = 0;

	for (uint32_t i = 0; i < all->count && !err; i++)
		err = launch_plainly(s, &all->each[i], all->args + all->each[i].args);
	return err;
}

/* ---- as a graph ---- */

/* @args: where the driver reads the one argument's address, during its call */
static struct aif_cuda_node_params params_of(struct launches *all, uint32_t i, void **args)
{
	const struct noted *n = &all->each[i];

	*args = all->args + n->args;
	return (struct aif_cuda_node_params){
		.f = n->f, .grid = { n->l.grid[0], n->l.grid[1], n->l.grid[2] },
		.block = { n->l.threads, 1, 1 }, .shared = n->l.shared, .params = args,
	};
}

static bool is_same(const struct launches *a, const struct launches *b, uint32_t i)
{
	const struct noted *x = &a->each[i], *y = &b->each[i];

	return x->f == y->f && !memcmp(x->l.grid, y->l.grid, sizeof(x->l.grid)) &&
	       x->l.threads == y->l.threads && x->l.shared == y->l.shared && x->bytes == y->bytes &&
	       !memcmp(a->args + x->args, b->args + y->args, x->bytes);
}

/* A new node waits for the one before; one that there is is set, if it is not as it was. */
static int put_node(struct aif_stream *s, struct graph *graph, uint32_t i)
{
	struct launches *noted = &s->graphs->noted;
	void *args;
	struct aif_cuda_node_params params = params_of(noted, i, &args);

	if (!graph->exec)
		return CALL(s->dev, GraphAddKernelNode, &graph->node[i], graph->graph,
			    i ? &graph->node[i - 1] : NULL, i > 0, &params);
	return is_same(noted, &graph->has, i) ? 0 :
	       CALL(s->dev, GraphExecKernelNodeSetParams, graph->exec, graph->node[i], &params);
}

static int put_nodes(struct aif_stream *s, struct graph *graph)
{
	int err = 0;

	for (uint32_t i = 0; i < s->graphs->noted.count && !err; i++)
		err = put_node(s, graph, i);
	return err;
}

static int build(struct aif_stream *s, struct graph *graph)
{
	struct aif_dev *dev = s->dev;
	int err = CALL(dev, GraphCreate, &graph->graph, 0);

	if (!err)
		err = put_nodes(s, graph);
	return err ? err : CALL(dev, GraphInstantiateWithFlags, &graph->exec, graph->graph, 0);
}

/* That of the shape; NULL: there is none. */
static struct graph *find(struct aif_cuda_graphs *g)
{
	for (int i = 0; i < GRAPHS; i++)
		if (g->all[i].exec && is_shape(&g->all[i].shape, &g->shape))
			return &g->all[i];
	return NULL;
}

/* One that there is not yet, else that of the shape that was not used for longest. */
static struct graph *take(struct aif_cuda_graphs *g)
{
	struct graph *oldest = &g->all[0];

	for (int i = 0; i < GRAPHS && oldest->exec; i++)
		if (!g->all[i].exec || g->all[i].used < oldest->used)
			oldest = &g->all[i];
	return oldest;
}

/* On an error nothing was enqueued. */
static int launch_as_graph(struct aif_stream *s)
{
	struct aif_cuda_graphs *g = s->graphs;
	struct graph *graph = find(g);
	int err = aif_cuda_enter(s->dev);

	if (!graph)
		graph = take(g);
	if (graph->exec && graph->has.count != g->noted.count)
		drop(s, graph);
	if (!err)
		err = graph->exec ? put_nodes(s, graph) : build(s, graph);
	if (!err)
		err = CALL(s->dev, GraphLaunch, graph->exec, s->stream);
	if (err) {
		drop(s, graph);
		return err;
	}
	keep(&graph->has, &g->noted);
	graph->shape = g->shape;
	graph->used = g->steps;
	return 0;
}

/* ---- steps ---- */

/* Now it has been. */
static bool was_seen(struct aif_cuda_graphs *g)
{
	for (int i = 0; i < SHAPES; i++)
		if (is_shape(&g->seen[i], &g->shape))
			return true;
	g->seen[g->oldest++ % SHAPES] = g->shape;
	return false;
}

int aif_cuda_step_begin(struct aif_stream *s, const struct aif_step *shape)
{
	struct aif_cuda_graphs *g = s->graphs;
	int err = aif_cuda_step_end(s);

	if (err || !g)
		return err;
	g->steps++;
	g->shape = *shape;
	g->noted.count = g->noted.bytes = 0;
	g->noting = (find(g) || was_seen(g)) && !g->rest;
	if (g->rest)
		g->rest--;
	return 0;
}

int aif_cuda_step_flush(struct aif_stream *s)
{
	struct aif_cuda_graphs *g = s->graphs;
	int err;

	if (!g || !g->noting || !g->noted.count)
		return 0;
	g->noting = false;
	err = launch_as_graph(s);
	if (err && !s->dev->dead) {
		g->rest = REST;
		err = launch_all_plainly(s, &g->noted);
	}
	if (err)
		s->flagged = false;
	return err;
}

int aif_cuda_step_end(struct aif_stream *s)
{
	int err = aif_cuda_step_flush(s);

	if (s->graphs)
		s->graphs->noting = false;
	return err;
}

int aif_cuda_launch(struct aif_stream *s, const struct aif_cuda_launch *l, aif_cuda_function f,
		    const void *args, size_t bytes)
{
	struct noted n = { .l = *l, .f = f, .bytes = bytes };
	int err;

	if (s->graphs && s->graphs->noting && note(&s->graphs->noted, &n, args))
		return 0;
	err = aif_cuda_step_end(s);
	return err ? err : launch_plainly(s, &n, args);
}
