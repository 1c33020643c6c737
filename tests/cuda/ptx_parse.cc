// SPDX-License-Identifier: MIT
/*
 * TEST CODE.  From PTX text to instructions.  Each opcode has a function that takes its
 * modifiers one by one; one that is left over is an error.
 */
#include "tests/cuda/ptx_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/ptx.h"

static char error[512];

const char *ptx_error(void)
{
	return error;
}

bool ptx_fail(int line, const char *fmt, ...)
{
	va_list args;
	int n = line ? snprintf(error, sizeof(error), "PTX line %d: ", line) : 0;

	va_start(args, fmt);
	vsnprintf(error + n, sizeof(error) - n, fmt, args);
	va_end(args);
	return false;
}

/* ---- modifiers ---- */

/* An opcode's parts, taken one after the other. */
struct parts {
	std::vector<std::string> all;
	size_t at = 1;

	explicit parts(const std::string &text)
	{
		size_t begin = 0, dot;

		while ((dot = text.find('.', begin)) != std::string::npos) {
			all.push_back(text.substr(begin, dot - begin));
			begin = dot + 1;
		}
		all.push_back(text.substr(begin));
	}

	bool take(const char *name)
	{
		if (at >= all.size() || all[at] != name)
			return false;
		at++;
		return true;
	}

	/* One of a table of names; its value, or -1. */
	template <typename Table>
	int take_of(const Table &table)
	{
		for (const auto &row : table)
			if (take(row.name))
				return row.value;
		return -1;
	}
};

struct named {
	const char *name;
	int value;
};

static const named types[] = {
	{ "b8", T_B8 }, { "b16", T_B16 }, { "b32", T_B32 }, { "b64", T_B64 }, { "u8", T_U8 },
	{ "u16", T_U16 }, { "u32", T_U32 }, { "u64", T_U64 }, { "s8", T_S8 }, { "s16", T_S16 },
	{ "s32", T_S32 }, { "s64", T_S64 }, { "f32", T_F32 }, { "f64", T_F64 },
	{ "bf16", T_BF16 }, { "bf16x2", T_BF16X2 }, { "f16", T_F16 }, { "f16x2", T_F16X2 },
	{ "tf32", T_TF32 }, { "pred", T_PRED },
};
static const named spaces[] = {
	{ "global", S_GLOBAL }, { "shared", S_SHARED }, { "param", S_PARAM },
};
static const named rounds[] = {
	{ "rn", R_RN }, { "rz", R_RZ }, { "rm", R_RM }, { "rp", R_RP }, { "rni", R_RNI },
	{ "rzi", R_RZI }, { "rmi", R_RMI }, { "rpi", R_RPI }, { "rna", R_RNA },
};
static const named compares[] = {
	{ "eq", C_EQ }, { "ne", C_NE }, { "lt", C_LT }, { "le", C_LE }, { "gt", C_GT },
	{ "ge", C_GE }, { "num", C_NUM }, { "nan", C_NAN }, { "lo", C_LT }, { "ls", C_LE },
	{ "hi", C_GT }, { "hs", C_GE },
};
static const named compares_unordered[] = {
	{ "equ", C_EQ }, { "neu", C_NE }, { "ltu", C_LT }, { "leu", C_LE }, { "gtu", C_GT },
	{ "geu", C_GE },
};
static const named specials[] = {
	{ "%tid.x", X_TID_X }, { "%tid.y", X_TID_Y }, { "%tid.z", X_TID_Z },
	{ "%ctaid.x", X_CTAID_X }, { "%ctaid.y", X_CTAID_Y }, { "%ctaid.z", X_CTAID_Z },
	{ "%ntid.x", X_NTID_X }, { "%ntid.y", X_NTID_Y }, { "%ntid.z", X_NTID_Z },
	{ "%nctaid.x", X_NCTAID_X }, { "%nctaid.y", X_NCTAID_Y }, { "%nctaid.z", X_NCTAID_Z },
	{ "%laneid", X_LANEID }, { "%globaltimer", X_GLOBALTIMER },
};

static bool take_type(parts &p, ptx_type *type)
{
	int t = p.take_of(types);

	*type = t < 0 ? T_NONE : (ptx_type)t;
	return t >= 0;
}

