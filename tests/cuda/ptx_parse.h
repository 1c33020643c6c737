/* SPDX-License-Identifier: MIT */
/* ptx_parse.h - TEST CODE: PTX text as instructions; shared by the two halves of ptx.h. */
#ifndef AIF_TEST_PTX_PARSE_H
#define AIF_TEST_PTX_PARSE_H

#include <stdint.h>

#include <map>
#include <string>
#include <vector>

enum ptx_op {
	P_ABS, P_ADD, P_AND, P_ATOM, P_BAR, P_BFE, P_BFI, P_BRA, P_COPYSIGN, P_CPASYNC,
	P_CPASYNC_COMMIT, P_CPASYNC_WAIT, P_CVT, P_CVT_PACK, P_CVTA, P_DIV, P_EX2, P_FENCE,
	P_FMA, P_LD, P_LDMATRIX, P_LG2, P_MAD, P_MAX, P_MIN, P_MMA, P_MOV, P_MUL, P_NEG, P_NOT,
	P_OR, P_PRMT, P_RCP, P_REM, P_RET, P_RSQRT, P_SELP, P_SETP, P_SHFL, P_SHL, P_SHR,
	P_SQRT, P_ST, P_SUB, P_WARPSYNC, P_XOR,
};

enum ptx_type {
	T_NONE, T_B8, T_B16, T_B32, T_B64, T_U8, T_U16, T_U32, T_U64, T_S8, T_S16, T_S32, T_S64,
	T_F32, T_F64, T_BF16, T_BF16X2, T_F16, T_F16X2, T_TF32, T_PRED,
};

enum ptx_space { S_GENERIC, S_GLOBAL, S_SHARED, S_PARAM };
enum ptx_round { R_NONE, R_RN, R_RZ, R_RM, R_RP, R_RNI, R_RZI, R_RMI, R_RPI, R_RNA };
enum ptx_compare { C_EQ, C_NE, C_LT, C_LE, C_GT, C_GE, C_NUM, C_NAN };
enum ptx_part { W_LO, W_HI, W_WIDE };	/* of a product */

enum ptx_kind { K_NONE, K_REG, K_IMM, K_VEC, K_ADDRESS, K_SPECIAL };

/*
 * @reg:   K_REG, and the base of K_ADDRESS (-1: none); -1 in a vector is a sink
 * @value: K_IMM, and the offset of K_ADDRESS
 * @second: a second destination, as of shfl (-1: none)
 */
struct ptx_operand {
	ptx_kind kind = K_NONE;
	bool negated = false;
	int reg = -1, second = -1;
	uint64_t value = 0;
	int vec[4] = { -1, -1, -1, -1 };
	int count = 0;
};

struct ptx_instr {
	ptx_op op;
	ptx_type type = T_NONE, from = T_NONE;
	ptx_space space = S_GENERIC;
	ptx_round round = R_NONE;
	ptx_compare compare = C_EQ;
	ptx_part part = W_LO;
	bool unordered = false, saturate = false, ftz = false, transposed = false, to = false;
	bool released = false;	/* a store that the host may wait for */
	bool system = false;	/* a fence whose stores the host sees, too */
	char shuffle = 0;	/* bfly, idx, up, down by their first letter */
	char combine = 0;	/* setp: 'a'nd, 'o'r, 'x'or with a third operand */
	int vector = 1, depth = 0;
	int guard = -1;
	bool guard_negated = false;
	int target = -1;	/* of a branch */
	int line = 0;
	ptx_operand o[5];
	int operands = 0;
};

/* A variable of a kernel: where it lies in its space. */
struct ptx_symbol {
	ptx_space space;
	uint64_t at;
	size_t bytes;
	bool dynamic;		/* extern: as much as the launch gives */
};

struct ptx_kernel {
	std::vector<ptx_instr> code;
	std::map<std::string, int> regs;
	std::map<std::string, ptx_symbol> symbols;
	std::map<std::string, int> labels;
	size_t param_bytes = 0, shared_bytes = 0;
	unsigned max_threads = 0;
};

struct ptx_module {
	std::map<std::string, ptx_kernel> kernels;
	std::string version, target;
};

/* Addresses: 0 is never one. */
#define PTX_PARAM_BASE 0x1000ull
#define PTX_SHARED_BASE 0x400ull
#define PTX_DYNAMIC_BASE 0x40000ull
#define PTX_SHARED_WINDOW 0x7000000000000000ull	/* where shared memory is, generically */

/* Special registers, as K_SPECIAL's value. */
enum ptx_special {
	X_TID_X, X_TID_Y, X_TID_Z, X_CTAID_X, X_CTAID_Y, X_CTAID_Z, X_NTID_X, X_NTID_Y,
	X_NTID_Z, X_NCTAID_X, X_NCTAID_Y, X_NCTAID_Z, X_LANEID, X_GLOBALTIMER,
};

/* False: ptx_error() says what and in which line. */
bool ptx_parse(ptx_module *m, const char *text, size_t length);
__attribute__((format(printf, 2, 3))) bool ptx_fail(int line, const char *fmt, ...);

#endif
