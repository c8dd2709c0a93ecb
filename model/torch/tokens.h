// Operators on tokens [B,T,D], forward and backward. f32 or f64; where it says so, bf16.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/rng.h"

namespace likeness::model {

// [B,C,H,W] -> [B,HW,C]; a view of channels-last maps. Any type.
at::Tensor tokens_of(const at::Tensor& maps);

// x weight^T (+ bias) over the last axis; weight [O,I], bias [O] or undefined. `bf16`: x, of any float type, and the
// f32 weight are rounded, products are summed in f32, the result is bf16 (convolution.h says how where the CPU has no
// bf16).
at::Tensor token_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool bf16);

// [B,T,3D] -> [B,T,D], softmax(q k^T / sqrt(D/heads)) v in every head, without a T x T matrix in memory. bf16 in, bf16
// out; between them it is computed in f32, as arcface_torch does under autocast.
at::Tensor attention(const at::Tensor& qkv, int heads);

// The tokens that a training step keeps: [B,K] i64, ascending in each picture, K = floor(tokens (1 - left_out)) but at
// least 1. Depends on `rng` and the arguments only.
at::Tensor kept_tokens(std::int64_t batch, std::int64_t tokens, double left_out, Rng rng);
// [B,T,D] -> [B,K,D]
at::Tensor take_tokens(const at::Tensor& x, const at::Tensor& kept);
// [B,K,D] -> [B,T,D], `missing` [1,1,D] at the places that were not kept. `missing` gets a gradient, of zeros when all
// were: optimizers want one of every parameter.
at::Tensor put_tokens(const at::Tensor& x, const at::Tensor& kept, const at::Tensor& missing, std::int64_t tokens);

}  // namespace likeness::model