static void take_round(parts &p, ptx_instr &i)
{
	int r = p.take_of(rounds);

	i.round = r < 0 ? R_NONE : (ptx_round)r;
}

static bool take_space(parts &p, ptx_instr &i)
{
	int s = p.take_of(spaces);

	i.space = s < 0 ? S_GENERIC : (ptx_space)s;
	return s >= 0;
}

typedef bool take_fn(parts &p, ptx_instr &i);

/* rounding, .ftz, .sat, type */
static bool take_arithmetic(parts &p, ptx_instr &i)
{
	take_round(p, i);
	i.ftz = p.take("ftz");
	i.saturate = p.take("sat");
	return take_type(p, &i.type);
}

static bool take_product(parts &p, ptx_instr &i)
{
	static const named widths[] = { { "lo", W_LO }, { "hi", W_HI }, { "wide", W_WIDE } };
	int part = p.take_of(widths);

	i.part = part < 0 ? W_LO : (ptx_part)part;
	return take_arithmetic(p, i) && (part >= 0) == (i.type != T_F32 && i.type != T_F64);
}

static bool take_approx(parts &p, ptx_instr &i)
{
	if (!p.take("approx"))
		take_round(p, i);
	i.ftz = p.take("ftz");
	return take_type(p, &i.type);
}

static bool take_bits(parts &p, ptx_instr &i)
{
	return take_type(p, &i.type);
}

static bool take_setp(parts &p, ptx_instr &i)
{
	int c = p.take_of(compares);

	if (c < 0) {
		c = p.take_of(compares_unordered);
		i.unordered = true;
	}
	if (c < 0)
		return false;
	i.compare = (ptx_compare)c;
	i.combine = p.take("and") ? 'a' : p.take("or") ? 'o' : p.take("xor") ? 'x' : 0;
	i.ftz = p.take("ftz");
	return take_type(p, &i.type);
}

static bool take_cvt(parts &p, ptx_instr &i)
{
	take_round(p, i);
	i.ftz = p.take("ftz");
	i.saturate = p.take("sat");
	if (!take_type(p, &i.type) || !take_type(p, &i.from))
		return false;
	if (i.type == T_BF16X2 || i.type == T_F16X2)
		i.op = P_CVT_PACK;
	return true;
}

static bool take_cvta(parts &p, ptx_instr &i)
{
	i.to = p.take("to");
	return take_space(p, i) && take_type(p, &i.type) && i.type == T_U64;
}

/* Order and scope say nothing to one thread at a time; caches neither. */
static bool take_memory(parts &p, ptx_instr &i)
{
	bool release = p.take("release");

	if (release || p.take("relaxed") || p.take("acquire")) {
		i.released = release && p.take("sys");
		if (!i.released && !p.take("sys") && !p.take("gpu") && !p.take("cta"))
			return false;
	} else {
		p.take("volatile") || p.take("weak");
	}
	take_space(p, i);
	p.take("nc");
	i.vector = p.take("v2") ? 2 : p.take("v4") ? 4 : 1;
	return take_type(p, &i.type);
}

static bool take_atom(parts &p, ptx_instr &i)
{
	if (p.take("relaxed") && !p.take("gpu"))
		return false;
	take_space(p, i);
	return p.take("add") && take_type(p, &i.type) && (i.type == T_U32 || i.type == T_S32);
}

static bool take_bar(parts &p, ptx_instr &i)
{
	if (p.take("warp"))
		i.op = P_WARPSYNC;
	return p.take("sync");
}

static bool take_branch(parts &p, ptx_instr &)
{
	p.take("uni");
	return true;
}

static bool take_fence(parts &p, ptx_instr &i)
{
	bool is_fence = p.take("acq_rel") || p.take("sc");

	i.system = p.take("sys");
	return i.system || p.take(is_fence ? "gpu" : "gl");
}

static bool take_shfl(parts &p, ptx_instr &i)
{
	if (!p.take("sync"))
		return false;
	i.shuffle = p.take("bfly") ? 'b' : p.take("idx") ? 'i' : p.take("down") ? 'd' :
		    p.take("up") ? 'u' : 0;
	return i.shuffle && p.take("b32");
}

static bool take_ldmatrix(parts &p, ptx_instr &i)
{
	bool sound = p.take("sync") && p.take("aligned") && p.take("m8n8") && p.take("x4");

	i.transposed = p.take("trans");
	i.space = S_SHARED;
	return sound && p.take("shared") && p.take("b16");
}

