/* SPDX-License-Identifier: MIT */
/*
 * driver.h - the calls of the CUDA driver that we use, bound when a device is opened
 *
 * Our own prototypes: nothing of the CUDA toolkit is needed to build, and libcuda.so.1
 * is found by dlopen() or not.  Names and meanings are those of the CUDA driver API's
 * reference manual; a result of 0 is success.
 */
#ifndef AIF_CUDA_DRIVER_H
#define AIF_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t aif_cuda_ptr;
typedef struct CUctx_st *aif_cuda_context;
typedef struct CUmod_st *aif_cuda_module;
typedef struct CUfunc_st *aif_cuda_function;
typedef struct CUstream_st *aif_cuda_stream;
typedef struct CUevent_st *aif_cuda_event;
typedef struct CUgraph_st *aif_cuda_graph;
typedef struct CUgraphNode_st *aif_cuda_graph_node;
typedef struct CUgraphExec_st *aif_cuda_graph_exec;

/* Results that we tell apart. */
enum {
	AIF_CUDA_OUT_OF_MEMORY = 2,
	AIF_CUDA_NO_DEVICE = 100,
	AIF_CUDA_INVALID_IMAGE = 200,
	AIF_CUDA_NO_BINARY_FOR_GPU = 209,
	AIF_CUDA_UNSUPPORTED_PTX_VERSION = 222,
	AIF_CUDA_NOT_READY = 600,
	AIF_CUDA_ALREADY_REGISTERED = 712,
	AIF_CUDA_SYSTEM_DRIVER_MISMATCH = 803,
};

/* Device attributes. */
enum {
	AIF_CUDA_ATTR_PROCESSORS = 16,
	AIF_CUDA_ATTR_MAJOR = 75,
	AIF_CUDA_ATTR_MINOR = 76,
	AIF_CUDA_ATTR_READ_ONLY_REGISTER = 113,
};

enum {
	AIF_CUDA_STREAM_NON_BLOCKING = 1,
	AIF_CUDA_EVENT_BLOCKING_SYNC = 1,
	AIF_CUDA_EVENT_DISABLE_TIMING = 2,
	AIF_CUDA_HOST_DEVICEMAP = 2,
	AIF_CUDA_REGISTER_DEVICEMAP = 2,
	AIF_CUDA_REGISTER_READ_ONLY = 8,
	AIF_CUDA_FUNC_MAX_DYNAMIC_SHARED = 8,
};

struct aif_cuda_uuid {
	unsigned char bytes[16];
};

/* A launch as a node of a graph.  @kern, @ctx: unused where @f is given */
struct aif_cuda_node_params {
	aif_cuda_function f;
	unsigned int grid[3], block[3];
	unsigned int shared;
	void **params, **extra;
	void *kern;
	aif_cuda_context ctx;
};

#define AIF_CUDA_CALLS(X)								\
	X(Init, (unsigned int flags))							\
	X(DriverGetVersion, (int *version))						\
	X(GetErrorName, (int result, const char **name))				\
	X(DeviceGetCount, (int *count))							\
	X(DeviceGet, (int *device, int index))						\
	X(DeviceGetName, (char *name, int bytes, int device))				\
	X(DeviceGetUuid, (struct aif_cuda_uuid *uuid, int device))			\
	X(DeviceGetPCIBusId, (char *id, int bytes, int device))				\
	X(DeviceTotalMem, (size_t *bytes, int device))					\
	X(DeviceGetAttribute, (int *value, int attribute, int device))			\
	X(DevicePrimaryCtxRetain, (aif_cuda_context *context, int device))		\
	X(DevicePrimaryCtxRelease, (int device))					\
	X(CtxSetCurrent, (aif_cuda_context context))					\
	X(ModuleLoadData, (aif_cuda_module *module, const void *image))			\
	X(ModuleUnload, (aif_cuda_module module))					\
	X(ModuleGetFunction, (aif_cuda_function *f, aif_cuda_module module,		\
			      const char *name))					\
	X(FuncSetAttribute, (aif_cuda_function f, int attribute, int value))		\
	X(MemAlloc, (aif_cuda_ptr *at, size_t bytes))					\
	X(MemFree, (aif_cuda_ptr at))							\
	X(MemHostAlloc, (void **host, size_t bytes, unsigned int flags))			\
	X(MemFreeHost, (void *host))							\
	X(MemHostRegister, (void *host, size_t bytes, unsigned int flags))		\
	X(MemHostUnregister, (void *host))						\
	X(MemHostGetDevicePointer, (aif_cuda_ptr *at, void *host, unsigned int flags))	\
	X(MemcpyHtoDAsync, (aif_cuda_ptr to, const void *from, size_t bytes,		\
			    aif_cuda_stream stream))					\
	X(MemcpyDtoHAsync, (void *to, aif_cuda_ptr from, size_t bytes,			\
			    aif_cuda_stream stream))					\
	X(MemsetD8Async, (aif_cuda_ptr at, unsigned char value, size_t bytes,		\
			  aif_cuda_stream stream))					\
	X(StreamCreate, (aif_cuda_stream *stream, unsigned int flags))			\
	X(StreamDestroy, (aif_cuda_stream stream))					\
	X(StreamSynchronize, (aif_cuda_stream stream))					\
	X(StreamQuery, (aif_cuda_stream stream))					\
	X(EventCreate, (aif_cuda_event *event, unsigned int flags))			\
	X(EventDestroy, (aif_cuda_event event))						\
	X(EventRecord, (aif_cuda_event event, aif_cuda_stream stream))			\
	X(EventSynchronize, (aif_cuda_event event))					\
	X(LaunchKernel, (aif_cuda_function f, unsigned int grid_x, unsigned int grid_y,	\
			 unsigned int grid_z, unsigned int block_x, unsigned int block_y,	\
			 unsigned int block_z, unsigned int shared, aif_cuda_stream stream,	\
			 void **params, void **extra))

/* Without which there is one launch for each kernel. */
#define AIF_CUDA_GRAPH_CALLS(X)								\
	X(GraphCreate, (aif_cuda_graph *graph, unsigned int flags))			\
	X(GraphDestroy, (aif_cuda_graph graph))						\
	X(GraphAddKernelNode, (aif_cuda_graph_node *node, aif_cuda_graph graph,		\
			       const aif_cuda_graph_node *after, size_t after_count,	\
			       const struct aif_cuda_node_params *params))		\
	X(GraphInstantiateWithFlags, (aif_cuda_graph_exec *exec, aif_cuda_graph graph,	\
				      unsigned long long flags))			\
	X(GraphExecKernelNodeSetParams, (aif_cuda_graph_exec exec, aif_cuda_graph_node node,	\
					 const struct aif_cuda_node_params *params))	\
	X(GraphLaunch, (aif_cuda_graph_exec exec, aif_cuda_stream stream))		\
	X(GraphExecDestroy, (aif_cuda_graph_exec exec))

/* @has_graphs: all calls of AIF_CUDA_GRAPH_CALLS are there */
struct aif_cuda_driver {
	void *library;
	int has_graphs;
#define AIF_CUDA_MEMBER(name, args) int (*name) args;
	AIF_CUDA_CALLS(AIF_CUDA_MEMBER)
	AIF_CUDA_GRAPH_CALLS(AIF_CUDA_MEMBER)
#undef AIF_CUDA_MEMBER
};

/*
 * Bind all of them.  -ENODEV: no driver, or it lacks one, those of graphs apart; @why says
 * which, for people.
 * The library stays loaded for good: it has threads and handlers of its own.
 */
int aif_cuda_driver_load(struct aif_cuda_driver *d, char *why, size_t why_bytes);

#endif
