// Small archives for tests of eval: embeddings with a known structure, no files.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "core/embeddings.h"
#include "core/rng.h"

namespace likeness::test {

// `subjects` people with `pictures` each. A picture is its person's direction plus noise: noise 0 makes them equal, 1 makes
// identity hard to see. Even subjects are "female", odd "male"; women get `female_noise` instead when it is >= 0.
inline EmbeddingArchive people(int subjects, int pictures, int dimension, double noise, double female_noise = -1) {
  EmbeddingArchive a;
  a.dimension = dimension;
  a.contract.weights_hash = "0123456789abcdef0123456789abcdef";
  a.contract.geometry = FaceGeometry::arcface();
  a.contract.dimension = dimension;
  a.data_digest = "fedcba9876543210fedcba9876543210";
  AttributeColumn gender{"gender", {"female", "male"}, {}};
  for (int s = 0; s < subjects; ++s) {
    a.subject_names.push_back("person " + std::to_string(s));
    for (int p = 0; p < pictures; ++p) {
      Rng person(1, Purpose::kTest, 0, static_cast<std::uint64_t>(s)), picture(2, Purpose::kTest, static_cast<std::uint64_t>(p), static_cast<std::uint64_t>(s));
      const double amount = s % 2 == 0 && female_noise >= 0 ? female_noise : noise;
      double squares = 0;
      for (int k = 0; k < dimension; ++k) {
        const double x = person.normal() + amount * picture.normal();
        a.embeddings.push_back(static_cast<float>(x));
        squares += x * x;
      }
      a.norms.push_back(static_cast<float>(std::sqrt(squares)));
      a.failed.push_back(0);
      char key[64];
      std::snprintf(key, sizeof key, "images/person_%d/person_%d_%04d.jpg", s, s, p + 1);
      a.keys.push_back(key);
      a.subjects.push_back(s);
      gender.codes.push_back(s % 2 == 0 ? 1 : 2);
    }
  }
  a.attributes.columns.push_back(std::move(gender));
  return a;
}

// Marks a picture as one without a face.
inline void fail_picture(EmbeddingArchive& a, std::size_t row) {
  a.failed[row] = 1;
  for (std::int64_t k = 0; k < a.dimension; ++k) a.embeddings[row * static_cast<std::size_t>(a.dimension) + static_cast<std::size_t>(k)] = 0;
}

}  // namespace likeness::test