static bool take_mma(parts &p, ptx_instr &i)
{
	if (!p.take("sync") || !p.take("aligned"))
		return false;
	i.depth = p.take("m16n8k16") ? 16 : p.take("m16n8k8") ? 8 : 0;
	for (int k = 0; k < 2; k++)
		if (!p.take(k ? "col" : "row"))
			return false;
	if (!p.take("f32"))
		return false;
	if (!take_type(p, &i.from) || !take_type(p, &i.type) || i.from != i.type)
		return false;
	if (i.depth == 16 ? i.from != T_BF16 && i.from != T_F16 : i.from != T_TF32)
		return false;
	return i.depth && p.take("f32");
}

static bool take_cp(parts &p, ptx_instr &i)
{
	if (!p.take("async"))
		return false;
	if (p.take("commit_group"))
		i.op = P_CPASYNC_COMMIT;
	else if (p.take("wait_group"))
		i.op = P_CPASYNC_WAIT;
	else
		return p.take("cg") && p.take("shared") && p.take("global");
	return true;
}

static bool take_none(parts &, ptx_instr &)
{
	return true;
}

static const struct opcode {
	const char *name;
	ptx_op op;
	take_fn *take;
} opcodes[] = {
	{ "abs", P_ABS, take_arithmetic }, { "add", P_ADD, take_arithmetic },
	{ "and", P_AND, take_bits }, { "atom", P_ATOM, take_atom }, { "bar", P_BAR, take_bar },
	{ "barrier", P_BAR, take_bar }, { "bfe", P_BFE, take_bits }, { "bfi", P_BFI, take_bits },
	{ "bra", P_BRA, take_branch }, { "copysign", P_COPYSIGN, take_bits },
	{ "cp", P_CPASYNC, take_cp }, { "cvt", P_CVT, take_cvt }, { "cvta", P_CVTA, take_cvta },
	{ "div", P_DIV, take_approx }, { "ex2", P_EX2, take_approx },
	{ "fence", P_FENCE, take_fence }, { "fma", P_FMA, take_arithmetic },
	{ "ld", P_LD, take_memory }, { "ldmatrix", P_LDMATRIX, take_ldmatrix },
	{ "lg2", P_LG2, take_approx }, { "mad", P_MAD, take_product },
	{ "max", P_MAX, take_arithmetic }, { "membar", P_FENCE, take_fence },
	{ "min", P_MIN, take_arithmetic }, { "mma", P_MMA, take_mma }, { "mov", P_MOV, take_bits },
	{ "mul", P_MUL, take_product }, { "neg", P_NEG, take_arithmetic },
	{ "not", P_NOT, take_bits }, { "or", P_OR, take_bits }, { "prmt", P_PRMT, take_bits },
	{ "rcp", P_RCP, take_approx }, { "rem", P_REM, take_bits }, { "ret", P_RET, take_none },
	{ "rsqrt", P_RSQRT, take_approx }, { "selp", P_SELP, take_bits },
	{ "setp", P_SETP, take_setp }, { "shfl", P_SHFL, take_shfl }, { "shl", P_SHL, take_bits },
	{ "shr", P_SHR, take_bits }, { "sqrt", P_SQRT, take_approx }, { "st", P_ST, take_memory },
	{ "sub", P_SUB, take_arithmetic }, { "xor", P_XOR, take_bits },
};

static bool parse_opcode(const std::string &text, ptx_instr &i)
{
	parts p(text);

	for (const opcode &o : opcodes) {
		if (p.all[0] != o.name)
			continue;
		i.op = o.op;
		if (!o.take(p, i) || p.at != p.all.size())
			return ptx_fail(i.line, "'%s': '%s' is not known there", text.c_str(),
					p.at < p.all.size() ? p.all[p.at].c_str() : "the end");
		return true;
	}
	return ptx_fail(i.line, "unknown opcode '%s'", text.c_str());
}

/* ---- operands ---- */

static std::string strip(const std::string &s)
{
	size_t begin = s.find_first_not_of(" \t\r\n"), end = s.find_last_not_of(" \t\r\n");

	return begin == std::string::npos ? "" : s.substr(begin, end - begin + 1);
}

