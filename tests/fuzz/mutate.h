// A small mutating fuzzer for parsers of foreign files: deterministic, so that a failure can be repeated by its number.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "core/error.h"
#include "core/rng.h"

namespace likeness::test {

using Bytes = std::vector<std::byte>;

// One to four changes: flipped bits, values at the edges of integer types, cuts, insertions, and pieces of another
// sample.
inline Bytes mutate(const std::vector<Bytes>& corpus, Rng& rng) {
  Bytes bytes = corpus[rng.below(corpus.size())];
  for (std::uint64_t changes = 1 + rng.below(4); changes > 0; --changes) {
    const std::size_t at = bytes.empty() ? 0 : rng.below(bytes.size());
    const std::size_t length = bytes.empty() ? 0 : 1 + rng.below(std::min<std::size_t>(bytes.size() - at, 16));
    static constexpr unsigned char kEdges[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '"', '{', '[', '-', '9'};
    switch (rng.below(6)) {
      case 0:
        if (!bytes.empty()) bytes[at] ^= static_cast<std::byte>(1u << rng.below(8));
        break;
      case 1: {
        const auto edge = static_cast<std::byte>(kEdges[rng.below(sizeof kEdges)]);
        for (std::size_t i = 0; i < length; ++i) bytes[at + i] = edge;
        break;
      }
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.erase(bytes.begin() + at, bytes.begin() + at + length);
        break;
      case 4: {
        Bytes noise(1 + rng.below(16));
        for (std::byte& b : noise) b = static_cast<std::byte>(rng.next_u32());
        bytes.insert(bytes.begin() + at, noise.begin(), noise.end());
        break;
      }
      case 5: {
        const Bytes& other = corpus[rng.below(corpus.size())];
        if (other.empty()) break;
        const std::size_t from = rng.below(other.size()),
                          count = 1 + rng.below(std::min<std::size_t>(other.size() - from, 64));
        bytes.insert(bytes.begin() + at, other.begin() + from, other.begin() + from + count);
        break;
      }
    }
  }
  return bytes;
}

// parse(bytes) must return or throw likeness::Error; anything else (another exception, a crash, a sanitizer's report)
// is a bug. Every sample itself must parse.
template <class Parse>
void fuzz(const std::vector<Bytes>& corpus, int rounds, Parse parse) {
  for (const Bytes& sample : corpus) parse(std::span<const std::byte>(sample));
  int refused = 0;
  for (int round = 0; round < rounds; ++round) {
    Rng rng(0, Purpose::kTest, 0, static_cast<std::uint64_t>(round));
    const Bytes bytes = mutate(corpus, rng);
    try {
      parse(std::span<const std::byte>(bytes));
    } catch (const Error&) {
      ++refused;
    } catch (const std::exception& e) {
      FAIL() << "round " << round << ": " << e.what();
    }
  }
  EXPECT_GT(refused, rounds / 10) << "mutations hardly matter: is the parser looking?";
}

}  // namespace likeness::test
