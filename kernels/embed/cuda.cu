// SPDX-License-Identifier: MIT
/*
 * embed: a block of 128 threads per token: LayerNorm(word + position + type).
 *
 * Limits   tokens, hidden, vocab, places: any that memory holds; places at least 1
 * Bound by memory: 4 * 3 * hidden bytes read (positions and type from L2), s * hidden
 *          written for storage of s bytes, and about 10 * hidden FLOP
 * Roofline estimate for an H100: 50 % of 3.35 TB/s from 4,096 tokens of 384 on; one text
 *          costs the launch, the id's way over the bus and two dependent loads
 *
 * embed_each: the same of texts whose ids lie apart, 256 texts a launch.  Ids are read from
 * clients' memory across the bus, 4 bytes a token: about 1.5 us, once.
 */
#include "kernels/layernorm/row.cuh"

struct embed_row {
	const float *word, *position, *type;
	bool by4;

	GPU gpu_f32x4 at4(uint32_t j) const
	{
		return load4(word + j) + load4(position + j) + load4(type + j);
	}

	GPU float at1(uint32_t j) const
	{
		return word[j] + position[j] + type[j];
	}
};

/* The last text that begins at or before the token; empty ones own none. */
GPU uint32_t text_of(const int32_t *cu_seqlens, uint32_t texts, uint32_t token)
{
	uint32_t low = 0, high = texts;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if ((uint32_t)cu_seqlens[middle] <= token)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* One thread loads the id: two that did might see two different ones. */
GPU void find(uint32_t *found, const aif_cuda_embed &p, const int32_t *at, uint32_t place)
{
	int32_t id = gpu_load_once(at);

	found[0] = id < 0 ? 0 : (uint32_t)id < p.vocab ? (uint32_t)id : p.vocab - 1;
	found[1] = place < p.places ? place : p.places - 1;
}

template <typename T>
GPU void embed_found(const aif_cuda_embed &p, const uint32_t *found, uint32_t token)
{
	embed_row row;

	row.word = p.words + (uint64_t)found[0] * p.hidden;
	row.position = p.positions + (uint64_t)found[1] * p.hidden;
	row.type = p.type;
	row.by4 = p.hidden % 4 == 0 &&
		  aligned_to_16(p.words, p.positions, p.type, p.gamma, p.beta, p.out);
	normalise_row((T *)p.out + (uint64_t)token * p.hidden, row, p.gamma, p.beta, p.eps,
		      p.hidden);
}

GPU void begins(const aif_cuda_embed &p, uint32_t token)
{
	if (token == 0 && p.began)
		*p.began = gpu_now_ns();
}

template <typename T>
GPU void embed(const aif_cuda_embed &p)
{
	KSHARED(uint32_t, found, [2]);
	uint32_t token = blockIdx.x;

	if (threadIdx.x == 0) {
		uint32_t text = text_of(p.cu_seqlens, p.texts, token);

		begins(p, token);
		find(found, p, p.ids + token, token - (uint32_t)p.cu_seqlens[text]);
	}
	gpu_sync();
	embed_found<T>(p, found, token);
}

template <typename T>
GPU void embed_each(const aif_cuda_embed_each &p)
{
	KSHARED(uint32_t, found, [2]);
	uint32_t token = p.token + blockIdx.x;

	if (threadIdx.x == 0) {
		uint32_t text = text_of(p.embed.cu_seqlens, p.embed.texts, token);
		uint32_t place = token - (uint32_t)p.embed.cu_seqlens[text];

		begins(p.embed, token);
		find(found, p.embed, p.ids[text - p.text] + place, place);
	}
	gpu_sync();
	embed_found<T>(p.embed, found, token);
}

#define EMBED(type, T)									\
	KERNEL(embed_##type, aif_cuda_embed, AIF_CUDA_ROW_THREADS, 8)			\
	{										\
		embed<T>(p);								\
	}										\
	KERNEL(embed_each_##type, aif_cuda_embed_each, AIF_CUDA_ROW_THREADS, 8)		\
	{										\
		embed_each<T>(p);							\
	}

EMBED(f32, float)
EMBED(bf16, bf16)
EMBED(f16, f16)