/* At commas outside of braces and brackets. */
static std::vector<std::string> split(const std::string &s)
{
	std::vector<std::string> out;
	size_t begin = 0;
	int depth = 0;

	for (size_t i = 0; i <= s.size(); i++) {
		if (i < s.size() && (s[i] == '{' || s[i] == '['))
			depth++;
		if (i < s.size() && (s[i] == '}' || s[i] == ']'))
			depth--;
		if (i == s.size() || (s[i] == ',' && !depth)) {
			out.push_back(strip(s.substr(begin, i - begin)));
			begin = i + 1;
		}
	}
	return out;
}

static bool parse_number(const std::string &s, uint64_t *value)
{
	bool negative = s[0] == '-';
	const char *digits = s.c_str() + negative;
	char *end;

	if (!strncmp(digits, "0f", 2) || !strncmp(digits, "0d", 2))
		*value = strtoull(digits + 2, &end, 16);
	else
		*value = strtoull(digits, &end, 0);
	if (end == digits || *end)
		return false;
	if (negative)
		*value = -*value;
	return true;
}

static bool parse_reg(const ptx_kernel &k, const std::string &s, int *reg)
{
	auto it = k.regs.find(s);

	if (s == "_") {
		*reg = -1;
		return true;
	}
	if (it == k.regs.end())
		return false;
	*reg = it->second;
	return true;
}

/* [base], [base+offset], base being a register or a variable */
static bool parse_address(const ptx_kernel &k, const std::string &s, ptx_operand *o)
{
	size_t plus = s.find('+');
	std::string base = strip(s.substr(0, plus));
	auto symbol = k.symbols.find(base);

	o->kind = K_ADDRESS;
	if (plus != std::string::npos && !parse_number(strip(s.substr(plus + 1)), &o->value))
		return false;
	if (symbol == k.symbols.end())
		return parse_reg(k, base, &o->reg) && o->reg >= 0;
	o->value += symbol->second.at;
	return true;
}

static bool parse_vector(const ptx_kernel &k, const std::string &s, ptx_operand *o)
{
	o->kind = K_VEC;
	for (const std::string &name : split(s)) {
		if (o->count == 4 || !parse_reg(k, name, &o->vec[o->count++]))
			return false;
	}
	return true;
}

static bool parse_operand(const ptx_kernel &k, std::string s, ptx_operand *o)
{
	size_t bar = s.find('|');

	if (s.empty())
		return false;
	if (s[0] == '{')
		return parse_vector(k, s.substr(1, s.size() - 2), o);
	if (s[0] == '[')
		return parse_address(k, strip(s.substr(1, s.size() - 2)), o);
	for (const named &x : specials) {
		if (s == x.name) {
			o->kind = K_SPECIAL;
			o->value = x.value;
			return true;
		}
	}
	if (s[0] == '!') {
		o->negated = true;
		s = s.substr(1);
	}
	if (bar != std::string::npos) {
		if (!parse_reg(k, s.substr(bar + 1), &o->second))
			return false;
		s = s.substr(0, bar);
	}
	o->kind = K_REG;
	if (parse_reg(k, s, &o->reg))
		return true;
	o->kind = K_IMM;
	if (k.symbols.count(s)) {
		o->value = k.symbols.at(s).at;
		return true;
	}
	return parse_number(s, &o->value);
}

static bool parse_guard(const ptx_kernel &k, std::string *text, ptx_instr &i)
{
	size_t end = text->find_first_of(" \t");
	std::string name = text->substr(1, end - 1);

	if (name[0] == '!') {
		i.guard_negated = true;
		name = name.substr(1);
	}
	*text = strip(text->substr(end));
	return parse_reg(k, name, &i.guard) || ptx_fail(i.line, "no register '%s'", name.c_str());
}

static bool parse_instr(ptx_kernel &k, std::string text, int line,
			std::map<int, std::string> &branches)
{
	ptx_instr i;
	size_t space;

	i.line = line;
	if (text[0] == '@' && !parse_guard(k, &text, i))
		return false;
	space = text.find_first_of(" \t\n");
	if (!parse_opcode(text.substr(0, space), i))
		return false;
	if (i.op == P_BRA) {
		branches[(int)k.code.size()] = strip(text.substr(space));
	} else if (space != std::string::npos) {
		for (const std::string &s : split(strip(text.substr(space)))) {
			if (i.operands == 5 || !parse_operand(k, s, &i.o[i.operands++]))
				return ptx_fail(line, "operand '%s' in '%s'", s.c_str(),
						text.c_str());
		}
	}
	k.code.push_back(i);
	return true;
}

