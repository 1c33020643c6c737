/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what the fuzz targets of this folder share
 *
 * A target defines fuzz_one(), which stops the program by require() when what is
 * fuzzed breaks its contract, and returns whether the input was right and led somewhere: a
 * fuzzer that is only refused sees little.
 */
#ifndef AIF_FUZZ_H
#define AIF_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Once, before the first input. */
void fuzz_start(void);

/* @data is as long as @size says, to the byte. */
bool fuzz_one(const uint8_t *data, size_t size);

/* Aborts unless @ok; @what: the rule that was broken. */
void require(bool ok, const char *what);

/* Bytes of the UTF-8 sequence that @s begins with; 0: it is none. */
size_t utf8_sequence(const uint8_t *s, size_t len);
bool utf8_valid(const uint8_t *s, size_t len);

/* An input, taken piece by piece; behind its end come zeros. */
struct input {
	const uint8_t *at;
	size_t left;
};

uint8_t take(struct input *in);
uint64_t take_number(struct input *in, unsigned int bytes);

/* Bytes up to the next @end (a byte), which is passed over, or up to the input's end. */
struct input take_until(struct input *in, uint8_t end);

/* What is left or @piece, as a string that the caller frees; NULs become '0'. */
char *to_string(struct input piece);

#endif