/* ---- declarations ---- */

static size_t align_up(size_t n, size_t align)
{
	return (n + align - 1) / align * align;
}

/* ".reg .f32 %f<260>" or ".reg .b32 a, b" */
static bool declare_regs(ptx_kernel &k, const std::string &text, int line)
{
	size_t type = text.find('.', 1), names = text.find_first_of(" \t", type);

	for (const std::string &s : split(strip(text.substr(names)))) {
		size_t angle = s.find('<');
		int n = angle == std::string::npos ? -1 : atoi(s.c_str() + angle + 1);
		std::string base = s.substr(0, angle);

		for (int i = n < 0 ? -1 : 0; i < n; i++) {
			std::string name = n < 0 ? base : base + std::to_string(i);
			int index = (int)k.regs.size();

			if (!k.regs.emplace(name, index).second)
				return ptx_fail(line, "'%s' is declared twice", name.c_str());
		}
	}
	return true;
}

/* "... .align 16 .b8 name[32]": or a scalar ".u64 name" */
static bool declare_variable(const std::string &text, int line, std::string *name, size_t *bytes,
			     size_t *align)
{
	size_t at = text.find(".align "), bracket = text.find('['), begin;
	ptx_type type = T_NONE;

	*align = at == std::string::npos ? 0 : strtoul(text.c_str() + at + 7, nullptr, 10);
	begin = text.find_last_of(" \t", bracket == std::string::npos ? text.size() : bracket);
	*name = text.substr(begin + 1, bracket == std::string::npos ? bracket : bracket - begin - 1);
	for (const named &t : types)
		if (text.find("." + std::string(t.name) + " ") != std::string::npos)
			type = (ptx_type)t.value;
	*bytes = type == T_B8 ? 1 : type == T_U32 || type == T_F32 || type == T_B32 ? 4 :
		 type == T_U64 || type == T_B64 ? 8 : 0;
	if (!*bytes)
		return ptx_fail(line, "what is '%s'", text.c_str());
	*align = *align ? *align : *bytes;
	if (bracket != std::string::npos)
		*bytes *= strtoul(text.c_str() + bracket + 1, nullptr, 10);
	return true;
}

static bool declare_shared(ptx_kernel &k, const std::string &text, int line)
{
	std::string name;
	size_t bytes, align;

	if (!declare_variable(text, line, &name, &bytes, &align))
		return false;
	k.shared_bytes = align_up(k.shared_bytes, align);
	k.symbols[name] = { S_SHARED, PTX_SHARED_BASE + k.shared_bytes, bytes, false };
	k.shared_bytes += bytes;
	return true;
}

static bool declare_params(ptx_kernel &k, const std::string &list, int line)
{
	std::string name;
	size_t bytes, align;

	for (const std::string &s : split(strip(list))) {
		if (s.empty())
			continue;
		if (!declare_variable(s, line, &name, &bytes, &align))
			return false;
		k.param_bytes = align_up(k.param_bytes, align);
		k.symbols[name] = { S_PARAM, PTX_PARAM_BASE + k.param_bytes, bytes, false };
		k.param_bytes += bytes;
	}
	return true;
}

/* ---- the text ---- */

/*
 * A statement ends with ';'; a label with ':'; '{' and '}' stand alone where a statement
 * would begin, and a kernel's head ends before '{'.
 */
struct reader {
	const char *at, *end;
	int line = 1, began = 1;

	bool skip_blank()
	{
		for (; at < end; at++) {
			if (end - at > 1 && at[0] == '/' && at[1] == '/')
				while (at < end && *at != '\n')
					at++;
			if (at == end || !strchr(" \t\r\n", *at))
				break;
			line += *at == '\n';
		}
		began = line;
		return at < end;
	}

	std::string statement()
	{
		std::string s;

		if (*at == '{' || *at == '}')
			return std::string(1, *at++);
		/* A directive of the module ends with its line, a head before its body. */
		bool head = !strncmp(at, ".visible", 8) || !strncmp(at, ".entry", 6);
		bool directive = !strncmp(at, ".version", 8) || !strncmp(at, ".target", 7) ||
				 !strncmp(at, ".address_size", 13) || !strncmp(at, ".max", 4) ||
				 !strncmp(at, ".min", 4);

		for (; at < end; at++) {
			if (directive && *at == '\n')
				break;
			if (head && (*at == '{' || !strncmp(at, ".max", 4) ||
				     !strncmp(at, ".min", 4)))
				break;
			if (!head && !directive && *at == ';')
				return ++at, s;
			if (*at == ':' && s.find_first_of(" \t") == std::string::npos)
				return ++at, s + ":";
			line += *at == '\n';
			s += *at;
		}
		return s;
	}
};

static bool resolve(ptx_kernel &k, const std::map<int, std::string> &branches)
{
	for (const auto &b : branches) {
		auto label = k.labels.find(b.second);

		if (label == k.labels.end())
			return ptx_fail(k.code[b.first].line, "no label '%s'", b.second.c_str());
		k.code[b.first].target = label->second;
	}
	return true;
}

/* @common: what is declared outside: each kernel has it. */
static bool begin_kernel(ptx_module *m, const ptx_kernel &common, const std::string &s, int line,
			 ptx_kernel **k)
{
	size_t entry = s.find(".entry"), open = s.find('('), close = s.rfind(')');
	std::string name;

	if (entry == std::string::npos || open == std::string::npos || close == std::string::npos)
		return ptx_fail(line, "unknown directive '%s'", s.c_str());
	name = strip(s.substr(entry + 6, open - entry - 6));
	*k = &m->kernels[name];
	**k = common;
	return declare_params(**k, s.substr(open + 1, close - open - 1), line);
}

static bool parse_body(ptx_kernel *k, const std::string &s, int line,
		       std::map<int, std::string> &branches)
{
	if (s.back() == ':') {
		k->labels[s.substr(0, s.size() - 1)] = (int)k->code.size();
		return true;
	}
	if (!s.compare(0, 5, ".reg "))
		return declare_regs(*k, s, line);
	if (!s.compare(0, 8, ".shared "))
		return declare_shared(*k, s, line);
	if (!s.compare(0, 8, ".pragma "))
		return true;
	if (s[0] == '.')
		return ptx_fail(line, "directive '%s'", s.c_str());
	return parse_instr(*k, s, line, branches);
}

/* What stands outside of every kernel. */
static bool parse_outside(ptx_module *m, const std::string &s, int line, ptx_kernel &common)
{
	std::string name;
	size_t bytes, align;

	if (!s.compare(0, 8, ".version"))
		m->version = strip(s.substr(8));
	else if (!s.compare(0, 7, ".target"))
		m->target = strip(s.substr(7));
	else if (!s.compare(0, 15, ".extern .shared")) {
		if (!declare_variable(s, line, &name, &bytes, &align))
			return false;
		common.symbols[name] = { S_SHARED, PTX_DYNAMIC_BASE, 0, true };
	} else if (!s.compare(0, 8, ".shared ")) {
		return declare_shared(common, s, line);
	} else if (s.compare(0, 13, ".address_size")) {
		return ptx_fail(line, "unknown directive '%s'", s.c_str());
	}
	return true;
}

bool ptx_parse(ptx_module *m, const char *text, size_t length)
{
	std::map<int, std::string> branches;
	ptx_kernel *k = nullptr, common;
	reader r = { text, text + length };
	int depth = 0;

	while (r.skip_blank()) {
		std::string s = strip(r.statement());
		bool ok = true;

		if (s == "{") {
			depth++;
		} else if (s == "}") {
			if (--depth == 0)
				ok = resolve(*k, branches);
		} else if (depth) {
			ok = parse_body(k, s, r.began, branches);
		} else if (!s.compare(0, 8, ".visible")) {
			ok = begin_kernel(m, common, s, r.began, &k);
			branches.clear();
		} else if (!s.compare(0, 7, ".maxnti")) {
			k->max_threads = (unsigned)atoi(s.c_str() + strlen(".maxntid "));
		} else if (s.compare(0, 7, ".minnct")) {
			ok = parse_outside(m, s, r.began, common);
		}
		if (!ok)
			return false;
	}
	return !m->kernels.empty() || ptx_fail(0, "no kernel in it");
}
